"""Columns of ratings that hold, in a part of the file or in a fold, what another column holds elsewhere.

Shapes: N rows · P rows of a part · R the others · T targets
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from whyrank.core.prepared import Prepared

LEAST = 30
# Of a column in a part beside itself elsewhere: one in 10,000 of unchanged columns has so large a distance. Beside
# the column that it came from: one in a thousand of true ones has.
OTHER, SAME = 1e-4, 1e-3
COLUMNS = ["part", "target", "holds", "n", "distance", "critical", "distance_after"]
COPY = 0.999
# Points at which distributions are compared.
GRID = 201


def rating_parts(prepared: Prepared) -> pd.DataFrame:
    """One row per moved column of a part, by the distance of Kolmogorov and Smirnov between label distributions.

    part   fold k | the first half of the file | quarter k of the file;  holds   the target whose numbers they are
    A set of columns has moved where each is far from itself elsewhere, and near to another one of the set.
    """
    table, targets = prepared.ratings[prepared.ratings["use"] == "train"], prepared.rating_targets
    label_NT = table[targets].to_numpy(dtype=float) if len(table) else np.zeros((0, 0))
    rows: list[tuple[object, ...]] = []
    for part, inside_N in parts(table):
        if min(inside_N.sum(), (~inside_N).sum()) >= LEAST and len(targets) > 1:
            rows += [(part, *row) for row in moved(label_NT[inside_N], label_NT[~inside_N], targets)]
    return pd.DataFrame(rows, columns=COLUMNS)


def parts(table: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    place_N = np.arange(len(table))
    fold_N = table["fold"].to_numpy() if len(table) else place_N
    for fold in np.unique(fold_N):
        yield f"fold {fold}", fold_N == fold
    yield "the first half of the file", place_N < len(table) // 2
    for quarter in range(4):
        yield f"quarter {quarter + 1} of the file", place_N * 4 // max(1, len(table)) == quarter


def moved(part_PT: np.ndarray, other_RT: np.ndarray, targets: list[str]) -> Iterator[tuple[object, ...]]:
    """target, holds, n, distance, critical, distance_after of each column that has moved within a closed set."""
    grid_G = np.unique(np.nanquantile(np.concatenate([part_PT, other_RT]), np.linspace(0, 1, GRID)))
    mine_TG, theirs_TG = (below(values_NT, grid_G) for values_NT in (part_PT, other_RT))
    distance_TT = np.abs(mine_TG[:, None] - theirs_TG[None]).max(axis=2)
    own_T, holds_T = np.diag(distance_TT), linear_sum_assignment(distance_TT)[1]
    after_T = distance_TT[np.arange(len(targets)), holds_T]
    scale = np.sqrt((1 / len(part_PT) + 1 / len(other_RT)) / 2)
    far, near = (scale * np.sqrt(-np.log(p / 2)) for p in (OTHER, SAME))
    found = {t for t in range(len(targets)) if holds_T[t] != t and own_T[t] > far and after_T[t] < near}
    while found and (outside := {t for t in found if holds_T[t] not in found}):
        found -= outside
    for t in sorted(found):
        yield targets[t], targets[holds_T[t]], len(part_PT), own_T[t], far, after_T[t]


def below(values_NT: np.ndarray, grid_G: np.ndarray) -> np.ndarray:
    """(T, G) share of a column's numbers up to each point."""
    return np.stack([np.searchsorted(np.sort(one_N), grid_G, side="right") / len(one_N) for one_N in values_NT.T])


def rating_copies(prepared: Prepared) -> pd.DataFrame:
    """Pairs of targets whose numbers have the same order, or the opposite one: target, other, correlation, n."""
    table, targets = prepared.ratings[prepared.ratings["use"] == "train"], prepared.rating_targets
    rank_NT = table[targets].astype(float).rank() if len(table) else pd.DataFrame()
    value_TT = rank_NT.corr().to_numpy() if len(rank_NT) > LEAST else np.zeros((0, 0))
    one, other = np.nonzero(np.triu(np.abs(value_TT) >= COPY, 1))
    rows = [(targets[i], targets[j], value_TT[i, j], len(table)) for i, j in zip(one, other, strict=True)]
    return pd.DataFrame(rows, columns=["target", "other", "correlation", "n"])
