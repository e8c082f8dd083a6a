"""Many texts by what stands between their spaces: a large set has few different parts, and each is worked on once.

Shapes: N texts · P parts of all texts, in order · D different parts · V values of a part, such as its words, of all
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Texts that are worked on at once: bounds memory.
_BLOCK = 5_000


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
        size, values, counts, lengths = int(self.value_V.max(initial=0)) + 1, [], [], []
        for block in self.blocks():
            n = len(block.start_N) - 1
            # Text and value as one number, which numpy sorts in a tenth of the time of a pair.
            place_V = np.repeat(np.arange(n) * size, np.diff(block.start_N)) + block.value_V
            place_V.sort()
            begin = np.flatnonzero(np.diff(place_V, prepend=-1))
            text_U, value_U = np.divmod(place_V[begin], size)
            values.append(value_U.astype(np.int32))
            counts.append(np.diff(begin, append=len(place_V)))
            lengths.append(np.bincount(text_U, minlength=n))
        nothing = np.zeros(0, dtype=np.int64)
        start_N = np.concatenate([[0], *lengths]).cumsum()
        return Ragged(np.concatenate([nothing.astype(np.int32), *values]), start_N), np.concatenate([nothing, *counts])

    def lists(self, name: np.ndarray | None = None) -> list[list]:
        """The values of each text, or what `name` calls them."""
        flat = (self.value_V if name is None else name[self.value_V]).tolist()
        start_N = self.start_N.tolist()
        return [flat[start:stop] for start, stop in pairwise(start_N)]


def spaced(texts: Sequence[str]) -> Spaced:
    """Split texts at each space (U+0020, no other); the last four sets of texts are remembered."""
    return _spaced(tuple(texts))


# Stages count, cut and compare the same texts one after the other.
@lru_cache(maxsize=4)
def _spaced(texts: tuple[str, ...]) -> Spaced:
    starts = range(0, len(texts), _BLOCK)
    blocks = [pc.split_pattern(pa.array(texts[start : start + _BLOCK], pa.large_string()), " ") for start in starts]
    length_N = [pc.list_value_length(block).to_numpy() for block in blocks]
    parts = pa.chunked_array([block.flatten() for block in blocks], pa.large_string())
    numbered = parts.combine_chunks().dictionary_encode()
    start_N = np.concatenate([[0], *length_N]).cumsum()
    return Spaced(numbered.dictionary.to_pylist(), numbered.indices.to_numpy(), start_N)


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
    """The different words that `split` makes of texts, in the order of their appearance in it, and those of each text.

    Of an ASCII text `split` must give the words of its parts one after the other, as a regular expression does whose
    matches hold no space; a text with other characters is split as a whole.
    """
    number_of: dict[str, int] = {}

    def numbers(text: str) -> list[int]:
        return [number_of.setdefault(word, len(number_of)) for word in split(text)]

    # Other texts are one part each, whose letters may change what is read of those beside them.
    parts = spaced([text if text.isascii() else "" for text in texts])
    found = of_each(parts, [numbers(part) for part in parts.different])
    others = [row for row, text in enumerate(texts) if not text.isascii()]
    if others:
        found = _with_rows(found, others, [numbers(texts[row]) for row in others])
    return list(number_of), found


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
