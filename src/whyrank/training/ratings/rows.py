"""The rows that a ratings objective is trained on: texts, labels as they are trained, and how much each counts.

Pseudo-labels are a model's predictions for rows without labels, to train on in the next round. The model of a fold has
seen no label of that fold, so each fold trains again on those of its own model alone: labels of all folds' models would
bring the held-out labels back.

Shapes: R rows · T targets · V distinct values of a target
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.core.options.ratings import PseudoLabels
from whyrank.core.options.ratings import RatingsObjective as Options
from whyrank.core.prepared import Prepared

# Enough training rows to see over- and underfitting; more would cost time and tell no more.
TRAINING_RATINGS = 500
# `use` of a row whose targets are predictions.
PSEUDO = "pseudo"


class RatingRows(NamedTuple):
    texts_R2: np.ndarray  # int64, numbers of texts; the second is -1 where a row is one text
    label_RT: np.ndarray  # float32 in [0, 1]
    weight_RT: np.ndarray  # float32, 1 of a labelled row
    mean_T: np.ndarray  # float32, mean of the labels as given, above 0 and below 1
    pseudo: int  # how many of the rows, the last ones, have a model's predictions for labels


def training_rows(prepared: Prepared, options: Options) -> RatingRows:
    """The labelled rows of all folds but the one held out, their labels smoothed, then the pseudo-labelled ones."""
    rated, pseudo, targets = prepared.rated(held_out=False), pseudo_labelled(prepared), prepared.rating_targets
    label_RT = rated[targets].to_numpy(dtype=float)
    guess_RT = pseudo[targets].to_numpy(dtype=float)
    # Half a row each way: a target that is 0 in all rows has sides, too.
    mean_T = (label_RT.sum(0) + 0.5) / (len(label_RT) + 1)
    rows = pd.concat([rated, pseudo])
    weight_RT = [np.ones_like(label_RT), pseudo_weight(guess_RT, options.pseudo_labels)]
    return RatingRows(
        rows[["first", "second"]].to_numpy(dtype=np.int64, copy=True),
        np.concatenate([smoothed(label_RT, options.smoothing), guess_RT]).astype(np.float32),
        np.concatenate(weight_RT).astype(np.float32),
        mean_T.astype(np.float32),
        len(pseudo),
    )


def is_separate(prepared: Prepared) -> bool:
    """Whether rows are two texts, a question and an answer."""
    return bool((prepared.ratings["second"] >= 0).all())


def count(prepared: Prepared) -> int:
    return len(prepared.rated(held_out=False)) + len(pseudo_labelled(prepared))


def training_draw(prepared: Prepared, random: np.random.Generator) -> pd.DataFrame:
    """Labelled rows of ratings that are trained on: enough of them to see over- and underfitting."""
    rows = prepared.rated(held_out=False)
    return rows.iloc[np.sort(random.permutation(len(rows))[:TRAINING_RATINGS])]


def smoothed(label_RT: np.ndarray, share: float) -> np.ndarray:
    """(R, T) labels of which `share` goes to the mean of the label and its neighbours on the target's own grid.

        (1 - share) y + share * mean of {value below, y, value above}

    The grid of a target is its distinct values here; the lowest and the highest have one neighbour each, a constant
    target none. Labels keep their order, and the mean moves only by what the ends give.
    share   0 to 1. After Szegedy et al. 2015, arXiv:1512.00567, section 7, where it goes to all classes alike
    """
    if share == 0:
        return label_RT
    return np.stack([smoothed_target(label_R, share) for label_R in label_RT.T], axis=1)


def smoothed_target(label_R: np.ndarray, share: float) -> np.ndarray:
    value_V, place_R = np.unique(label_R, return_inverse=True)
    window_3V = np.stack([np.append(np.nan, value_V[:-1]), value_V, np.append(value_V[1:], np.nan)])
    return ((1 - share) * value_V + share * np.nanmean(window_3V, axis=0))[place_R]


def without_labels(prepared: Prepared) -> pd.DataFrame:
    """Rows of ratings that can get pseudo-labels: those that no targets came with."""
    return prepared.ratings[prepared.ratings["use"].isin(["test", "unlabelled"])]


def pseudo_labelled(prepared: Prepared) -> pd.DataFrame:
    return prepared.ratings[prepared.ratings["use"] == PSEUDO]


def with_pseudo_labels(prepared: Prepared, prediction_RT: np.ndarray) -> Prepared:
    """The same ratings, where rows `without_labels` have predictions as targets (Lee 2013, "Pseudo-Label")."""
    unlabelled, ratings = without_labels(prepared), prepared.ratings.copy()
    ratings.loc[unlabelled.index, prepared.rating_targets] = prediction_RT
    ratings.loc[unlabelled.index, "use"] = PSEUDO
    return replace(prepared, ratings=ratings)


def pseudo_weight(prediction_RT: np.ndarray, options: PseudoLabels) -> np.ndarray:
    """(R, T) |2 p - 1|, how sure a prediction is, times what a pseudo-labelled row counts beside a labelled one."""
    return options.weight * np.abs(2 * prediction_RT - 1)
