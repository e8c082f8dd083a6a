"""Where relevant answers stand among all candidates, counted without sorting.

Shapes: Q queries · A candidates · P relevant (query, answer) pairs
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BLOCK_BYTES = 2**26


def locate(scores_QA: np.ndarray, query_P: npt.ArrayLike, answer_P: npt.ArrayLike) -> tuple[Ints, Ints]:
    """Where each relevant answer stands among all candidates of its query.

    scores_QA   (Q, A) float32 or float64, higher is better; compared in their own precision
    query_P     (P,) row of each relevant pair
    answer_P    (P,) column of each relevant pair; a pair stands once
    Returns above_P (candidates that score strictly higher) and tied_P (candidates with that very score, itself
    included, so at least 1), both int64. Cost P x A comparisons; temporaries stay under 64 MiB, or one row.
    Raises ValueError naming the first query row that holds a NaN.
    """
    query_P, answer_P = np.asarray(query_P, dtype=np.int64), np.asarray(answer_P, dtype=np.int64)
    n_candidates = scores_QA.shape[1]
    assert len(np.unique(query_P * n_candidates + answer_P)) == len(query_P), "a relevant pair stands twice"
    bad_Q = np.isnan(scores_QA.min(axis=1))  # min hands NaN on, without a (Q, A) temporary
    if bad_Q.any():
        row = int(np.argmax(bad_Q))
        column = int(np.argmax(np.isnan(scores_QA[row])))
        raise ValueError(f"scores of query row {row} are not a number (first at candidate {column}): cannot be ranked")
    own_P = scores_QA[query_P, answer_P]
    return count(np.greater, scores_QA, query_P, own_P), count(np.equal, scores_QA, query_P, own_P)


def count(compare: np.ufunc, scores_QA: np.ndarray, query_P: Ints, value_P: np.ndarray) -> Ints:
    """(P,) candidates in rows of scores (Q, A) that compare so with a value; `np.greater` counts the scores above it.

    query_P, value_P   (P,) row, and the value that its scores are compared with
    Temporaries stay under 64 MiB, or one row.
    """
    n_candidates, counts_P = scores_QA.shape[1], np.empty(len(query_P), dtype=np.int64)
    # A block's rows are gathered while those of the block before are still alive.
    step = max(1, BLOCK_BYTES // (n_candidates * (2 * scores_QA.itemsize + 1)))
    for start in range(0, len(query_P), step):
        query_B, value_B1 = query_P[start : start + step], value_P[start : start + step, None]
        is_run = np.array_equal(query_B, np.arange(query_B[0], query_B[0] + len(query_B)))
        rows_BA = scores_QA[query_B[0] : query_B[0] + len(query_B)] if is_run else scores_QA[query_B]
        # Padded to words of eight bools, whose set bits are as many as its true ones.
        is_so_BA = np.zeros((len(query_B), -(-n_candidates // 8) * 8), dtype=bool)
        compare(rows_BA, value_B1, out=is_so_BA[:, :n_candidates])
        counts_P[start : start + step] = np.bitwise_count(is_so_BA.view(np.uint64)).sum(axis=1, dtype=np.int64)
    return counts_P
