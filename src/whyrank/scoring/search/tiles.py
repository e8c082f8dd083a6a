"""Places and best answers of queries whose scores come in tiles: the score matrix is never held as a whole.

Scores are equal that are rounded to the same multiple (their level) of `TIE` times the largest magnitude of their
query. `Count` knows these magnitudes and the scores of the relevant answers beforehand, and reads each tile once.

Shapes: Q queries · A answers · R queries of a tile · B answers of a tile · P relevant pairs · K answers kept
        N relevant pairs whose answer is in a tile
"""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, NoReturn, Protocol, runtime_checkable

import numpy as np

from whyrank.core.errors import UserError
from whyrank.measure.metrics.locating import Floats, Ints, count
from whyrank.scoring.search.running_topk import Best, answers, values

# float32 sums of the same vectors differ by as much when a matrix product is blocked another way, and a collapsed
# encoder must come out as tied, not as sorted by rounding.
TIE = 2.0**-20
# 16 MB of float32 scores: a product of full speed, which the processor's cache still holds when it is read.
ROWS, COLUMNS = 512, 8192
# Rows that one thread reads. As many threads as a matrix product takes: who limits those, limits these.
PART = 64
THREADS = int(os.environ.get("OMP_NUM_THREADS", "").split(",")[0] or os.cpu_count() or 1)


class Tile(NamedTuple):
    rows: slice  # of the queries
    first: int  # answer of the first column
    score_RB: np.ndarray  # may be overwritten when the next tile is asked for


class Pairs(NamedTuple):
    """Relevant pairs, in the order of the queries."""

    query_P: Ints  # row among the queries that are scored
    answer_P: Ints

    def of(self, rows: slice) -> slice:
        """The pairs of some queries."""
        return slice(*np.searchsorted(self.query_P, [rows.start, rows.stop]))

    def within(self, rows: slice, first: int, width: int) -> tuple[Ints, Ints, Ints]:
        """Pairs whose score a tile holds, with its row and column in the tile: (N,) each."""
        of = self.of(rows)
        column_P = self.answer_P[of] - first
        inside_N = np.flatnonzero((column_P >= 0) & (column_P < width))
        return of.start + inside_N, self.query_P[of][inside_N] - rows.start, column_P[inside_N]


class TileReader(Protocol):
    """Something that reads tiles; different rows at the same time."""

    def add(self, rows: slice, first: int, score_RB: np.ndarray) -> None: ...


@runtime_checkable
class Tiled(Protocol):
    """A score that need not be computed for all answers at once."""

    n_answers: int

    def tiles(self, query_Q: np.ndarray) -> Iterator[Tile]:
        """float32 scores of queries (row numbers) and all answers; those of one query in the order of the answers."""

    def pairs(self, query_P: np.ndarray, answer_P: np.ndarray) -> Floats:
        """(P,) scores of single pairs, the same as in the tiles but for rounding."""

    def bounds(self, query_Q: np.ndarray) -> Floats:
        """(Q,) what no magnitude of a score of the query exceeds."""


class Found(NamedTuple):
    """Scores are rounded to levels, float64."""

    above_P: Ints  # answers that score strictly higher
    tied_P: Ints  # answers with the same score, itself included
    own_P: Floats
    answer_QK: Ints  # best first, ties in the order of the corpus
    score_QK: Floats


def cuts(length: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def largest(score_QA: np.ndarray) -> np.ndarray:
    """(Q,) largest magnitudes; NaN where a score is."""
    return np.maximum(score_QA.max(axis=1), -score_QA.min(axis=1))


def refuse(row: int, candidate: int) -> NoReturn:
    raise UserError(
        f"the score of query row {row} and candidate {candidate} is not finite: cannot be ranked; numbers of 16 bits "
        "overflow (encoder.precision=fp32, or another `store`), else bring the weights of a sound training"
    )


def steps(largest_Q: np.ndarray) -> Floats:
    """(Q,) distance of two levels."""
    return TIE * np.maximum(largest_Q.astype(np.float64), np.finfo(np.float32).tiny)


def levels(score: np.ndarray, step: Floats) -> np.ndarray:
    """Whole numbers up to 2^20, which float32 holds."""
    # Adding zero turns -0.0 into 0.0, so that equal scores are also written alike.
    return (np.rint(score / step) + 0.0).astype(np.float32)


def listed(key_QW: Ints, keep: int, step_Q: Floats) -> tuple[Ints, Floats]:
    """The best answers and their scores, from keys of levels: (Q, K) each."""
    key_QK = np.sort(key_QW, axis=1)[:, : -keep - 1 : -1]
    return answers(key_QK), values(key_QK) * step_Q[:, None]


class Count:
    def __init__(self, pairs: Pairs, own_P: np.ndarray, largest_Q: np.ndarray, keep: int) -> None:
        self.pairs, self.step_Q, self.keep = pairs, steps(largest_Q), keep
        self.own_P = levels(own_P, self.step_Q[pairs.query_P])
        self.above_P, self.tied_P = np.zeros_like(pairs.query_P), np.zeros_like(pairs.query_P)
        self.best = Best(len(largest_Q), keep)

    def add(self, rows: slice, first: int, score_RB: np.ndarray) -> None:
        level_RB = levels(score_RB, self.step_Q[rows, None])
        # A product of other rows may round these scores another way, and none may miss its own tie.
        pair_N, row_N, column_N = self.pairs.within(rows, first, score_RB.shape[1])
        level_RB[row_N, column_N] = self.own_P[pair_N]
        of = self.pairs.of(rows)
        row_P = self.pairs.query_P[of] - rows.start
        self.above_P[of] += count(np.greater, level_RB, row_P, self.own_P[of])
        self.tied_P[of] += count(np.equal, level_RB, row_P, self.own_P[of])
        self.best.add(rows, first, level_RB)

    def settle(self) -> Found:
        own_P = self.own_P * self.step_Q[self.pairs.query_P]
        return Found(self.above_P, self.tied_P, own_P, *listed(self.best.key_QW, self.keep, self.step_Q))


def sweep(reader: TileReader, tiles: Iterable[Tile]) -> None:
    """Show every tile to `reader`, its rows spread over threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        for rows, first, score_RB in tiles:
            parts = cuts(len(score_RB), PART)
            parts_of_rows = [slice(rows.start + part.start, rows.start + part.stop) for part in parts]
            # The list is made for its exceptions, and so that the tile may be overwritten.
            list(pool.map(reader.add, parts_of_rows, [first] * len(parts), [score_RB[part] for part in parts]))


def find_in_rows(score_QA: np.ndarray, pairs: Pairs, keep: int) -> Found:
    """Places and best answers of queries whose scores are at hand. Raises UserError on one that is not finite."""
    queries, candidates = score_QA.shape
    largest_Q = largest(score_QA)
    if not np.isfinite(largest_Q).all():
        refuse(*np.argwhere(~np.isfinite(score_QA))[0])
    reader = Count(pairs, score_QA[pairs.query_P, pairs.answer_P], largest_Q, keep)
    tiles = (
        Tile(rows, columns.start, score_QA[rows, columns])
        for rows in cuts(queries, ROWS)
        for columns in cuts(candidates, COLUMNS)
    )
    sweep(reader, tiles)
    return reader.settle()
