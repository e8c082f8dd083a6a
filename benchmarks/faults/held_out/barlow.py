"""Barlow Twins pretraining with a wrong value, or a bug in its loss or its views."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from ..fault import Fault
from ..patching import replace

BARLOW = "pretrain_barlow."


def views_apart() -> None:
    from whyrank.batches import views

    def wrong(
        first: Mapping[int, np.ndarray], second: Mapping[int, np.ndarray], size: int, random: np.random.Generator
    ) -> Iterator[views.Views]:
        for batch in right(first, second, size, random):
            yield views.Views(batch.first_B, random.permutation(batch.second_B), batch.answer_B)

    right = replace(views, "across_answers", wrong)


def standardised_by_row() -> None:
    from whyrank.training.barlow import losses

    def wrong(vector_BD: torch.Tensor) -> torch.Tensor:
        centred_BD = vector_BD - vector_BD.mean(1, keepdim=True)
        return centred_BD * (centred_BD.square().mean(1, keepdim=True) + 1e-5).rsqrt()

    replace(losses, "_standardise", wrong)


def one_view_twice() -> None:
    from whyrank.training.barlow import losses

    def wrong(first_BD: torch.Tensor, second_BD: torch.Tensor, *, redundancy_weight: float) -> Any:
        return right(first_BD, first_BD, redundancy_weight=redundancy_weight)

    right = replace(losses, "barlow_twins", wrong)


def diagonal_to_zero() -> None:
    from whyrank.training.barlow import losses

    def wrong(first_BD: torch.Tensor, second_BD: torch.Tensor, *, redundancy_weight: float) -> Any:
        terms = right(first_BD, -second_BD, redundancy_weight=redundancy_weight)
        return terms._replace(correlation_DD=-terms.correlation_DD)

    right = replace(losses, "barlow_twins", wrong)


FAULTS = (
    Fault(
        name="views-shuffled-apart",
        about="barlow",
        sentence="The two views are shuffled independently, so a row's views belong to different answers and have "
        "nothing in common to learn. Shuffle both sides by the same order.",
        source="two loaders that shuffle apart; barlowtwins and SimSiam ports; ST#2648 on sampler state",
        task="barlow",
        code=views_apart,
    ),
    Fault(
        name="standardised-over-features",
        about="barlow",
        sentence="The loss standardises each text over its features and not each feature over the batch, so its "
        "matrix is no cross-correlation. Standardise along the batch.",
        source="lightly#1806 (statistics along the wrong axis), stable-pretraining#34",
        task="barlow",
        code=standardised_by_row,
    ),
    Fault(
        name="one-view-twice",
        about="barlow",
        sentence="The loss compares the first view with itself: agreement is perfect from the first step and nothing "
        "is learnt across views. Pass the second view.",
        source="facebookresearch/barlowtwins#16 (identical vectors)",
        task="barlow",
        code=one_view_twice,
    ),
    Fault(
        name="views-driven-apart",
        about="barlow",
        sentence="The sign of the second view is wrong in the loss: pretraining makes the views of one answer "
        "opposite and not alike. Correct the sign.",
        source="dlib#2518 (wrong derivative); sign operators of mutation testing",
        task="barlow",
        code=diagonal_to_zero,
    ),
    Fault(
        name="learning-rate-of-lars",
        about="barlow",
        sentence="The learning rate of 0.2 comes from the paper's LARS optimiser and is a thousand times too high "
        "for AdamW: the head is destroyed. Set it to about 3e-4.",
        source="facebookresearch/barlowtwins main.py (learning-rate-weights 0.2 for LARS)",
        task="barlow",
        mendable=True,
        settings={BARLOW + "learning_rate": 0.2, BARLOW + "weight_decay": 1.5e-6, BARLOW + "steps": 100},
    ),
    Fault(
        name="redundancy-outweighs-agreement",
        about="barlow",
        sentence="redundancy_weight is 50, a sum of squares weighed like a mean: the loss only takes features apart, "
        "and that views agree does not count. Set it to about 0.05.",
        source="facebookresearch/barlowtwins#9, vissl#230 (scale of the terms)",
        task="barlow",
        mendable=True,
        settings={BARLOW + "redundancy_weight": 50.0, BARLOW + "learning_rate": 3.0e-3, BARLOW + "steps": 150},
    ),
    Fault(
        name="batches-of-three-views",
        about="barlow",
        sentence="A pretraining batch has 3 pairs, from which no correlation of hundreds of features can be "
        "estimated: the loss is noise. Raise batch_size to 128 or more.",
        source="facebookresearch/barlowtwins#7, MONAI#7530",
        task="barlow",
        mendable=True,
        settings={BARLOW + "batch_size": 3, BARLOW + "learning_rate": 3.0e-3, BARLOW + "steps": 150},
    ),
    Fault(
        name="narrow-projector-kept",
        about="barlow",
        sentence="The projector of 8 features, made for the pretraining loss alone, stays in the system and "
        "everything after is ranked by 8 features. Drop it after pretraining, or use a residual head.",
        source="facebookresearch/barlowtwins#43 (the projector is discarded); SimCLR, arXiv:2002.05709, section 4.2",
        task="barlow",
        mendable=True,
        settings={BARLOW + "head.kind": "mlp", BARLOW + "head.hidden": 64, BARLOW + "head.output": 8},
    ),
)
