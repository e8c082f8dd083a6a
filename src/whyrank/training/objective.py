"""What the training loop asks of an objective: its next batch as a loss, and what to record of it."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import torch


class Step(NamedTuple):
    loss: torch.Tensor  # scalar, with its graph
    record: dict[str, float]  # one value per column of the history; `tokens`: those that went through the encoder
    texts: Sequence[int] = ()  # numbers of the texts of the batch, for messages


class Objective(Protocol):
    def step(self) -> Step: ...

    def skip(self, batches: int) -> None:
        """Go past batches that an interrupted run has had."""
        ...

    def kept(self) -> dict[str, Any]:
        """What a checkpoint must hold besides weights and the number of batches: tensors, numbers and lists."""
        ...

    def take_up(self, kept: dict[str, Any]) -> None: ...
