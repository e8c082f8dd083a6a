"""What an objective may get beside its own loss: terms of the vectors and of the heads of the same batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn

from whyrank.core.options.params import Head
from whyrank.model.heads.heads import ExpertsHead
from whyrank.training.engine.auxiliary_losses import load_balancing
from whyrank.training.engine.objective import Objective, Step


class Term(NamedTuple):
    weight: float
    loss: Callable[[Step], torch.Tensor]  # of the step whose graph is still there; a scalar


class WithTerms(nn.Module):
    """An objective with terms added to its loss. The history gets `<name>_<term>`, each unweighted."""

    def __init__(self, name: str, objective: Objective, terms: Mapping[str, Term]) -> None:
        super().__init__()
        self.name, self.objective, self.terms = name, objective, terms

    def step(self) -> Step:
        step = self.objective.step()
        found = {name: term.loss(step) for name, term in self.terms.items()}
        total = torch.stack([step.loss, *(self.terms[name].weight * loss for name, loss in found.items())]).sum()
        record = {f"{self.name}_{name}": loss.item() for name, loss in found.items()}
        return step._replace(loss=total, record=step.record | record)

    def skip(self, batches: int) -> None:
        self.objective.skip(batches)

    def kept(self) -> dict[str, Any]:
        return self.objective.kept()

    def take_up(self, kept: dict[str, Any]) -> None:
        self.objective.take_up(kept)


Own = TypeVar("Own", bound=Objective)


def with_terms(name: str, objective: Own, terms: Mapping[str, Term]) -> Own | WithTerms:
    return WithTerms(name, objective, terms) if terms else objective


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
