"""Queries that hold their answer: its id, its title, a long part of its text; and queries that hold nothing."""

import re
from collections import Counter

import numpy as np

from whyrank.data.files.text import exact_key
from whyrank.lexical.words import words
from whyrank.preflight.figures.texts.read import Figure, Read, Row, shown

# Words in a row of an answer, in no more than this many answers, that a query has by copying.
QUOTE, HOLDERS = 8, 2
IN_A_ROW = bytes([True]) * QUOTE
# Characters of it, at least: words of one character, as in Thai, are many in any phrase.
CHARACTERS = 25
# Characters of an id that is told from a number of something.
SHORTEST_ID = 4
# What has a digit, of so many characters.
CODE = re.compile(rf"(?=\w*\d)\w{{{SHORTEST_ID},}}")
DIGIT = re.compile(r"\d")
# Words of a title that are not a mere topic.
TITLE = 3
# Words of a query that says nothing at most.
FEW = 2


def figures(read: Read) -> tuple[list[Figure], dict[str, list[Row]]]:
    """Shares of the queries, and the rows to mend by code.

    id_in_query, title_in_query   of the right answer (`query`), and of another query's (`chance`)
    code_in_query   a word with digits that stands in the text of no answer but the right one
    quotes       a run of words of the right answer that hardly another one has, with the words of it (`quote_words`)
    empty        of no telling word, by themselves or for several answers
    """
    n = max(len(read.queries), 1)
    found: list[Figure] = []
    rows: dict[str, list[Row]] = {}
    names = {"id": ids(read), "title": titles(read)}
    named = {what: named_by(read, of_answers) for what, of_answers in names.items()}
    examples = {
        what: next((shown(of_answers[i]) for row in named[what][0][:1] for i in read.right[row] if of_answers[i]), "")
        for what, of_answers in names.items()
    }
    named["code"], examples["code"] = coded(read)
    for what, (own, other) in named.items():
        found += [
            (f"{what}_in_query", "query", len(own) / n, n, examples[what]),
            (f"{what}_in_query", "chance", len(other) / n, n, ""),
        ]
    leaked = sorted({row for own, _ in named.values() for row in own})
    rows["query-names-answer"] = [(read.query_id(row), "", "", "names its answer") for row in leaked]
    quoting = quotes(read)
    example = shown(max(quoting.values(), key=len)) if quoting else ""
    found.append(("quotes", "query", len(quoting) / n, n, example))
    rows["query-quotes-answer"] = [
        (read.query_id(row), "", "", f"quotes: {shown(run)}") for row, run in quoting.items()
    ]
    nothing = empty(read)
    first = next(iter(nothing), None)
    found.append(("empty", "query", len(nothing) / n, n, "" if first is None else shown(read.queries[first])))
    rows["queries-say-nothing"] = [(read.query_id(row), "", "", why) for row, why in nothing.items()]
    return found, rows


def ids(read: Read) -> list[str]:
    """The id of each answer where it cannot be a word of the language: it has a digit, or several parts."""
    names = read.prepared.answers["answer_id"].astype(str).tolist()
    return [name if len(name) >= SHORTEST_ID and re.search(r"\d|[-_:/.]", name) else "" for name in names]


def titles(read: Read) -> list[str]:
    """The title of each answer in its words, where it has some."""
    if "title" not in read.prepared.answers:
        return [""] * len(read.answers)
    parts = [words(title) for title in read.prepared.answers["title"].fillna("").astype(str)]
    return [" ".join(part) if len(part) >= TITLE else "" for part in parts]


def named_by(read: Read, names: list[str]) -> tuple[list[int], list[int]]:
    """Rows of the queries that hold the name of a right answer, and those that hold that of another query's answer."""
    own, other = [], []
    n = len(read.queries)
    for row, right in enumerate(read.right):
        text = f" {read.queries[row].casefold()} "
        plain = f" {' '.join(read.query_words[row])} "
        shifted = read.right[(row + n // 2) % n]
        if any(_holds(text, plain, names[i]) for i in right):
            own.append(row)
        if any(_holds(text, plain, names[i]) for i in shifted if i not in right):
            other.append(row)
    return own, other


def coded(read: Read) -> tuple[tuple[list[int], list[int]], str]:
    """As `named_by`, by the words with digits that one answer alone has; and an example."""
    raw = read.prepared
    answers = list(map(codes, raw.answers["raw_text"], read.whole_answer_words))
    holders = Counter(code for codes in answers for code in codes)
    queries = list(map(codes, raw.queries["raw_text"], read.whole_query_words))
    own, other, example = [], [], ""
    n = len(queries)
    for row, right in enumerate(read.right):
        held = {code for i in right for code in queries[row] & answers[i] if holders[code] == 1}
        if held:
            own.append(row)
            example = example or min(held)
        shifted = read.right[(row + n // 2) % n]
        if any(holders[code] == 1 for i in shifted if i not in right for code in queries[row] & answers[i]):
            other.append(row)
    return (own, other), example


def codes(text: str, found: list[str]) -> set[str]:
    """Words with digits of a text; `found` are its `words`, which hold them where it is ASCII."""
    if not DIGIT.search(text):
        return set()
    if not text.isascii():
        return set(CODE.findall(text.casefold()))
    return {word for word in set(found) if not word.isalpha() and CODE.match(word)}


def _holds(text: str, plain: str, name: str) -> bool:
    if not name:
        return False
    if f" {name} " in plain:
        return True
    return name.casefold() in text and re.search(rf"(?<!\w){re.escape(name.casefold())}(?!\w)", text) is not None


def quotes(read: Read) -> dict[int, str]:
    """Rows of the queries that quote a right answer, with the longest run."""
    of_answer: dict[int, set[tuple[str, ...]]] = {}
    shared = {}
    for row, right in enumerate(read.right):
        text = read.query_words[row]
        near = [i for i in right if _has_run(text, set(read.answer_words[i]))]
        of_answer |= {i: set(runs(read.answer_words[i])) for i in near if i not in of_answer}
        own = runs(text) if near else []
        if any(not of_answer[i].isdisjoint(own) for i in near):
            shared[row] = own
    wanted = {run for own in shared.values() for run in own}
    said = {word for run in wanted for word in run}
    holders = Counter(
        run for text in read.answer_words if _has_run(text, said) for run in wanted.intersection(runs(text))
    )
    found: dict[int, str] = {}
    for row, own in shared.items():
        text = read.query_words[row]
        quoted = [of_answer[i] for i in read.right[row] if i in of_answer]
        is_own = [any(run in of_one for of_one in quoted) and holders[run] <= HOLDERS for run in own]
        if any(is_own) and len(longest := _longest(text, np.array(is_own))) - QUOTE >= CHARACTERS:
            found[row] = longest
    return found


def _has_run(text: list[str], known: set[str]) -> bool:
    """Whether so many words in a row are known, as those of a run of both texts are."""
    return IN_A_ROW in bytes(map(known.__contains__, text))


def runs(text: list[str]) -> list[tuple[str, ...]]:
    return list(zip(*(text[i:] for i in range(QUOTE)), strict=False))


def _longest(text: list[str], is_own: np.ndarray) -> str:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_own.astype(int), [0]])))
    start, stop = max(zip(edges[::2], edges[1::2], strict=True), key=lambda span: span[1] - span[0])
    return " ".join(text[start : stop + QUOTE - 1])


def empty(read: Read) -> dict[int, str]:
    """Rows of queries that say nothing of what they ask for, and why.

    A text that stands for several answers says nothing; so does one of few words, none of them telling.
    """
    # Text that is cut off is another fault.
    keys = list(map(exact_key, read.prepared.queries["raw_text"], read.whole_query_words))
    wanted: dict[str, set[int]] = {}
    for key, right in zip(keys, read.right, strict=True):
        wanted.setdefault(key, set()).update(right)
    widest = max((len(right) for right in read.right), default=1)
    found: dict[int, str] = {}
    # By the whole text: a budget that leaves little of it is another fault.
    for row, (key, text) in enumerate(zip(keys, read.whole_query_words, strict=True)):
        if len(wanted[key]) > max(widest, FEW):
            found[row] = f"the same text is asked for {len(wanted[key])} answers"
        elif len(text) <= FEW and not (set(text) & read.answer_vocabulary - read.common):
            found[row] = "a word or two that no answer has"
    return found
