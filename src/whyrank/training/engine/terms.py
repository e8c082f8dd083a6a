"""Terms of the heads themselves, beside the losses of the objectives that go through them."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from whyrank.core.options.params import Head
from whyrank.model.heads.heads import ExpertsHead
from whyrank.training.engine.auxiliary_losses import load_balancing
from whyrank.training.engine.objective import Step, Term


def balancing(heads: nn.Module, options: Head) -> dict[str, Term]:
    """The term that makes the mixtures among some heads use all their experts; none without weight or mixtures."""
    mixtures = [head for head in heads.modules() if isinstance(head, ExpertsHead)]
    return {"balance": Term(options.balance, balance(mixtures))} if mixtures and options.balance > 0 else {}


def balance(mixtures: Sequence[ExpertsHead]) -> Callable[[Step], torch.Tensor]:
    """`load_balancing`, the mean over those mixtures that the step went through in training."""

    def of_step(step: Step) -> torch.Tensor:
        gates = [head.gate_BE for head in mixtures if head.gate_BE is not None]
        for head in mixtures:
            # The next objective may leave one of two heads out: it must not find the gate of this one.
            head.gate_BE = None
        return torch.stack([load_balancing(gate_BE) for gate_BE in gates]).mean() if gates else step.loss.new_zeros(())

    return of_step
