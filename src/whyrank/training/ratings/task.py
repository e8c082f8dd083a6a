"""Ratings as a task of fine-tuning, which is trained out of fold."""

from dataclasses import replace

import pandas as pd

from whyrank.core.errors import UserError
from whyrank.core.options.params import EarlyStopping, FinetuneRank
from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import correlation, ratings
from whyrank.model.system import System
from whyrank.training.ratings import folds
from whyrank.training.ratings.objective import RatingsObjective
from whyrank.training.ratings.rows import count, is_separate, pseudo_labelled, training_draw, without_labels
from whyrank.training.task import Given, Task
from whyrank.training.task_heads import check_single

SECTION = "finetune_rank.objectives.ratings"
# How the dev metrics of ranking end, by type of query.
OF_RANKING = ("_all", "_question", "_conversation")


def check(prepared: Prepared, system: System, options: FinetuneRank) -> None:
    ratings = options.objectives.ratings
    if not prepared.rating_targets or len(prepared.rated(held_out=False)) < 2:
        raise UserError(
            f"finetune_rank: {len(prepared.rated(held_out=False))} rows of ratings to train on, on "
            f"{len(prepared.rating_targets)} targets; bring more in prepare.ratings.source, or -S {SECTION}.weight=0"
        )
    # Also where data was prepared with a layout that params.yaml no longer says.
    if ratings.encoders == "two" and not is_separate(prepared):
        raise UserError(
            f"params.yaml: `{SECTION}.encoders: two` needs question and answer as two texts; use "
            f"-S prepare.ratings.layout=separate, or -S {SECTION}.encoders=one"
        )
    if ratings.layer_means and not system.encoder.is_packed:
        raise UserError(
            f"params.yaml: `{SECTION}.layer_means` reads the layers of an encoder of the BERT family, not of "
            f"{type(system.encoder.transformer).__name__}; use -S {SECTION}.layer_means=false"
        )
    if ratings.batch_size == 1 and not is_separate(prepared):
        check_single(system.head_of(RatingsObjective.name), f"{SECTION}.batch_size")
    rounds = ratings.pseudo_labels.rounds
    if rounds and not len(without_labels(prepared)) + len(pseudo_labelled(prepared)):
        raise UserError(
            f"params.yaml: `{SECTION}.pseudo_labels.rounds` is {rounds}, and there are no rows without labels; name "
            f"some in prepare.ratings.unlabelled, or -S {SECTION}.pseudo_labels.rounds=0"
        )


def stopping(options: FinetuneRank) -> EarlyStopping:
    """As the options say; where ranking is not trained, its metrics choose no weights."""
    found = options.early_stopping
    if options.objectives.rank.weight == 0 and found.metric.endswith(OF_RANKING):
        return replace(found, metric="")
    return found


class RatingsWatch:
    """Mean column Spearman of the fold that is held out, and of a fixed draw of training rows beside it."""

    def __init__(self, given: Given, objective: RatingsObjective) -> None:
        self.objective, self.targets = objective, given.prepared.rating_targets
        self.held_out = given.prepared.rated(held_out=True)
        self.train = training_draw(given.prepared, given.random)

    def __call__(self) -> dict[str, float]:
        """`ratings_spearman` and `train_ratings_spearman`, left out where no target has one; `ratings_undefined`,
        targets without one, and `ratings_constant_columns`, those of them that are predicted alike in all rows."""
        held_out, train = (self.of(rows) for rows in (self.held_out, self.train))
        constant = sum(reason == "constant predictions" for reason in held_out.undefined.values())
        found = {"ratings_spearman": held_out.value, "train_ratings_spearman": train.value}
        return {name: value for name, value in found.items() if value is not None} | {
            "ratings_undefined": len(held_out.undefined),
            "ratings_constant_columns": constant,
        }

    def of(self, rows: pd.DataFrame) -> correlation.Mean:
        return ratings.mean_column_spearman(self.objective.predict(rows), rows[self.targets], self.targets)


RATINGS = Task(
    name=RatingsObjective.name,
    objective=RatingsObjective,
    rows=lambda prepared, options: count(prepared),
    check=check,
    watch=lambda given, objective: RatingsWatch(given, objective) if isinstance(objective, RatingsObjective) else None,
    stopping=stopping,
    predicts=True,
    folds=folds.train_each,
)
