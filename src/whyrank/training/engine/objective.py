"""What the training loop asks of an objective: its next batch as a loss, and what to record of it."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import torch


class Step(NamedTuple):
    loss: torch.Tensor  # scalar, with its graph
    record: dict[str, float]  # one value per column of the history; `tokens`: those that went through the encoder
    texts: Sequence[int] = ()  # numbers of the texts of the batch
    # Their vectors as the system gives them, with their graph: those that are compared with each other apart.
    sides: Sequence[torch.Tensor] = ()


class Objective(Protocol):
    def step(self) -> Step: ...

    def skip(self, batches: int) -> None:
        """Go past batches that an interrupted run has had."""
        ...

    def kept(self) -> dict[str, Any]:
        """What a checkpoint must hold besides weights and the number of batches: tensors, numbers and lists."""
        ...

    def take_up(self, kept: dict[str, Any]) -> None: ...


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
