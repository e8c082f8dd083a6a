"""The objectives that a fine-tuning can have, by the name of their section in the parameters."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from whyrank.core.errors import UserError
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
    """Of those that are on. Raises UserError where none is."""
    found = {name: getattr(options.objectives, name).weight for name in OBJECTIVES}
    if not any(found.values()):
        raise UserError(
            "params.yaml: every objective has weight 0; raise one, as in -S finetune_rank.objectives.rank.weight=1"
        )
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
    for name, objective in chosen.items():
        for key in ("learning_rate", "encoder_gradient_scale"):
            value = getattr(objective, key)
            if value < 0:
                raise UserError(f"params.yaml: `finetune_rank.objectives.{name}.{key}` is {value}; it takes 0 or more")
    return Tasks(
        on,
        options.tasks,
        start={name: objective.start_step for name, objective in chosen.items()},
        size={name: rows(prepared, options, name) for name in on},
        seed=seed,
        rate={name: objective.learning_rate for name, objective in chosen.items() if objective.learning_rate},
    )


def early_stopping(options: FinetuneRank) -> EarlyStopping:
    """As the parameters say; where ratings are trained and ranking is not, its metrics choose no weights.

    Raises UserError for a metric of the held-out ratings: the fold would choose the weights that it is scored with.
    """
    on, stopping = weights(options), options.early_stopping
    if "ratings" not in on:
        return stopping
    if stopping.metric.startswith("ratings_"):
        raise UserError(
            f"params.yaml: `finetune_rank.early_stopping.metric` is {stopping.metric!r}, by which the held-out rows "
            "would choose the weights that predict them; use -S 'finetune_rank.early_stopping.metric=\"\"' or "
            "train_ratings_spearman"
        )
    if "rank" not in on and stopping.metric.endswith(OF_RANKING):
        return replace(stopping, metric="")
    return stopping
