"""The best answers of queries while their scores come block by block: a running top-k, ties in the order of the corpus.

Shapes: Q queries · R queries of a block · B answers of a block · W answers held · K answers listed
        C candidates of a block · H rows of a block that have a candidate · X answers held and candidates
"""

import numpy as np

from whyrank.measure.metrics.locating import Ints

ANSWERS = 2**32  # more than a corpus may have


class Best:
    """The `width` largest float32 values of each query so far, of equal ones those of earlier answers.

    They are held as keys, in no order. Blocks of one query come in the order of the answers; those of different queries
    may be added by different threads.
    """

    def __init__(self, queries: int, width: int) -> None:
        nothing = keys(np.array(-np.inf, dtype=np.float32), np.array(0))
        self.key_QW = np.full((queries, width), nothing)
        self.least_Q = np.full(queries, -np.inf, dtype=np.float32)

    def add(self, rows: slice, first: int, value_RB: np.ndarray) -> None:
        """Values of the queries `rows` for the answers from `first` on."""
        if first == 0:
            every_R, answer_B = np.arange(rows.start, rows.stop), np.arange(value_RB.shape[1])
            self._hold(every_R, keys(value_RB, answer_B))
            return
        row_C, column_C = np.divmod(np.flatnonzero(value_RB > self.least_Q[rows, None]), value_RB.shape[1])
        if len(row_C):
            candidates_R = np.bincount(row_C, minlength=len(value_RB))
            start_R = np.cumsum(candidates_R) - candidates_R
            h_R = np.cumsum(candidates_R > 0) - 1
            row_H = rows.start + np.flatnonzero(candidates_R)
            key_HX = np.full((len(row_H), candidates_R.max()), np.iinfo(np.int64).min)
            key_HX[h_R[row_C], np.arange(len(row_C)) - start_R[row_C]] = keys(
                value_RB[row_C, column_C], first + column_C
            )
            self._hold(row_H, key_HX)

    def _hold(self, row_H: Ints, new_HX: Ints) -> None:
        width = self.key_QW.shape[1]
        key_HX = np.concatenate([self.key_QW[row_H], new_HX], axis=1)
        key_HX.partition(key_HX.shape[1] - width, axis=1)
        self.key_QW[row_H] = key_HX[:, -width:]
        self.least_Q[row_H] = values(key_HX[:, -width])


def keys(value: np.ndarray, answer: Ints) -> Ints:
    """float32 values and places in the corpus as whole numbers that sort by both, the earlier place above."""
    return (_in_order(value.view(np.int32)).astype(np.int64) << 32) + (ANSWERS - 1 - answer)


def values(key: Ints) -> np.ndarray:
    return _in_order((key >> 32).astype(np.int32)).view(np.float32)


def answers(key: Ints) -> Ints:
    return ANSWERS - 1 - (key & (ANSWERS - 1))


def _in_order(bits: np.ndarray) -> np.ndarray:
    """The bits of float32 values as numbers in the order of the values, and back: all but the sign of a negative one
    are turned over."""
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)
