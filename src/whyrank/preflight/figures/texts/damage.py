"""Texts that came damaged: letters or words in random order, replaced characters, no spaces; and marks of a format."""

import re
from collections.abc import Sequence

import numpy as np
import regex

from whyrank.preflight.figures.texts.read import Figure, Read, Row, shown, spread

# Texts of a kind and characters of each that are looked at.
TEXTS, CHARACTERS = 1000, 400
# Words below which different groups of letters, or pairs of words, say nothing: of 1,500 words of real questions 46 %
# fewer groups of three letters are different than after shuffling, and 8 % fewer pairs of words.
FEWEST_WORDS, MOST_WORDS = 1400, 6000
FEWEST_IN_ORDER = 5
# log2 of how much rarer a text's groups of three letters are than those of a typical one. At most 5 % of real texts
# (code, numbers) lie below; shuffled letters and base64 bring 1.7 to 2.1.
ATYPICAL = 1.3
# Groups that there could be, up to which all are counted.
FEW_GROUPS = 2**24
# Letters of a word that is several; and the share of a text's letters in such words.
RUN_TOGETHER, MOST = 30, 0.5
LONG = re.compile(rf"\S{{{RUN_TOGETHER}}}")
# UTF-8 read as cp1252 or Latin-1, and what stands for a character that could not be read.
MOJIBAKE = re.compile(
    "[\u00c2\u00c3][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122]"
    "|\u00e2\u20ac|\u00e2[\u0080-\u009f]|\u00ef\u00bf\u00bd|\u00d0[\u0080-\u00bf\u201a-\u2122]|\ufffd"
)
# Of two bytes a letter read as one, and of binary files.
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
LOST_CHARACTER = re.compile(r"[^\W\d_]\?[^\W\d_]")
URL = re.compile(r"(?:https?://|www\.)\S+")
MARKUP = re.compile(
    r"</?[a-zA-Z][^<>]{0,200}>|&(?:[a-z]{2,8}|#\d{1,6});|(?:https?://|www\.)\S+|\\[nrt\"](?=\S|$)|\\u[0-9a-fA-F]{4}"
    r"|[{\[,]\s*\"[\w-]{1,40}\"\s*:\s*|\[/?[a-zA-Z]{1,12}(?:=[^\]]{0,80})?\]|\{\{[^{}]{0,80}\}\}|!\[[^\]]{0,80}\]\("
)
LETTER = regex.compile(r"\p{L}")
UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Line_Break=Complex_Context}]")
ASKING = re.compile("[?\uff1f\u061f]\\s*$")


def figures(read: Read, seed: int) -> tuple[list[Figure], list[Row]]:
    """By kind of text, and the garbled rows of answers and queries.

    letters, word_order   different groups of three letters (pairs of words), over as many after shuffling; only with
                          enough words to tell
    replaced, run_together, atypical   share of the texts
    markup                share of the characters
    capitals              share of the letters that are capitals, of a script that has them
    asks                  share of the answers, and of all queries, that end in a question mark
    """
    random = np.random.default_rng(seed)
    typical, rare = typicality([*read.answers, *read.queries])
    kinds = {"answer": (np.arange(len(read.answers)), read.answers)}
    kinds |= {kind: (rows + len(read.answers), [read.queries[i] for i in rows]) for kind, rows in read.kinds.items()}
    found: list[Figure] = []
    garbled: dict[int, str] = {}
    for kind, (rows, texts) in kinds.items():
        chosen = spread(len(texts), TEXTS)
        own = [texts[i][:CHARACTERS] for i in chosen]
        # Written together, or in syllables, "words" are something else than between spaces.
        words = [text.split() for text in own if not is_unspaced(text)]
        if sum(map(len, words)) >= FEWEST_WORDS:
            found.append(("letters", kind, letters(words, random), len(own), shown(own[0])))
            # Two or three words are in no order.
            if np.median([*map(len, words)]) >= FEWEST_IN_ORDER:
                found.append(("word_order", kind, word_order(words, random), len(own), shown(own[0])))
        flags = {
            "replaced": [i for i, text in enumerate(texts) if is_replaced(text)],
            "run_together": [i for i, text in enumerate(texts) if is_run_together(text)],
            "atypical": [i for i in range(len(texts)) if rare[rows[i]] < typical - ATYPICAL],
        }
        if not _is_random([texts[i].split() for i in flags["atypical"]], random):
            flags["atypical"] = []
        for name, marked in flags.items():
            example = shown(texts[marked[0]]) if marked else ""
            found.append((name, kind, len(marked) / max(len(texts), 1), len(texts), example))
            garbled |= {int(rows[i]): name.replace("_", " ") for i in marked}
        whole = [texts[i] for i in chosen]
        marks = [sum(map(len, MARKUP.findall(text))) for text in whole]
        most = whole[int(np.argmax(marks))] if whole else ""
        length = sum(map(len, whole))
        found.append(("markup", kind, sum(marks) / max(length, 1), len(whole), shown(most) if any(marks) else ""))
        found.append(("capitals", kind, capitals(own), len(own), ""))
    for kind, texts in (("answer", read.answers), ("query", read.queries)):
        found.append(("asks", kind, sum(map(bool, map(ASKING.search, texts))) / max(len(texts), 1), len(texts), ""))
    n = len(read.answers)
    return found, [
        ("", read.answer_id(row), "", why) if row < n else (read.query_id(row - n), "", "", why)
        for row, why in sorted(garbled.items())
    ]


def is_replaced(text: str) -> bool:
    if len(CONTROL.findall(text)) >= 2:
        return True
    if text.isascii():
        return "?" in text and len(LOST_CHARACTER.findall(URL.sub("", text))) >= 2
    return MOJIBAKE.search(text) is not None


def is_unspaced(text: str) -> bool:
    return not text.isascii() and UNSPACED.search(text) is not None


def is_run_together(text: str) -> bool:
    """Most of its letters stand in words too long to be one; scripts without spaces and addresses do not count."""
    if len(text) < RUN_TOGETHER or not LONG.search(text) or is_unspaced(text):
        return False
    parts = URL.sub("", text).split()
    return sum(len(part) for part in parts if len(part) >= RUN_TOGETHER) > MOST * sum(map(len, parts))


def letters(texts: Sequence[Sequence[str]], random: np.random.Generator) -> float:
    """Different groups of three letters within words, over as many after each word's letters are shuffled."""
    words = [word.lower() for text in texts for word in text if len(word) >= 3]
    if len(words) > MOST_WORDS:
        words = [words[i] for i in random.choice(len(words), MOST_WORDS, replace=False)]
    word_C = np.repeat(np.arange(len(words)), list(map(len, words)))
    own_C = _codes("".join(words))
    mixed_C = own_C[np.lexsort((random.random(len(own_C)), word_C))]
    is_within = word_C[2:] == word_C[:-2]
    own, other = (len(np.unique(_groups(code_C)[is_within])) for code_C in (own_C, mixed_C))
    return own / max(other, 1)


def word_order(texts: Sequence[Sequence[str]], random: np.random.Generator) -> float:
    """Different pairs of neighbouring words, over as many after each text's words are shuffled."""
    numbers: dict[str, int] = {}
    own_W = np.array([numbers.setdefault(word.lower(), len(numbers)) for text in texts for word in text], dtype=int)
    text_W = np.repeat(np.arange(len(texts)), list(map(len, texts)))
    mixed_W = own_W[np.lexsort((random.random(len(own_W)), text_W))]
    is_within = text_W[1:] == text_W[:-1]
    own, other = (len(np.unique((word_W[:-1] * len(numbers) + word_W[1:])[is_within])) for word_W in (own_W, mixed_W))
    return own / max(other, 1)


def _is_random(texts: Sequence[Sequence[str]], random: np.random.Generator) -> bool:
    """Whether the letters of texts are in any order: another language has an order of its own."""
    return sum(len(word) for text in texts for word in text) >= 500 and letters(texts, random) >= 0.85


def typicality(texts: Sequence[str]) -> tuple[float, np.ndarray]:
    """Median, and (N,): mean log2 of the share of the texts that have a text's groups of three characters; or NaN."""
    begun = [text[:CHARACTERS].lower() for text in texts]
    code_C = _codes("".join(begun))
    # Numbered from 0, three letters of an alphabet are few enough to be counted in a table.
    is_there = np.bincount(code_C, minlength=1) > 0
    group_C = _groups((np.cumsum(is_there) - 1)[code_C], letters := int(is_there.sum()))
    stops = np.cumsum([len(text) for text in begun])
    own = [np.unique(group_C[stop - len(text) : max(stop - 2, 0)]) for text, stop in zip(begun, stops, strict=True)]
    flat = np.concatenate([np.zeros(0, dtype=np.int64), *own])
    place = flat if letters**3 <= FEW_GROUPS else np.unique(flat, return_inverse=True)[1]
    rarity = np.log2((np.bincount(place)[place] - 0.5) / max(len(texts), 1))
    total = np.concatenate([[0.0], np.cumsum(rarity)])
    ends = np.cumsum([len(part) for part in own])
    starts = ends - [len(part) for part in own]
    with np.errstate(invalid="ignore"):
        mean_N = (total[ends] - total[starts]) / (ends - starts)
    return (float(np.nanmedian(mean_N)) if np.isfinite(mean_N).any() else 0.0), mean_N


def _codes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)


def _groups(code_C: np.ndarray, codes: int = 2**21) -> np.ndarray:
    """Each three characters that follow each other, as a number; `codes`: how many there are, at most."""
    return (code_C[:-2] * codes + code_C[1:-1]) * codes + code_C[2:]


def capitals(texts: Sequence[str]) -> float:
    text = "".join(texts)
    large, small = sum(map(str.isupper, text)), sum(map(str.islower, text))
    return large / max(large + small, 1)
