"""What the folds of a ratings training leave: predictions of rows that each fold has not seen, and its evaluations.

Shapes: N held-out rows · M training rows · K drawn of these · T targets
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.core import checksums, io
from whyrank.core.options.ratings import Ratings
from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import ratings as measure
from whyrank.training.engine.loop import History
from whyrank.training.ratings.objective import RatingsObjective
from whyrank.training.ratings.rows import training_draw

EVALUATIONS = ["fold", "step", "ratings_spearman", "train_ratings_spearman", "ratings_undefined"]
EVALUATIONS += ["constant_columns", "loss"]


class RatingTables(NamedTuple):
    """evaluations   `EVALUATIONS`, a row for each of each fold; loss is the mean over the steps since the one before
    out_of_fold   rating_id, fold, target, prediction, snapped, snaps: a row for each labelled row and target
    test          rating_id and a column for each target, the mean over the folds; empty where there are none
    """

    evaluations: pd.DataFrame
    out_of_fold: pd.DataFrame
    test: pd.DataFrame

    def records(self) -> dict[str, pd.DataFrame]:
        return {"rating_folds.csv": self.evaluations}

    def write(self, folder: Path, prepared: Prepared, columns: Ratings) -> None:
        """In `ratings` out_of_fold.parquet, and where there are rows to predict test.parquet, submission.csv and the
        same snapped. A submission has the user's own column of ids, and targets on their declared scale."""
        own = folder / "ratings"
        io.write_table(own / "out_of_fold.parquet", self.out_of_fold)
        if len(self.test):
            io.write_table(own / "test.parquet", self.test)
            for name, table in {"submission": self.test, "submission_snapped": snapped_test(prepared, self)}.items():
                declared = {
                    target: low + table[target] * (high - low)
                    for target, (low, high) in columns.rescale.items()
                    if target in table
                }
                submission = table.assign(**declared).rename(columns={"rating_id": columns.id})
                io.write_table(own / f"{name}.csv", submission, is_for_people=False)
        checksums.write(folder)


def of_fold(prepared: Prepared, objective: RatingsObjective, history: History, seed: int) -> RatingTables:
    """Of one training, on the fold that `prepared` holds out."""
    evaluated = evaluations(history, prepared.held_out)
    return RatingTables(evaluated, out_of_fold(prepared, objective, seed), test(prepared, objective))


def concatenate_folds(folds: Sequence[RatingTables]) -> RatingTables:
    tests = pd.concat([fold.test for fold in folds])
    return RatingTables(
        pd.concat([fold.evaluations for fold in folds], ignore_index=True),
        pd.concat([fold.out_of_fold for fold in folds], ignore_index=True),
        tests if tests.empty else tests.groupby("rating_id", sort=False, as_index=False).mean(),
    )


def evaluations(history: History, fold: int) -> pd.DataFrame:
    found = history.evaluations.rename(columns={"ratings_constant_columns": "constant_columns"}).assign(fold=fold)
    steps = history.steps
    after = [-1, *found["step"][:-1]]
    if "ratings_loss" in steps:
        within = [steps["step"].between(one + 1, two) for one, two in zip(after, found["step"], strict=True)]
        found["loss"] = [steps.loc[chosen, "ratings_loss"].mean() for chosen in within]
    return found.reindex(columns=EVALUATIONS)


def out_of_fold(prepared: Prepared, objective: RatingsObjective, seed: int) -> pd.DataFrame:
    """Predictions of the held-out rows, and the same snapped to the training labels where that helps.

    Whether it helps a target is asked of training rows, as this very model predicts them: the held-out labels stay
    unseen.
    """
    rows, train, targets = prepared.rated(held_out=True), prepared.rated(held_out=False), objective.targets
    draw = training_draw(prepared, np.random.default_rng(seed))
    prediction_NT, known_KT = (objective.predict(part).astype(float) for part in (rows, draw))
    label_MT, known_label_KT = (part[targets].to_numpy(dtype=float) for part in (train, draw))
    snapped_NT, snaps = measure.snap_where_it_helps(prediction_NT, label_MT, known_KT, known_label_KT)
    return pd.DataFrame(
        {
            "rating_id": np.repeat(rows["rating_id"].to_numpy(), len(targets)),
            "fold": prepared.held_out,
            "target": np.tile(targets, len(rows)),
            "prediction": prediction_NT.ravel(),
            "snapped": snapped_NT.ravel(),
            "snaps": np.tile(snaps, len(rows)),
        }
    )


def test(prepared: Prepared, objective: RatingsObjective) -> pd.DataFrame:
    rows = prepared.ratings[prepared.ratings["use"] == "test"]
    predicted = pd.DataFrame(objective.predict(rows).astype(float), columns=objective.targets)
    predicted.insert(0, "rating_id", rows["rating_id"].to_numpy())
    return predicted


def snapped_test(prepared: Prepared, tables: RatingTables) -> pd.DataFrame:
    """`test`, snapped to the labels of all rows where more than half of the folds decided so."""
    decided = tables.out_of_fold.groupby(["target", "fold"])["snaps"].first().groupby("target").mean()
    labels = prepared.ratings[prepared.ratings["use"] == "train"]
    found = tables.test.copy()
    for target in decided.index[decided > 0.5]:
        found[target] = measure.snap(found[target], labels[target])
    return found
