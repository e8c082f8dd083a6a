"""Predicted ratings on several targets against the labels: mean column Spearman, over all rows and fold by fold.

A target whose correlation does not exist is left out of the mean and named with its reason.

Shapes: N rows · M training rows · K rows whose labels may decide · C targets
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from whyrank.measure.metrics.correlation import (
    Floats,
    Mean,
    as_lists,
    centred_ranks,
    columns,
    mean_defined,
    spearman,
)

# What snapping has to add to a correlation. Less is noise, by which folds would decide differently, and predictions of
# which some are snapped and some are not are no longer on one level.
GAIN = 0.02


def mean_column_spearman(prediction_NC: npt.ArrayLike, label_NC: npt.ArrayLike, names: Sequence[str]) -> Mean:
    """Mean of Spearman's correlation over the columns where it is defined; the others by name with their reason.

    names   of the C columns
    The measure of Google QUEST Q&A Labeling (Kaggle 2019), which has no value where a column has none.
    """
    return mean_defined(dict(zip(names, columns(prediction_NC, label_NC), strict=True)))


def per_fold(
    prediction_NC: npt.ArrayLike, label_NC: npt.ArrayLike, fold_N: npt.ArrayLike, names: Sequence[str]
) -> dict[int, Mean]:
    """`mean_column_spearman` of the rows of each fold, by its number, ascending.

    A column may be undefined in one fold and not in another: one whose rare value none of the fold's rows has.
    """
    prediction, label, fold = np.asarray(prediction_NC), np.asarray(label_NC), np.asarray(fold_N)
    return {
        int(number): mean_column_spearman(prediction[fold == number], label[fold == number], names)
        for number in np.unique(fold)
    }


def snap(prediction_N: npt.ArrayLike, training_label_M: npt.ArrayLike) -> Floats:
    """(N,) predictions brought to the distribution of the training labels: quantile mapping.

    prediction_N       (N,) finite numbers in any unit: their order among each other is all that counts
    training_label_M   (M,) finite numbers, M at least 1
    The prediction of rank r (equal ones share the mean rank) becomes the (r - 1/2) / N quantile of the labels, one of
    the labels itself. Equal predictions stay equal; of a target on a grid many others become equal too, which is what
    can raise a rank correlation: labels that are tied, as on a grid, are ranked as ties.
    """
    prediction_N, label_M = as_lists(prediction_N, prediction_N)[0], np.sort(np.asarray(training_label_M, np.float64))
    place_N = (centred_ranks(prediction_N) / max(len(prediction_N), 1) + 0.5) * len(label_M)
    return label_M[np.minimum(place_N.astype(np.int64), len(label_M) - 1)]


def snap_helps(prediction_N: npt.ArrayLike, label_N: npt.ArrayLike) -> bool:
    """Whether snapping raises Spearman's correlation by more than GAIN; both correlations must exist.

    prediction_N, label_N   (N,) of rows of the training part of a fold, best predicted by a model that has not seen
                            them; nothing of the held-out rows may be among them
    """
    raw, snapped = spearman(prediction_N, label_N).value, spearman(snap(prediction_N, label_N), label_N).value
    return raw is not None and snapped is not None and snapped > raw + GAIN


def snap_where_it_helps(
    prediction_NC: Floats, training_label_MC: Floats, known_KC: Floats, known_label_KC: Floats
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(N, C) predictions, those of some columns snapped; (C,) which, as `snap_helps` says of rows that are known."""
    helps_C = np.array([snap_helps(*pair) for pair in zip(known_KC.T, known_label_KC.T, strict=True)], dtype=bool)
    snapped_NC = prediction_NC.copy()
    for column in np.flatnonzero(helps_C):
        snapped_NC[:, column] = snap(prediction_NC[:, column], training_label_MC[:, column])
    return snapped_NC, helps_C
