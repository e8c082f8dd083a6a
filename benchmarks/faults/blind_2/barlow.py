"""Pretraining with Barlow Twins that aims at the wrong thing, or moves too much."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from whyrank.training.barlow import losses, objective

from ..fault import Fault
from ..patches import wrapped

BARLOW = "pretrain_barlow."
# So that the head moves far enough to matter.
FAST = {BARLOW + "learning_rate": 3.0e-3, BARLOW + "steps": 80}


def ones_for_the_identity() -> None:
    """All correlations are drawn to 1, those of different features, too."""

    def change(old: Any, first_BD: torch.Tensor, second_BD: torch.Tensor, *, redundancy_weight: float) -> Any:
        terms = old(first_BD, second_BD, redundancy_weight=redundancy_weight)
        correlation_DD = losses._standardise(first_BD).T @ losses._standardise(second_BD) / len(first_BD)
        square_DD = (1 - correlation_DD).square()
        redundancy = square_DD.sum() - square_DD.diagonal().sum()
        return terms._replace(loss=terms.invariance + redundancy_weight * redundancy, redundancy=redundancy)

    wrapped(objective, "barlow_twins", change)


def fault(
    name: str, sentence: str, source: str, settings: Mapping[str, Any], code: Callable[[], None] | None = None
) -> Fault:
    return Fault(name, "barlow", sentence, source, "barlow", code is None, settings=settings, code=code)


FAULTS = (
    fault(
        "target-of-ones-for-the-identity",
        "The loss compares the correlations with a matrix of ones in place of the identity: every feature is to agree "
        "with every other one, and the vectors shrink to a single direction. Use torch.eye.",
        "facebookresearch/barlowtwins#5 and #16: the target matrix of the pseudocode",
        FAST,
        ones_for_the_identity,
    ),
    fault(
        "redundancy-term-off",
        "redundancy_weight is 0, left over from a trial: only agreement of the views is trained, which features that "
        "all say the same reach as well, and what tells answers apart is lost. Set it to 0.005.",
        "Zbontar et al. 2021, arXiv:2103.03230, ablations; IgorSusmelj/barlowtwins#1",
        {BARLOW + "redundancy_weight": 0.0, BARLOW + "learning_rate": 1.0e-2, BARLOW + "steps": 400},
    ),
    fault(
        "encoder-pretrained-at-the-rate-of-a-head",
        "Pretraining trains the last layers of the encoder at 0.005, the rate of a fresh head: within some dozen steps "
        "they have lost what the encoder knew. Set encoder_learning_rate to 2e-5, or train to head.",
        "practitioners 33; failures O4",
        {BARLOW + "train": "last", BARLOW + "last_layers": 2, BARLOW + "encoder_learning_rate": 5.0e-3},
    ),
)
