"""Predicted ratings on several targets against the labels: mean column Spearman, over all rows and fold by fold.

A target whose correlation does not exist is left out of the mean and named with its reason.

Shapes: N rows · M rows of training · C targets
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from whyrank.measure.correlation import Correlation, Mean, as_lists, centred_ranks, columns, mean_defined, spearman


def column_spearman(prediction_NC: npt.ArrayLike, label_NC: npt.ArrayLike) -> list[Correlation]:
    """Spearman's correlation of each column of predictions with the same column of labels, ties averaged.

    prediction_NC, label_NC   (N, C) real numbers of any dtype, compared in float64
    Returns C correlations of -1 to 1, 0 at chance, each undefined for its own reason only. Cost C N log N.
    """
    return columns(prediction_NC, label_NC, "spearman")


def mean_column_spearman(prediction_NC: npt.ArrayLike, label_NC: npt.ArrayLike, names: Sequence[str]) -> Mean:
    """Mean of `column_spearman` over the columns where it is defined; the others by name with their reason.

    names   of the C columns
    The measure of Google QUEST Q&A Labeling (Kaggle 2019), which has no value where a column has none.
    """
    return mean_defined(dict(zip(names, column_spearman(prediction_NC, label_NC), strict=True)))


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


def snap(prediction_N: npt.ArrayLike, training_label_M: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """(N,) the label that stands in the training labels where a prediction stands among the predictions.

    The order stays as it is, but for ties: where many rows have one label, their predictions become one number.
    prediction_N       (N,) real numbers, compared with each other alone; equal ones stay equal
    training_label_M   (M,) real numbers
    """
    prediction, label = as_lists(prediction_N, prediction_N)[0], np.sort(np.asarray(training_label_M, dtype=float))
    share_N = (centred_ranks(prediction) + len(prediction) / 2) / len(prediction)
    return label[np.minimum((share_N * len(label)).astype(np.int64), len(label) - 1)]


def snap_helps(prediction_N: npt.ArrayLike, label_N: npt.ArrayLike) -> bool:
    """Whether `snap` to these very labels raises Spearman's correlation; False where one of the two is undefined.

    prediction_N, label_N   (N,) of rows that the result is not tested on
    """
    raw, snapped = spearman(prediction_N, label_N).value, spearman(snap(prediction_N, label_N), label_N).value
    return raw is not None and snapped is not None and snapped > raw
