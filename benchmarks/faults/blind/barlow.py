"""Pretraining with Barlow Twins whose loss or length is wrong."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from whyrank.training.barlow import losses, objective

from ..fault import Fault
from ..patches import wrapped

# So that the head moves far enough to matter.
FAST = {"pretrain_barlow.learning_rate": 3.0e-3, "pretrain_barlow.steps": 80}


def sum_over_the_batch() -> None:
    """The product of both views is not divided by the rows."""

    def change(old: Any, first_BD: torch.Tensor, second_BD: torch.Tensor, *, redundancy_weight: float) -> Any:
        terms = old(first_BD, second_BD, redundancy_weight=redundancy_weight)
        product_DD = losses._standardise(first_BD).T @ losses._standardise(second_BD)
        invariance = (1 - product_DD.diagonal()).square().sum()
        redundancy = product_DD.square().sum() - product_DD.diagonal().square().sum()
        loss = invariance + redundancy_weight * redundancy
        return terms._replace(loss=loss, invariance=invariance, redundancy=redundancy)

    wrapped(objective, "barlow_twins", change)


def redundancy_rewarded() -> None:
    def change(old: Any, *given: Any, redundancy_weight: float) -> Any:
        return old(*given, redundancy_weight=-redundancy_weight)

    wrapped(objective, "barlow_twins", change)


def fault(
    name: str, sentence: str, source: str, settings: Mapping[str, Any], code: Callable[[], None] | None = None
) -> Fault:
    return Fault(name, "barlow", sentence, source, "barlow", code is None, settings=settings, code=code)


FAULTS = (
    fault(
        "correlation-is-a-sum",
        "The loss does not divide the product of the views by the number of rows, so it is no correlation: a diagonal "
        "of 1 means views that hardly agree, and pretraining drives them apart. Divide by the batch size.",
        "Zbontar et al. 2021, arXiv:2103.03230; threads on its reimplementations",
        FAST,
        sum_over_the_batch,
    ),
    fault(
        "redundancy-is-rewarded",
        "The redundancy term is subtracted: the loss asks for features that repeat each other, and the vectors shrink "
        "to a few dimensions. Add the term.",
        "Jing et al. 2022, arXiv:2110.09348: dimensional collapse",
        FAST | {"pretrain_barlow.redundancy_weight": 0.02},
        redundancy_rewarded,
    ),
    fault(
        "pretrained-far-too-long",
        "Pretraining runs 1,500 steps at a high learning rate over a few hundred texts: its head knows the training "
        "texts by heart and has lost the encoder's general likeness. Take a few dozen steps.",
        "practitioners 32 and 33",
        {"pretrain_barlow.steps": 1500, "pretrain_barlow.learning_rate": 5.0e-3},
    ),
)
