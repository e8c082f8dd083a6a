"""What ties a query to its right answer in words, and answers and queries that nothing ties."""

import re
from collections import Counter, defaultdict

import numpy as np

from whyrank.data.files.text import exact_key
from whyrank.data.ranking.duplicates import find_duplicates
from whyrank.preflight.figures.texts.read import Figure, Read, Row, shown

# Answers that share one text, from which it stands for none of them.
REPEATED = 3
# Words: a text this short may be a stand-in or say little.
FEW, FEW_CHARACTERS = 3, 40
# Share of an answer's words that stand in any query: placeholder text is in no query's language. It tells something
# where most answers have their words in queries, which takes some hundred queries of a language that is not inflected.
UNKNOWN, KNOWN = 0.15, 0.40
# Stand-ins that people write, in any place of a text of few words.
STAND_INS = re.compile(
    r"^\W*(todo|tbd|tba|fixme|n/?a|nan|none|null|nil|empty|test|xxx+|placeholder|dummy|coming soon|see (above|below|"
    r"attachment|link)|same as (above|before)|as above|no (answer|content|text)|to be (done|written|added)|"
    r"not available|content here|answer here|lorem ipsum.*)\W*$",
    re.IGNORECASE | re.DOTALL,
)


def figures(read: Read, strange: set[str]) -> tuple[list[Figure], dict[str, list[Row]]]:
    """Shares of queries and answers, and the rows to mend by code.

    strange   ids of answers that are in another language, or garbled: that no query has their words says no more
    own_words, chance_words      mean share of a query's telling words in its right answer, and in another one
    copies, containers, placeholders, short_answers   answers of each sort
    """
    own_Q, other_Q = ties(read)
    tied_A = answer_ties(read)
    found: list[Figure] = [
        ("own_words", "query", _mean(own_Q), int(np.isfinite(own_Q).sum()), ""),
        ("chance_words", "query", _mean(other_Q), int(np.isfinite(other_Q).sum()), ""),
    ]
    stand_in = placeholders(read, tied_A, strange)
    copied, containers = copies(read, stand_in)
    short = short_answers(read, tied_A, stand_in)
    n, ids = len(read.answers), read.answer_id
    for name, kept in (("placeholders", stand_in), ("copies", copied), ("short_answers", short)):
        first = next(iter(kept), None)
        found.append((name, "answer", len(kept), n, "" if first is None else shown(read.answers[first])))
    for row, parts in containers.items():
        found.append(("container", "answer", parts, n, ids(row)))
    return found, {
        "placeholder-answers": [("", ids(row), "", why) for row, why in stand_in.items()],
        "near-copies": [("", ids(row), ids(first), "near-copy of it") for row, first in copied.items()],
        "answers-say-little": [("", ids(row), "", "a few words that none of its queries has") for row in short],
    }


def ties(read: Read) -> tuple[np.ndarray, np.ndarray]:
    """Of each query the share of its telling words in its right answer, and in the answer of another query; or NaN."""
    own_Q, other_Q = np.full((2, len(read.queries)), np.nan)
    asked = [row for row, right in enumerate(read.right) if right]
    for place, row in enumerate(asked):
        if content := read.query_content[row]:
            own_Q[row] = max(len(content & read.answer_content[i]) for i in read.right[row]) / len(content)
            other = read.right[asked[(place + len(asked) // 2) % len(asked)]][0]
            other_Q[row] = len(content & read.answer_content[other]) / len(content)
    return own_Q, other_Q


def answer_ties(read: Read) -> np.ndarray:
    """(A,) share of the telling words of an answer's queries that it has; NaN where it has none to share."""
    found = np.full(len(read.answers), np.nan)
    for row, queries in enumerate(read.asked_by):
        asked = set().union(*(read.query_content[i] for i in queries))
        if asked:
            found[row] = len(asked & read.answer_content[row]) / len(asked)
    return found


def placeholders(read: Read, tied_A: np.ndarray, strange: set[str]) -> dict[int, str]:
    """Rows of answers that stand for nothing, and why."""
    # Long texts that begin alike are read as one where they are cut, and stand for what they say.
    keys = list(map(exact_key, read.prepared.answers["raw_text"], read.whole_answer_words))
    same = Counter(keys)
    queried = {word for text in read.query_words for word in text}
    typical = float(np.nanmedian(tied_A)) if np.isfinite(tied_A).any() else 0.0
    known_A = read.answer_shares(queried)
    is_telling = float(np.median(known_A)) >= KNOWN
    found: dict[int, str] = {}
    for row, (key, text) in enumerate(zip(keys, read.answers, strict=True)):
        untied = not tied_A[row] > typical / 4
        if STAND_INS.match(text):
            found[row] = "a stand-in for a text"
        elif same[key] >= REPEATED and (untied or len(read.answer_words[row]) <= 2 * FEW):
            found[row] = f"the text of {same[key]} answers"
        elif (
            is_telling
            and read.answer_id(row) not in strange
            and len(read.answer_words[row]) > FEW
            and not tied_A[row] > 0
            and known_A[row] < UNKNOWN
        ):
            found[row] = "words that no query has"
    return found


def copies(read: Read, without: dict[int, str]) -> tuple[dict[int, int], dict[int, int]]:
    """Rows of near-copies with the row of the first; and rows that hold at least `REPEATED` others, with how many."""
    raw = read.prepared.answers["raw_text"].tolist()
    pairs = find_duplicates(raw, read.whole_answer_numbers).pairs
    first: dict[int, int] = {}
    holds: defaultdict[int, int] = defaultdict(int)
    for left, right, kind in pairs[["left", "right", "kind"]].itertuples(index=False):
        if kind == "contained":
            holds[max(left, right, key=lambda row: len(raw[row]))] += 1
        elif left not in without and right not in without:
            first[right] = first.get(left, left)
    return first, {row: n for row, n in holds.items() if n >= REPEATED}


def short_answers(read: Read, tied_A: np.ndarray, without: dict[int, str]) -> list[int]:
    """Rows of answers of a few words, none of which stands in their queries."""
    # By the whole text: a budget that leaves little of it is another fault.
    return [
        row
        for row, text in enumerate(read.prepared.answers["raw_text"])
        if len(text) <= FEW_CHARACTERS
        and len(read.whole_answer_words[row]) <= FEW
        and not tied_A[row] > 0
        and read.asked_by[row]
        and row not in without
    ]


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0
