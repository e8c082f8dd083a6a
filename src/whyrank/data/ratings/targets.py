"""How the labels of each target are distributed, over all rows and within folds.

Shapes: N rows · T targets
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from whyrank.core.options.ratings import RatingsObjective

NEAR = 0.1


def target_table(
    names: Sequence[str], label_NT: np.ndarray, fold_N: np.ndarray, objective: RatingsObjective
) -> pd.DataFrame:
    """One row per target, shares of the rows from 0 to 1.

    n, mean, std, near_0 (labels below 0.1), near_1 (above 0.9), distinct (values), mode_share (of the commonest value)
    constant_folds   folds whose held-out rows, or whose training rows, have one value
    rare_share       labels on the rarer side, of 0 or of 1: the smaller one of mean and 1 - mean
    rare_pull        `rare_pull`
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
    table = pd.DataFrame(rows)
    return table.assign(rare_pull=rare_pull(table["rare_share"].to_numpy(), objective))


def constant_folds(label_N: np.ndarray, fold_N: np.ndarray) -> int:
    """Folds in which a correlation is not defined, or nothing can be learnt."""
    is_held_out = [fold_N == fold for fold in np.unique(fold_N)]
    return sum(min(len(np.unique(label_N[is_in])), len(np.unique(label_N[~is_in]))) < 2 for is_in in is_held_out)


def rare_pull(rare_share_T: np.ndarray, objective: RatingsObjective) -> np.ndarray:
    """Share of the gradient that comes from the rarer side before anything is learnt, (T,), 0 to 0.5.

    At predictions of one half each row pulls alike under BCE, MSE and focal loss, so that a side pulls as often as it
    occurs. Class weights make both sides pull alike, and a rank correlation compares rows of one with rows of the
    other. Losses that are on count by their weights.
    """
    by_rows = (objective.bce.weight, objective.focal.weight, objective.mse.weight)
    by_side = (objective.weighted_bce.weight, objective.rank_correlation.weight)
    total = sum(by_rows) + sum(by_side)
    even = sum(by_side) / total if total > 0 else 0.0
    return (1 - even) * rare_share_T + even * 0.5
