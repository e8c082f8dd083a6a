"""Many texts by what stands between their spaces: a large set has few different parts, and each is worked on once.

Shapes: N texts · P parts of all texts, in order · D different parts · V values of a part, such as its words, of all
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, compress, pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Texts that are worked on, that are split and whose parts are numbered at once: bounds memory.
_BLOCK, _SPLIT, _NUMBERED = 1_000, 5_000, 50_000
# Parts of remembered texts, 4 bytes each, from which they are forgotten.
_MOST = 100_000_000
# Stages count, cut and compare the same texts one after the other: number of each part, and those of each text.
_number_of: dict[str, int] = {}
_parts_of: dict[str, np.ndarray] = {}


class Spaced(NamedTuple):
    """different   the D parts that there are, between single spaces; an empty one where two spaces meet
    part_P      number of each part, int32
    start_N     (N + 1,) where each text begins among the parts
    """

    different: list[str]
    part_P: np.ndarray
    start_N: np.ndarray


class Ragged(NamedTuple):
    """Values of each text, end to end: those of text i are `value_V[start_N[i] : start_N[i + 1]]`."""

    value_V: np.ndarray
    start_N: np.ndarray

    def blocks(self) -> Iterator["Ragged"]:
        """The same, some texts at a time."""
        for start in range(0, len(self.start_N) - 1, _BLOCK):
            start_B = self.start_N[start : start + _BLOCK + 1]
            yield Ragged(self.value_V[start_B[0] : start_B[-1]], start_B - start_B[0])

    def of_rows(self, row_N: np.ndarray) -> "Ragged":
        """Those of some texts, by their numbers in order."""
        length_N = np.diff(self.start_N)
        is_there = np.zeros(len(length_N), dtype=bool)
        is_there[row_N] = True
        start_N = np.concatenate([[0], np.cumsum(length_N[row_N])])
        return Ragged(self.value_V[np.repeat(is_there, length_N)], start_N)

    def sets(self) -> "Ragged":
        """The different values of each text, the smallest first."""
        return self.counted()[0]

    def counted(self) -> tuple["Ragged", np.ndarray]:
        """`sets`, and how often each of their values stands in its text."""
        bits, values, counts, lengths = int(self.value_V.max(initial=0)).bit_length(), [], [], []
        for block in self.blocks():
            n = len(block.start_N) - 1
            # Text and value as one number, which numpy sorts in a tenth of the time of a pair.
            begin_N = np.arange(0, n << bits, 1 << bits, dtype=np.int32 if n << bits < 2**31 else np.int64)
            place_V = np.repeat(begin_N, np.diff(block.start_N)) + block.value_V
            place_V.sort()
            begin = np.flatnonzero(np.diff(place_V, prepend=-1))
            place_U = place_V[begin]
            values.append((place_U & ((1 << bits) - 1)).astype(np.int32))
            counts.append(np.diff(begin, append=len(place_V)))
            lengths.append(np.bincount(place_U >> bits, minlength=n))
        nothing = np.zeros(0, dtype=np.int64)
        start_N = np.concatenate([[0], *lengths]).cumsum()
        return Ragged(np.concatenate([nothing.astype(np.int32), *values]), start_N), np.concatenate([nothing, *counts])

    def lists(self, name: np.ndarray | None = None) -> list[list]:
        """The values of each text, or what `name` calls them."""
        flat = (self.value_V if name is None else name[self.value_V]).tolist()
        start_N = self.start_N.tolist()
        return [flat[start:stop] for start, stop in pairwise(start_N)]


def spaced(texts: Sequence[str]) -> Spaced:
    """Split texts at each space (U+0020, no other), and remember them: none is split twice."""
    return _spaced(tuple(texts))


@lru_cache(maxsize=2)
def _spaced(texts: tuple[str, ...]) -> Spaced:
    if sum(map(len, _parts_of.values())) > _MOST:
        _parts_of.clear()
        _number_of.clear()
    new = [text for text in dict.fromkeys(texts) if text not in _parts_of]
    for start in range(0, len(new), _NUMBERED):
        _remember(new[start : start + _NUMBERED])
    found = [_parts_of[text] for text in texts]
    start_N = np.cumsum([0, *map(len, found)])
    blocks = [found[start : start + _BLOCK] for start in range(0, len(found), _BLOCK)]
    # Of all parts that are remembered, those of these texts.
    is_used = np.zeros(len(_number_of), dtype=bool)
    for block in blocks:
        is_used[np.concatenate(block)] = True
    number, nothing = np.cumsum(is_used, dtype=np.int32) - 1, np.zeros(0, dtype=np.int32)
    part_P = np.concatenate([nothing, *(number[np.concatenate(block)] for block in blocks)])
    return Spaced(list(compress(_number_of, is_used.tolist())), part_P, start_N)


def _remember(texts: Sequence[str]) -> None:
    blocks = [texts[start : start + _SPLIT] for start in range(0, len(texts), _SPLIT)]
    split = [pc.split_pattern(pa.array(block, pa.large_string()), " ") for block in blocks]
    numbered = pa.chunked_array([block.flatten() for block in split]).dictionary_encode()
    different = numbered.chunk(0).dictionary.to_pylist()  # that of all chunks
    number = np.array([_number_of.setdefault(part, len(_number_of)) for part in different], dtype=np.int32)
    for block, parts, found in zip(blocks, split, numbered.chunks, strict=True):
        part_P, spans = number[found.indices.to_numpy()], pairwise(parts.offsets.to_numpy().tolist())
        _parts_of.update((text, part_P[start:stop]) for text, (start, stop) in zip(block, spans, strict=True))


def sums(parts: Spaced, value_D: np.ndarray) -> np.ndarray:
    """(N,) sum of a value of each different part over the parts of each text."""
    # Every text has a part, if an empty one.
    found = [np.add.reduceat(value_D[part_B], start_B) for part_B, start_B in _blocks(parts)]
    return np.concatenate([np.zeros(0, dtype=np.int64), *found])


def of_each(parts: Spaced, values_D: Sequence[Sequence[int]]) -> Ragged:
    """The values of the parts of each text, end to end. values_D   of each different part, any number of them; int32"""
    length_D = np.array(list(map(len, values_D)), dtype=np.int64)
    begin_D = np.cumsum(length_D) - length_D
    flat = np.fromiter(chain.from_iterable(values_D), dtype=np.int32, count=int(length_D.sum()))
    start_N = np.concatenate([[0], np.cumsum(sums(parts, length_D))])
    found, filled = np.empty(int(start_N[-1]), dtype=np.int32), 0
    for part_B, _ in _blocks(parts):
        own_B = length_D[part_B]
        ends = np.cumsum(own_B)
        place_V = np.repeat(begin_D[part_B] - (ends - own_B), own_B) + np.arange(int(own_B.sum()))
        found[filled : filled + len(place_V)] = flat[place_V]
        filled += len(place_V)
    return Ragged(found, start_N)


def _blocks(parts: Spaced) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The parts of some texts, and where each of these begins among them."""
    for start in range(0, len(parts.start_N) - 1, _BLOCK):
        start_B = parts.start_N[start : start + _BLOCK + 1]
        yield parts.part_P[start_B[0] : start_B[-1]], start_B[:-1] - start_B[0]


def coded(texts: Sequence[str], split: Callable[[str], Sequence[str]]) -> tuple[list[str], Ragged]:
    """The different words that `split` makes of texts, sorted, and those of each text as numbers of them.

    Of an ASCII text `split` must give the words of its parts one after the other, as a regular expression does whose
    matches hold no space; a text with other characters is split as a whole.
    """
    number_of: dict[str, int] = {}

    def numbers(text: str) -> list[int]:
        return [number_of.setdefault(word, len(number_of)) for word in split(text)]

    # Other texts are one part each, whose letters may change what is read of those beside them.
    parts = spaced([text if text.isascii() else "" for text in texts])
    others = [row for row, text in enumerate(texts) if not text.isascii()]
    found_D, found_O = list(map(numbers, parts.different)), [numbers(texts[row]) for row in others]
    words, known = sorted(number_of), list(number_of)
    place_of = {word: place for place, word in enumerate(words)}
    rank = [place_of[word] for word in known]
    # Here, where a part stands once, and not for every word of the texts.
    ranked_D, ranked_O = ([[rank[number] for number in row] for row in rows] for rows in (found_D, found_O))
    found = of_each(parts, ranked_D)
    return words, _with_rows(found, others, ranked_O) if others else found


def _with_rows(found: Ragged, rows: Sequence[int], values: Sequence[Sequence[int]]) -> Ragged:
    """The same, with these values in rows that had none."""
    length_N = np.diff(found.start_N)
    length_N[list(rows)] = list(map(len, values))
    is_other_V = np.zeros(len(length_N), dtype=bool)
    is_other_V[list(rows)] = True
    is_other_V = np.repeat(is_other_V, length_N)
    value_V = np.empty(len(is_other_V), dtype=np.int32)
    value_V[~is_other_V] = found.value_V
    value_V[is_other_V] = np.fromiter(chain.from_iterable(values), dtype=np.int32)
    return Ragged(value_V, np.concatenate([[0], np.cumsum(length_N)]))
