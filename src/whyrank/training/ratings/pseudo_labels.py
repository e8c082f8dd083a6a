"""A model's own predictions as labels of rows that have none, to train on in the next round.

The model of a fold has seen no label of that fold, so neither have its pseudo-labels: each fold is trained again with
those of its own model alone. Labels of all folds' models would bring the held-out rows' labels back by a detour.

Shapes: R rows · T targets
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from whyrank.core.options.ratings import PseudoLabels
from whyrank.core.prepared import Prepared

# `use` of a row whose targets are predictions.
PSEUDO = "pseudo"


def without_labels(prepared: Prepared) -> pd.DataFrame:
    """Rows of ratings that can get pseudo-labels: those that no targets came with."""
    return prepared.ratings[prepared.ratings["use"].isin(["test", "unlabelled"])]


def rows(prepared: Prepared) -> pd.DataFrame:
    """Rows of ratings that have them."""
    return prepared.ratings[prepared.ratings["use"] == PSEUDO]


def label(prepared: Prepared, prediction_RT: np.ndarray) -> Prepared:
    """The same ratings, in which those `without_labels` have predictions for targets (Lee 2013, "Pseudo-Label")."""
    unlabelled, ratings = without_labels(prepared), prepared.ratings.copy()
    ratings.loc[unlabelled.index, prepared.rating_targets] = prediction_RT
    ratings.loc[unlabelled.index, "use"] = PSEUDO
    return replace(prepared, ratings=ratings)


def weight(prediction_RT: np.ndarray, options: PseudoLabels) -> np.ndarray:
    """(R, T) |2 p - 1|, how sure a prediction is, times what a pseudo-labelled row counts beside a labelled one."""
    return options.weight * np.abs(2 * prediction_RT - 1)
