"""The objectives that a fine-tuning can have, by the name of their section in the parameters."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from whyrank.core.options.params import EarlyStopping, FinetuneRank
from whyrank.core.prepared import Prepared
from whyrank.model.system import System
from whyrank.training.engine.tasks import Tasks
from whyrank.training.engine.vectors import Vectors
from whyrank.training.pairs.classification import ClassificationObjective
from whyrank.training.pairs.similarity import SimilarityObjective
from whyrank.training.ranking.objective import RankObjective
from whyrank.training.ratings import rows as rating_rows
from whyrank.training.ratings.objective import RatingsObjective

Make = Callable[
    [Prepared, System, Vectors, FinetuneRank, np.random.Generator],
    RankObjective | SimilarityObjective | ClassificationObjective | RatingsObjective,
]
OBJECTIVES: Mapping[str, Make] = {
    "rank": RankObjective,
    "similarity": SimilarityObjective,
    "classification": ClassificationObjective,
    "ratings": RatingsObjective,
}
# How the dev metrics of ranking end, by type of query.
OF_RANKING = ("_all", "_question", "_conversation")


def weights(options: FinetuneRank) -> dict[str, float]:
    """Of those that are on."""
    found = {name: getattr(options.objectives, name).weight for name in OBJECTIVES}
    return {name: weight for name, weight in found.items() if weight > 0}


def rows(prepared: Prepared, options: FinetuneRank, name: str) -> int:
    """Training rows of an objective: what a round of it goes through."""
    pairs = prepared.pairs[prepared.pairs["use"] == "train"]
    if name == "rank":
        return len(prepared.relevant_in("train"))
    if name == "ratings":
        return rating_rows.count(prepared)
    if name == "classification" and options.objectives.classification.of == "query_type":
        return len(prepared.rows("train"))
    return len(pairs) if name == "similarity" else int((pairs["class_name"] != "").sum())


def batch_size(options: FinetuneRank, name: str) -> int:
    return options.batch_size if name == "rank" else int(getattr(options.objectives, name).batch_size)


def tasks(prepared: Prepared, options: FinetuneRank, seed: int) -> Tasks:
    """How those that are on share the training."""
    on = weights(options)
    chosen = {name: getattr(options.objectives, name) for name in on}
    return Tasks(
        on,
        options.tasks,
        start={name: objective.start_step for name, objective in chosen.items()},
        size={name: rows(prepared, options, name) for name in on},
        seed=seed,
        rate={name: objective.learning_rate for name, objective in chosen.items() if objective.learning_rate},
    )


def early_stopping(options: FinetuneRank) -> EarlyStopping:
    """As the parameters say; where ratings are trained and ranking is not, its metrics choose no weights."""
    on, stopping = weights(options), options.early_stopping
    if "ratings" not in on:
        return stopping
    if "rank" not in on and stopping.metric.endswith(OF_RANKING):
        return replace(stopping, metric="")
    return stopping
