"""Evaluations on the dev set while training: remember the best weights, and say when patience is at its end."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options.params import EarlyStopping
from whyrank.training.engine import sharding


class DevWatch:
    """rows   one per evaluation: `step`, the dev metrics, and as `choice` the one by which weights are kept

    Without a metric to go by, every evaluation counts as better: the weights of the last step are the best.
    """

    def __init__(
        self,
        trained: nn.Module,
        metrics: Callable[[], dict[str, float]],
        stopping: EarlyStopping,
        steps: int,
        section: str = "finetune_rank",
        rounds: float = 0.0,
    ) -> None:
        """metrics   of the dev set, larger is better; computed before the first step, as often as `stopping` says, and
        after the last of `steps`

        section   of params.yaml, in which `early_stopping` says so
        rounds    through the training pairs that `steps` make
        """
        self.section = section
        self.trained, self.metrics, self.steps = trained, metrics, steps
        self.metric, self.patience = stopping.metric, stopping.patience
        self.due = due_steps(stopping, steps, rounds)
        self.trainable = [name for name, parameter in trained.named_parameters() if parameter.requires_grad]
        self.rows: list[dict[str, float]] = []
        self.best_row = 0
        self.best_state: dict[str, torch.Tensor] = {}

    def is_due(self, step: int) -> bool:
        return step in self.due

    def evaluate(self, step: int) -> bool:
        """Record the dev metrics; returns `is_over`."""
        self.trained.eval()
        with torch.no_grad():
            metrics = self.metrics()
        # One that was there before may be undefined now; it is no better then.
        value = metrics.get(self.metric, -math.inf)
        if self.metric and not any(self.metric in row for row in [*self.rows, metrics]):
            key, known = f"{self.section}.early_stopping.metric", ", ".join(metrics)
            raise UserError(f"params.yaml: `{key}` is {self.metric!r}; known are {known}")
        self.rows.append({"step": step} | metrics | ({"choice": value} if self.metric and math.isfinite(value) else {}))
        if not self.metric or len(self.rows) == 1 or value > self.rows[self.best_row][self.metric]:
            self.best_row, self.best_state = len(self.rows) - 1, changing(self.trained, self.trainable)
        return self.is_over

    @property
    def is_over(self) -> bool:
        """Whether the last `patience` evaluations brought nothing better; a run killed after its last one knows it."""
        return len(self.rows) - 1 - self.best_row >= self.patience

    def restore(self) -> int:
        """Put the best weights back; returns their step."""
        sharding.load(self.trained, self.best_state)
        return int(self.rows[self.best_row]["step"])

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "best_row": self.best_row, "best_state": self.best_state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows, self.best_row, self.best_state = state["rows"], state["best_row"], state["best_state"]

    def __str__(self) -> str:
        if not self.rows or not self.metric:
            return ""
        return f", dev {self.metric} {self.rows[-1].get(self.metric, math.nan):.3f}"


def due_steps(stopping: EarlyStopping, steps: int, rounds: float = 0.0) -> set[int]:
    """After which steps to evaluate: before the first, after so many or evenly spread, and after the last."""
    if stopping.eval_steps:
        return {*range(0, steps + 1, stopping.eval_steps), steps}
    number = stopping.number(rounds)
    return {round(i * steps / number) for i in range(number + 1)}


def changing(trained: nn.Module, trainable: Sequence[str]) -> dict[str, torch.Tensor]:
    """A copy of what training changes: the parameters named, and buffers such as BatchNorm's statistics."""
    frozen = {name for name, _ in trained.named_parameters()} - set(trainable)
    return {name: value.clone() for name, value in trained.state_dict().items() if name not in frozen}
