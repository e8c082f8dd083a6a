"""How the labels of each target are distributed, over all rows and within folds.

Shapes: N rows · T targets
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

NEAR = 0.1


def target_table(names: Sequence[str], label_NT: np.ndarray, fold_N: np.ndarray) -> pd.DataFrame:
    """One row per target, shares of the rows from 0 to 1.

    n, mean, std, near_0 (labels below 0.1), near_1 (above 0.9), distinct (values), mode_share (of the commonest value)
    constant_folds   folds whose held-out rows, or whose training rows, have one value
    rare_share       labels on the rarer side, of 0 or of 1: the smaller one of mean and 1 - mean
    """
    rows = []
    for name, label_N in zip(names, label_NT.T, strict=True):
        _, counts = np.unique(label_N, return_counts=True)
        rows.append(
            {
                "target": name,
                "n": len(label_N),
                "mean": label_N.mean(),
                "std": label_N.std(),
                "near_0": (label_N < NEAR).mean(),
                "near_1": (label_N > 1 - NEAR).mean(),
                "distinct": len(counts),
                "mode_share": counts.max() / len(label_N),
                "constant_folds": constant_folds(label_N, fold_N),
                "rare_share": min(label_N.mean(), 1 - label_N.mean()),
            }
        )
    return pd.DataFrame(rows)


def constant_folds(label_N: np.ndarray, fold_N: np.ndarray) -> int:
    """Folds in which a correlation is not defined, or nothing can be learnt."""
    is_held_out = [fold_N == fold for fold in np.unique(fold_N)]
    return sum(min(len(np.unique(label_N[is_in])), len(np.unique(label_N[~is_in]))) < 2 for is_in in is_held_out)
