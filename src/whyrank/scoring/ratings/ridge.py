"""Ridge regression out of fold: what features that were not trained on ratings say of them.

In its dual form, so that features enter by the products of rows alone, and many of them cost no more than few.

Shapes: N rows · M rows fitted on · R rows to predict · K both · T targets · S strengths
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from whyrank.core.progress import progress
from whyrank.lexical.ratings import Kernel
from whyrank.measure.metrics.correlation import columns
from whyrank.measure.metrics.ratings import snap_where_it_helps

# Of products whose diagonal is about 1. On Stack Exchange most targets take 3, the others a neighbour.
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)
# Parts into which the training rows of a fold are split, by group, to choose a strength.
PARTS = 4
# Rows fitted on at most, evenly drawn from the training rows: products of so many take 600 MB, their solution a minute.
# Those with the rows to predict come on top, 1.3 GB in all for 30,000 rows in five folds.
MOST_ROWS = 12_000


class Predicted(NamedTuple):
    """(N, T) float64 each: predictions out of fold, and the same, snapped where that helped in the training part."""

    prediction_NT: np.ndarray
    snapped_NT: np.ndarray


def out_of_fold(kernel: Kernel, label_NT: np.ndarray, fold_N: np.ndarray, group_N: np.ndarray) -> Predicted:
    """Predictions for the rows of each fold by a ridge that is fitted on the rows of the others.

    For each target the strength is the one whose predictions for the training rows correlate best with their labels
    (Spearman; of equals the stronger), each of PARTS parts of them predicted from the rest. By the same predictions
    it is decided whether the target is snapped. No label of a fold goes into its own predictions.
    """
    prediction_NT, snapped_NT = np.empty(label_NT.shape), np.empty(label_NT.shape)
    folds = np.unique(fold_N)
    for fold in progress(folds, total=len(folds), what="ridge"):
        held_N = fold_N == fold
        train_M = fitted_rows(~held_N)
        row_K = np.union1d(train_M, np.flatnonzero(held_N))
        product_KK, is_held_K = kernel(~held_N, row_K), held_N[row_K]
        inner_MM, label_MT = product_KK[np.ix_(~is_held_K, ~is_held_K)], label_NT[train_M]
        strength_T, inner_MT = chosen(inner_MM, label_MT, group_N[train_M])
        own_RT = fitted(inner_MM, label_MT, product_KK[np.ix_(is_held_K, ~is_held_K)], strength_T)
        prediction_NT[held_N] = own_RT
        snapped_NT[held_N], _ = snap_where_it_helps(own_RT, label_MT, inner_MT, label_MT)
    return Predicted(prediction_NT, snapped_NT)


def fitted_rows(train_N: np.ndarray) -> np.ndarray:
    """(M,) row numbers, ascending."""
    rows = np.flatnonzero(train_N)
    return rows if len(rows) <= MOST_ROWS else rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64)]


def chosen(product_MM: np.ndarray, label_MT: np.ndarray, group_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T,) strengths for all targets, and (M, T) what they predict for rows that were left out."""
    _, number_M = np.unique(group_M, return_inverse=True)
    part_M = number_M % PARTS
    guess_SMT = np.broadcast_to(label_MT.mean(axis=0), (len(STRENGTHS), *label_MT.shape)).copy()
    for part in np.unique(part_M):
        out_M = part_M == part
        if out_M.all():
            continue  # one group has nothing to be predicted from
        inner_MM, across_RM = product_MM[np.ix_(~out_M, ~out_M)], product_MM[np.ix_(out_M, ~out_M)]
        for guess_MT, strength in zip(guess_SMT, STRENGTHS, strict=True):
            guess_MT[out_M] = ridge(inner_MM, label_MT[~out_M], across_RM, strength)
    values = [[one.value for one in columns(guess_MT, label_MT)] for guess_MT in guess_SMT]
    value_ST = np.array(values, dtype=np.float64)
    # The last of equals: the strongest. So it is where no correlation exists.
    best_T = len(STRENGTHS) - 1 - np.argmax(np.nan_to_num(value_ST, nan=-1.0)[::-1], axis=0)
    return np.array(STRENGTHS)[best_T], guess_SMT[best_T, :, np.arange(label_MT.shape[1])].T


def fitted(product_MM: np.ndarray, label_MT: np.ndarray, across_RM: np.ndarray, strength_T: np.ndarray) -> np.ndarray:
    """(R, T) predictions, each target with its own strength."""
    prediction_RT = np.empty((len(across_RM), label_MT.shape[1]))
    for strength in np.unique(strength_T):
        of = strength_T == strength
        prediction_RT[:, of] = ridge(product_MM, label_MT[:, of], across_RM, strength)
    return prediction_RT


def ridge(product_MM: np.ndarray, label_MT: np.ndarray, across_RM: np.ndarray, strength: float) -> np.ndarray:
    """(R, T) float64 predictions in closed form: the labels' mean, and K_RM (K_MM + strength)^-1 of what they differ.

    product_MM   of the features of the rows fitted on;  across_RM   of the others with these
    The same as the ridge of Hoerl and Kennard 1970 on the features without an intercept (Saunders et al. 1998).
    """
    mean_T = label_MT.mean(axis=0)
    damped_MM = product_MM.copy()
    damped_MM[np.diag_indices_from(damped_MM)] += strength
    factor = cho_factor(damped_MM, lower=True, overwrite_a=True, check_finite=False)
    weight_MT = cho_solve(factor, (label_MT - mean_T).astype(product_MM.dtype), check_finite=False)
    return np.asarray(across_RM @ weight_MT, dtype=np.float64) + mean_T
