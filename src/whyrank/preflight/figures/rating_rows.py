"""Rows of ratings whose level is that of the rows beside them, and rows with one number in every column.

Shapes: N rows · T targets
"""

import numpy as np
import pandas as pd

from whyrank.core.prepared import Prepared

LEAST = 60
# Rows further on whose level is far enough away to be another rater's, as a sorted file's is not.
FAR = range(30, 51)
# Orders of each column that tell how many rows are alike by luck; and what is the same number after arithmetic.
ORDERS, SAME = 20, 1e-6
LEVEL_COLUMNS = ["n", "beside", "far", "spread", "common"]
ALIKE_COLUMNS = ["rating_id", "value", "n", "expected"]


def rating_levels(prepared: Prepared) -> pd.DataFrame:
    """One row; none of fewer than 60 rows or two targets.

    The level of a row is the mean of its ratings, in standard deviations of each column.
    n          rows
    beside     correlation of its level with that of the next row of another group (question)
    far        the same, mean over the rows 30 to 50 further on: high where the file is sorted
    spread     standard deviation of either by chance, 1 / sqrt(n)
    common     mean correlation of two targets
    """
    table, targets = prepared.ratings[prepared.ratings["use"] == "train"], prepared.rating_targets
    label_NT = table[targets].to_numpy(dtype=float) if len(table) else np.zeros((0, 0))
    label_NT = label_NT[:, np.nanstd(label_NT, axis=0) > 0] if label_NT.size else label_NT
    if len(label_NT) < LEAST or label_NT.shape[1] < 2:
        return pd.DataFrame(columns=LEVEL_COLUMNS)
    unit_NT = np.nan_to_num((label_NT - np.nanmean(label_NT, axis=0)) / np.nanstd(label_NT, axis=0))
    level_N = unit_NT.mean(axis=1) - unit_NT.mean()
    group_N = np.where(table["group"] < 0, -np.arange(len(table)) - 1, table["group"])
    beside, *far = (_correlation(level_N, group_N, lag) for lag in (1, *FAR))
    own_TT = np.corrcoef(unit_NT.T)
    common = float(own_TT[np.triu_indices(len(own_TT), 1)].mean())
    row = (len(table), beside, float(np.mean(far)), len(table) ** -0.5, common)
    return pd.DataFrame([row], columns=LEVEL_COLUMNS)


def _correlation(level_N: np.ndarray, group_N: np.ndarray, lag: int) -> float:
    is_other_N = group_N[lag:] != group_N[:-lag]
    if not is_other_N.any() or not level_N.any():
        return 0.0
    return float((level_N[lag:] * level_N[:-lag])[is_other_N].mean() / level_N.var())


def ratings_alike(prepared: Prepared) -> pd.DataFrame:
    """A row of ratings a row, whose three targets or more all have one number: rating_id and that `value`.

    n          rows that were looked at;  expected   of them alike where the numbers of each column are in any order
    """
    table, targets = prepared.ratings[prepared.ratings["use"] == "train"], prepared.rating_targets
    label_NT = table[targets].to_numpy(dtype=float) if len(table) else np.zeros((0, 0))
    if label_NT.shape[1] < 3:
        return pd.DataFrame(columns=ALIKE_COLUMNS)
    random = np.random.default_rng(0)
    mixed = [_is_alike(random.permuted(label_NT, axis=0)).sum() for _ in range(ORDERS)]
    found = table[_is_alike(label_NT)]
    columns = found["rating_id"], found[targets[0]], len(table), float(np.mean(mixed))
    return pd.DataFrame(dict(zip(ALIKE_COLUMNS, columns, strict=True))).reset_index(drop=True)


def _is_alike(label_NT: np.ndarray) -> np.ndarray:
    return np.asarray(label_NT.max(axis=1) - label_NT.min(axis=1) < SAME)
