"""Pretraining with Barlow Twins that teaches nothing, or something else."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from benchmarks.faults.fault import Fault
from benchmarks.faults.patches import wrapped
from whyrank.batches import views
from whyrank.training.barlow import losses, objective

# What pretraining did must be seen: the head goes on under a small rate.
LOUD = {"pretrain_barlow.learning_rate": 3.0e-3, "pretrain_barlow.steps": 60}


def views_unrelated() -> None:
    """The second views are those of another answer."""

    def change(old: Any, *given: Any) -> Any:
        for one in old(*given):
            yield views.Views(one.first_B, np.roll(one.second_B, 1), one.answer_B)

    wrapped(views, "across_answers", change)


def over_features() -> None:
    """Standardised over the features of a row, not over the batch."""

    def standardise(vector_BD: torch.Tensor) -> torch.Tensor:
        centred_BD = vector_BD - vector_BD.mean(1, keepdim=True)
        return centred_BD * (centred_BD.square().mean(1, keepdim=True) + 1e-5).rsqrt()

    losses._standardise = standardise


def not_centred() -> None:
    losses._standardise = lambda vector_BD: vector_BD * (vector_BD.square().mean(0) + 1e-5).rsqrt()


def diagonal_towards_zero() -> None:
    """The diagonal is pushed to 0, not to 1."""

    def change(old: Any, *given: Any, **named: Any) -> Any:
        terms = old(*given, **named)
        diagonal = losses._standardise(given[0]).T @ losses._standardise(given[1]) / len(given[0])
        loss = diagonal.diagonal().square().sum() + terms.loss - terms.invariance
        return terms._replace(loss=loss)

    wrapped(objective, "barlow_twins", change)


def one_view_twice() -> None:
    """Both views are the same text."""

    def change(old: Any, *given: Any) -> Any:
        for one in old(*given):
            yield views.Views(one.first_B, one.first_B, one.answer_B)

    wrapped(views, "across_answers", change)


def fault(name: str, sentence: str, code: Callable[[], None] | None = None, **settings: Any) -> Fault:
    own: Mapping[str, Any] = LOUD | {key.replace("__", "."): value for key, value in settings.items()}
    source = "Zbontar et al. 2021; seed project"
    return Fault(name, "barlow", sentence, source, "barlow", code is None, settings=own, code=code)


FAULTS = (
    fault("barlow-one-answer-a-batch", "each pretraining batch holds one answer",
          pretrain_barlow__batches="single_answer"),
    fault("barlow-views-unrelated", "the two views are of different answers", views_unrelated),
    fault("barlow-standardised-over-features", "views are standardised over the features, not the batch",
          over_features),
    fault("barlow-not-centred", "the batch mean is not subtracted", not_centred),
    fault("barlow-diagonal-towards-zero", "the diagonal of the correlation is pushed to 0", diagonal_towards_zero),
    fault("barlow-one-view-twice", "both views are the same text", one_view_twice),
    fault("barlow-redundancy-dominates", "the weight of the redundancy term is a thousand times too high",
          pretrain_barlow__redundancy_weight=10.0),
    fault("barlow-rate-too-high", "the learning rate of pretraining is a hundred times too high",
          pretrain_barlow__learning_rate=0.3),
    fault("barlow-batch-of-four", "a pretraining batch has four rows: the correlation is noise",
          pretrain_barlow__batch_size=4),
    fault("barlow-head-dropped", "the pretrained head is dropped under a fresh MLP before tuning",
          finetune_rank__barlow_head="freeze", finetune_rank__head__kind="mlp"),
)  # fmt: skip
