"""Whether letters and words stand in the order of a language, by what the other side (queries, answers) writes.

Shapes: N characters · V different ones · W different words · P pairs of neighbouring words
"""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from whyrank.preflight.figures.texts.read import Figure, Read, Row, shown, spread

# Texts of a side, characters and words of each that are looked at.
TEXTS, CHARACTERS, WORDS = 1000, 400, 150
# Different characters; all others count as one.
ALPHABET = 96
# Contexts that a group of characters needs until it is believed more than the shorter one.
PRIOR = 5.0
# Bits by which two characters help to guess the next one. Of real texts 0.8 to 1.4 in the mean, and 1 % below -0.8;
# letters spaced out, base64 and look-alikes of another alphabet have -2.5 to -4.
UNLIKE = -2.0
FEWEST_CHARACTERS = 20
# Different groups of three of the other side that teach what follows what: a template has few.
FEWEST_GROUPS = 1000
SIGN = re.compile(r"[!-@\[-`{-~]")
# Words of a side whose order is compared, and pairs of them of which one counts as known.
COMMON, BELIEVED = 100, 2.0
MIXINGS = 3
# Such pairs of a text from which its own order says something.
FEWEST_PAIRS = 10
# Bits above chance that are no order yet: no real text of so many pairs has less.
LITTLE = 0.2
# Pairs of different words of a text from which their order says something, and the share of them that is no chance.
ORDERED, FEWEST_ORDERED = 0.9, 12


def figures(read: Read, seed: int) -> tuple[list[Figure], list[Row]]:
    """By kind of text, and the rows of those out of order.

    unlike         share of the texts whose characters follow each other as the other side's do not, see `UNLIKE`
    alphabetical   share of the texts whose words stand in the order of the alphabet, or against it
    letterless     share of the texts of which more than half are ASCII digits and signs
    unordered      share of the texts with enough pairs whose neighbours are less usual than in shuffled texts
    word_order_shared   bits by which neighbouring words are usual neighbours on the other side, less the same of
                   shuffled texts: 0 of words in any order; `texts` is how many pairs; `common_pairs` the share of all
                   pairs that they are. Of queries in kind `query`: the same between questions and conversations
    """
    random = np.random.default_rng(seed)
    groups = {"answer": (np.arange(len(read.answers)), read.answers, read.answer_words)}
    for kind, rows in read.kinds.items():
        groups[kind] = rows, [read.queries[i] for i in rows], [read.query_words[i] for i in rows]
    sides = {"answer": (read.answers, read.answer_words), "query": (read.queries, read.query_words)}
    guesses = {side: Guess(_some(texts)) for side, (texts, _) in sides.items()}
    orders = {side: Order(_some(words), random) for side, (_, words) in sides.items()}
    found: list[Figure] = []
    marked: dict[tuple[str, int], str] = {}
    for kind, (rows, texts, words) in groups.items():
        other = "query" if kind == "answer" else "answer"
        for name, test in _tests(texts, words, guesses[other]).items():
            looked = spread(len(texts), TEXTS)
            is_one = test(looked)
            if is_one.any() and len(looked) < len(texts):
                looked = np.arange(len(texts))
                is_one = test(looked)
            of_name = looked[is_one].tolist()
            found.append((name, kind, len(of_name) / max(len(looked), 1), len(looked), _first(texts, of_name)))
            marked |= {(other, int(rows[i])): name for i in of_name}
        found += orders[other].figures(kind, _some(words), _first(texts, [0]))
    if len(read.kinds) > 1:
        question, conversation = (groups[kind][2] for kind in read.kinds)
        found += Order(_some(conversation), random).figures("query", _some(question))
    return found, [
        ("", read.answer_id(row), "", why) if other == "query" else (read.query_id(row), "", "", why)
        for (other, row), why in marked.items()
    ]


def _tests(
    texts: Sequence[str], words: Sequence[Sequence[str]], guess: "Guess"
) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """By figure, what tells of rows of texts whether each is out of order."""
    return {
        "unlike": lambda rows: guess.bits([texts[i] for i in rows]) < UNLIKE,
        "alphabetical": lambda rows: np.array([is_sorted(words[i]) for i in rows], dtype=bool),
        "letterless": lambda rows: np.array([is_letterless(texts[i]) for i in rows], dtype=bool),
    }


def _some(texts: Sequence[Any]) -> list[Any]:
    return [texts[i] for i in spread(len(texts), TEXTS)]


def _first(texts: Sequence[str], rows: Sequence[int]) -> str:
    return shown(texts[rows[0]]) if rows else ""


def is_sorted(words: Sequence[str]) -> bool:
    begun = words[:WORDS]
    rises = [one < other for one, other in itertools.pairwise(begun) if one != other]
    return len(rises) >= FEWEST_ORDERED and not 1 - ORDERED < sum(rises) / len(rises) < ORDERED


def is_letterless(text: str) -> bool:
    begun = "".join(text[:CHARACTERS].split())
    return len(begun) >= FEWEST_CHARACTERS and 2 * len(SIGN.findall(begun)) > len(begun)


class Guess:
    """Learn which character follows two others; then how much it helps."""

    def __init__(self, texts: Sequence[str]) -> None:
        code_N = _codes("".join(map(_line, texts)))
        seen, count = np.unique(code_N, return_counts=True)
        self.known = np.sort(seen[np.argsort(-count, kind="stable")[: ALPHABET - 1]])
        own_N = self._numbers(code_N)
        # What a text repeats counts once, so that a template is no language.
        text_N = np.repeat(np.arange(len(texts)), [len(_line(text)) for text in texts])
        group_N = (own_N[:-2] * ALPHABET + own_N[1:-1]) * ALPHABET + own_N[2:]
        group = np.unique(text_N[2:] * ALPHABET**3 + group_N) % ALPHABET**3
        count_VVV = np.bincount(group, minlength=ALPHABET**3).reshape(ALPHABET, ALPHABET, ALPHABET).astype(float)
        count_VV = np.bincount(own_N[:-1] * ALPHABET + own_N[1:], minlength=ALPHABET**2).reshape(ALPHABET, ALPHABET)
        one_V = (np.bincount(own_N, minlength=ALPHABET) + 0.5) / (len(own_N) + ALPHABET / 2)
        two_VV = (count_VV + PRIOR * one_V) / (count_VV.sum(axis=1, keepdims=True) + PRIOR)
        three_VVV = (count_VVV + PRIOR * two_VV) / (count_VVV.sum(axis=2, keepdims=True) + PRIOR)
        is_enough = len(np.unique(group)) >= FEWEST_GROUPS
        self.bits_VVV = np.log2(three_VVV / one_V) if is_enough else np.zeros_like(three_VVV)

    def bits(self, texts: Sequence[str]) -> np.ndarray:
        """(N,) by which two characters help to guess the next one, mean of each text; 0 of short ones."""
        lines = list(map(_line, texts))
        stop_N = np.cumsum([len(line) for line in lines])
        own_N = self._numbers(_codes("".join(lines)))
        total = np.concatenate([[0.0], np.cumsum(self.bits_VVV[own_N[:-2], own_N[1:-1], own_N[2:]])])
        start_N = stop_N - [len(line) for line in lines]
        count_N = np.maximum(stop_N - start_N - 2, 0)
        total_N = total[np.minimum(start_N + count_N, len(total) - 1)] - total[np.minimum(start_N, len(total) - 1)]
        return np.where(count_N >= FEWEST_CHARACTERS, total_N / np.maximum(count_N, 1), 0.0)

    def _numbers(self, code_N: np.ndarray) -> np.ndarray:
        place_N = np.minimum(np.searchsorted(self.known, code_N), len(self.known) - 1)
        return np.where(self.known[place_N] == code_N, place_N, ALPHABET - 1)


class Order:
    """What the frequent words of some texts are usual neighbours of."""

    def __init__(self, texts: Sequence[Sequence[str]], random: np.random.Generator) -> None:
        counted = Counter(word for text in texts for word in text[:WORDS])
        self.number = {word: i for i, (word, _) in enumerate(counted.most_common(COMMON))}
        self.random = random
        real_P, *mixed = (pair_P for pair_P, _ in self._pairs(texts))
        real_WW = np.bincount(real_P, minlength=COMMON**2)
        mixed_WW = np.bincount(np.concatenate(mixed), minlength=COMMON**2) / MIXINGS
        self.bits_WW = np.log2((real_WW + BELIEVED) / (mixed_WW + BELIEVED))

    def figures(self, kind: str, texts: Sequence[Sequence[str]], example: str = "") -> list[Figure]:
        """`word_order_shared`, `common_pairs` and `unordered`, see `figures`."""
        (real_P, text_P), *mixed = self._pairs(texts)
        mixed_P = np.concatenate([pair_P for pair_P, _ in mixed])
        chance = float(self.bits_WW[mixed_P].mean()) if len(mixed_P) else 0.0
        bits = float(self.bits_WW[real_P].mean()) - chance if len(real_P) else 0.0
        share = len(real_P) / max(sum(len(text[:WORDS]) - 1 for text in texts if text), 1)
        count_N = np.bincount(text_P, minlength=len(texts))
        total_N = np.bincount(text_P, weights=self.bits_WW[real_P], minlength=len(texts))
        known = np.flatnonzero(count_N >= FEWEST_PAIRS)
        below = total_N[known] / count_N[known] <= chance + LITTLE
        first = shown(" ".join(texts[known[below][0]])) if below.any() else ""
        return [
            ("word_order_shared", kind, bits, len(real_P), example),
            ("common_pairs", kind, share, len(real_P), ""),
            ("unordered", kind, float(below.mean()) if len(known) else 0.0, len(known), first),
        ]

    def _pairs(self, texts: Sequence[Sequence[str]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(P,) frequent words that are neighbours, as a number, and their text: as they stand, then shuffled."""
        begun = [text[:WORDS] for text in texts]
        own_N = np.array([self.number.get(word, -1) for text in begun for word in text], dtype=np.int64)
        text_N = np.repeat(np.arange(len(begun)), list(map(len, begun)))
        for mixing in range(MIXINGS + 1):
            order_N = np.lexsort((self.random.random(len(own_N)), text_N)) if mixing else np.arange(len(own_N))
            word_N = own_N[order_N]
            is_pair = (text_N[1:] == text_N[:-1]) & (word_N[1:] >= 0) & (word_N[:-1] >= 0)
            yield (word_N[:-1] * COMMON + word_N[1:])[is_pair], text_N[1:][is_pair]


def _line(text: str) -> str:
    return f" {' '.join(text[:CHARACTERS].lower().split())} "


def _codes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
