"""What the training loop asks of an objective: its next batch as a loss, and what to record of it.

Shapes: B rows of a batch · E experts of a mixture
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from whyrank.core.options.params import Head
from whyrank.model.heads.heads import ExpertsHead
from whyrank.training.engine.vectors import Vectors


class Step(NamedTuple):
    loss: torch.Tensor  # scalar, with its graph
    record: dict[str, float]  # one value per column of the history; `tokens`: those that went through the encoder
    texts: Sequence[int] = ()  # numbers of the texts of the batch
    # Their vectors as the system gives them, with their graph: those that are compared with each other apart.
    sides: Sequence[torch.Tensor] = ()


class Term(NamedTuple):
    """What is added to the loss of any objective."""

    weight: float
    loss: Callable[[Step], torch.Tensor]  # of the step whose graph is still there; a scalar


class Objective(ABC):
    """A loss on batches of its own; a subclass says in `compute` what the next batch is worth.

    name      its columns of the history begin with it
    weights   what it has for itself and training changes; an empty module where that is nothing
    terms     by name, added to its loss; the history gets each as `<name>_<term>`, unweighted
    """

    name: str

    def __init__(self, vectors: Vectors, batches: Iterator[Any]) -> None:
        self.vectors, self.batches = vectors, batches
        self.weights: nn.Module = nn.Module()
        self.terms: Mapping[str, Term] = {}

    @abstractmethod
    def compute(self) -> Step:
        """The next batch, without the terms."""

    def step(self) -> Step:
        """The next batch, its loss with the terms."""
        step = self.compute()
        if not self.terms:
            return step
        found = {name: term.loss(step) for name, term in self.terms.items()}
        total = torch.stack([step.loss, *(self.terms[name].weight * loss for name, loss in found.items())]).sum()
        record = {f"{self.name}_{name}": loss.item() for name, loss in found.items()}
        return step._replace(loss=total, record=step.record | record)

    def skip(self, batches: int) -> None:
        """Skip batches that an interrupted run has had."""
        for _ in range(batches):
            next(self.batches)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold besides weights and the number of batches: tensors, numbers and lists."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Take up what `state_dict` gave; weights are restored by the loop, and batches are drawn again."""


def merged(records: Iterable[dict[str, float]]) -> dict[str, float]:
    """The columns of one batch of several objectives: tokens add up, and padding is that of all of them."""
    whole: dict[str, float] = {}
    padded = 0.0
    for record in records:
        tokens = whole.get("tokens", 0.0)
        whole |= record
        if "tokens" in record:
            padded += record["tokens"] / (1 - record["padding_share"])
            whole["tokens"] = tokens + record["tokens"]
            whole["padding_share"] = 1 - whole["tokens"] / padded if padded else 0.0
    return whole


def load_balancing(gate_BE: torch.Tensor) -> torch.Tensor:
    """Make a mixture use all its experts.

        L = E * sum_e f_e P_e      f_e: share of the rows whose first choice is e, P_e: mean gate of e

    gate_BE   (B, E) float32, each row a softmax over the experts, before any is dropped
    Returns a scalar; its gradient goes through P alone. Chance, an even gate: 1, also the value of evenly used
    experts. All rows to one expert: up to E. Fedus et al. 2021 (Switch), arXiv:2101.03961.
    """
    experts = gate_BE.shape[1]
    share_E = functional.one_hot(gate_BE.argmax(1), experts).to(gate_BE.dtype).mean(0)
    return experts * (share_E * gate_BE.mean(0)).sum()


def balancing(heads: nn.Module, options: Head) -> dict[str, Term]:
    """The term that makes the mixtures among the heads use all their experts; none without weight or mixtures."""
    mixtures = [head for head in heads.modules() if isinstance(head, ExpertsHead)]
    return {"balance": Term(options.balance, partial(balance, mixtures))} if mixtures and options.balance > 0 else {}


def balance(mixtures: Sequence[ExpertsHead], step: Step) -> torch.Tensor:
    """`load_balancing`, the mean over those mixtures that the step went through in training."""
    gates = [head.gate_BE for head in mixtures if head.gate_BE is not None]
    for head in mixtures:
        # The next objective may leave one of two heads out: it must not find the gate of this one.
        head.gate_BE = None
    return torch.stack([load_balancing(gate_BE) for gate_BE in gates]).mean() if gates else step.loss.new_zeros(())


def not_finite(results: Mapping[str, Step]) -> str:
    """Which term is not a number, and of which texts."""
    name, result = next(((n, r) for n, r in results.items() if not torch.isfinite(r.loss)), next(iter(results.items())))
    texts = ", ".join(str(text) for text in result.texts[:5])
    return f"loss {result.loss.item()} of `{name}` is not finite (texts {texts} … of {len(result.texts)})"
