"""What the training loop asks of an objective: its next batch as a loss, and what to record of it."""

from typing import NamedTuple, Protocol

import torch


class Step(NamedTuple):
    loss: torch.Tensor  # scalar, with its graph
    record: dict[str, float]  # one value per column of the history


class Objective(Protocol):
    def step(self) -> Step: ...
