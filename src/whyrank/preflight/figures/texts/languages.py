"""Answers in another language or script than the queries."""

import unicodedata
from collections import Counter
from functools import cache

from whyrank.lexical.analysis import CHARACTERS, NO_LANGUAGE, classified
from whyrank.preflight.figures.texts.read import Figure, Read, Row, shown, spread

# Texts of a kind that are looked at, 0.5 ms each.
TEXTS = 500
# Letters below which a text's language is a guess.
LETTERS = 60
# What filler text is taken for.
LATIN = "la"
# Share of the queries that make a language one of theirs.
OWN = 0.05
# Scripts that stand together in one language.
EAST_ASIAN = {"CJK": "CJK", "HIRAGANA": "CJK", "KATAKANA": "CJK", "FULLWIDTH": "LATIN", "HALFWIDTH": "CJK"}


def figures(read: Read) -> tuple[list[Figure], list[Row]]:
    """`other_script` and `other_language`: share of the answers in one that hardly a query is in; and their rows.

    The example names both. `no_language`: share of the texts of a kind of some length that are in none.
    A language counts only where the answer has hardly a telling word of its queries: names of
    languages are guesses, and two tongues of one family differ by a few words.
    """
    query_scripts = Counter(script for text in read.queries if (script := script_of(text)))
    n = sum(query_scripts.values())
    own_scripts = {script for script, count in query_scripts.items() if count >= max(OWN * n, 1)}
    scripts = [script_of(text) for text in read.answers]
    rows = {row: script for row, script in enumerate(scripts) if script and n and script not in own_scripts}
    found = [_figure("other_script", read, rows, len(scripts), own_scripts)]

    for kind, (texts, _) in read.of_kind().items():
        long = [text for i in spread(len(texts), TEXTS // 2) if is_long(text := texts[i])]
        found.append(
            (
                "no_language",
                kind,
                sum(classified(text[:CHARACTERS]) == NO_LANGUAGE for text in long) / max(len(long), 1),
                len(long),
                shown(long[0]) if long else "",
            )
        )
    spoken = Counter(language_of(read.queries[i]) for i in spread(len(read.queries), TEXTS // 2))
    known = sum(count for language, count in spoken.items() if language)
    own = {language for language, count in spoken.items() if language and count >= max(OWN * known, 1)}
    chosen = spread(len(read.answers), TEXTS)
    others = {
        int(i): language
        for i in chosen
        if (language := language_of(read.answers[i])) and own and language not in own and not _is_tied(read, int(i))
    }
    found.append(_figure("other_language", read, others, len(chosen), own))
    why = {row: f"in {name}" for row, name in sorted((others | rows).items())}
    return found, [("", read.answer_id(row), "", text) for row, text in why.items()]


def _figure(name: str, read: Read, rows: dict[int, str], n: int, own: set[str]) -> Figure:
    if not rows:
        return name, "answer", 0.0, n, ""
    most = Counter(rows.values()).most_common(1)[0][0]
    first = next(row for row, language in rows.items() if language == most)
    return name, "answer", len(rows) / n, n, f"{most}, queries {'/'.join(sorted(own))}: {shown(read.answers[first])}"


def _is_tied(read: Read, answer: int) -> bool:
    asked = set().union(*(read.query_content[i] for i in read.asked_by[answer]))
    return len(asked & read.answer_content[answer]) > 0.1 * len(asked)


def script_of(text: str) -> str:
    """The script of most of the first letters, as Unicode's names begin; "" without letters."""
    if (start := text[:100]).isascii():
        return "LATIN" if any(map(str.isalpha, start)) else ""
    found = Counter(script for letter in start if (script := _script(letter)))
    return found.most_common(1)[0][0] if found else ""


@cache
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").split(" ")[0].split("-")[0] if letter.isalpha() else ""
    return EAST_ASIAN.get(name, name)


def is_long(text: str) -> bool:
    return sum(map(str.isalpha, text[:CHARACTERS])) >= LETTERS


def language_of(text: str) -> str:
    """ISO 639 code; "" of a short text and of one in no language."""
    language = classified(text[:CHARACTERS]) if is_long(text) else ""
    return "" if language in (NO_LANGUAGE, LATIN) else language
