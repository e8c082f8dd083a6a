"""Bugs of the ranking loss and of its gradient."""

import torch

from ..fault import Fault
from ..patching import replace


def targets_one_off() -> None:
    from whyrank.training.ranking import losses

    def wrong(logit_BC: torch.Tensor, target_B: torch.Tensor, ignored_BC: torch.Tensor) -> torch.Tensor:
        return right(logit_BC, (target_B + 1) % logit_BC.shape[1], ignored_BC)

    right = replace(losses, "ranking_cross_entropy", wrong)


def mask_inverted() -> None:
    from whyrank.training.ranking import losses

    def wrong(logit_BC: torch.Tensor, target_B: torch.Tensor, ignored_BC: torch.Tensor) -> torch.Tensor:
        return right(logit_BC, target_B, ~ignored_BC)

    right = replace(losses, "ranking_cross_entropy", wrong)


def divided_by_the_scale() -> None:
    from whyrank.training.ranking import losses

    def wrong(
        query_BD: torch.Tensor,
        answer_CD: torch.Tensor,
        scale: torch.Tensor,
        target_B: torch.Tensor,
        ignored_BC: torch.Tensor,
    ) -> torch.Tensor:
        return right(query_BD, answer_CD, 1 / scale, target_B, ignored_BC)

    right = replace(losses, "cross_entropy", wrong)


def one_side_learns_backwards() -> None:
    from whyrank.model.system import System

    def wrong(self: System, query_ND: torch.Tensor, answer_MD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        query_NO, answer_MO = right(self, query_ND, answer_MD)
        if query_NO.requires_grad:
            query_NO.register_hook(lambda gradient: -gradient)
        return query_NO, answer_MO

    right = replace(System, "project", wrong)


FAULTS = (
    Fault(
        name="targets-one-column-off",
        about="code",
        sentence="In the loss the target of each query is the column behind its own: training pulls queries towards "
        "the answers of others. Correct the index of the target.",
        source="ST PR#3453 (gathered columns misaligned); off-by-one operators of mutation testing",
        code=targets_one_off,
    ),
    Fault(
        name="loss-mask-inverted",
        about="code",
        sentence="The mask of the loss is inverted: it leaves out the wrong answers and keeps other right ones, so "
        "there is nothing to tell apart and the loss is 0. Negate the mask.",
        source="pytorch key_padding_mask against transformers attention_mask (opposite senses)",
        code=mask_inverted,
    ),
    Fault(
        name="divided-by-the-scale",
        about="code",
        sentence="The loss divides cosines by the scale of 20 in place of multiplying them: a temperature of 20, "
        "under which all answers look alike. Multiply by the scale.",
        source="ST#3054; FE temperature 0.02 against scale 50",
        code=divided_by_the_scale,
    ),
    Fault(
        name="query-gradient-has-the-wrong-sign",
        about="code",
        sentence="The gradient of the queries comes back with the wrong sign: answers move towards their queries and "
        "queries away from their answers. Correct the sign in the backward pass.",
        source="ST 5.7.0 notes (wrong gradients in cached losses); dlib#2518",
        code=one_side_learns_backwards,
    ),
)
