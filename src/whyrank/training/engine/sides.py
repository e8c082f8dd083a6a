"""The gradient that a loss sends to each side of what it compares: a side without one is not trained by it."""

from collections.abc import Mapping
from functools import partial

import torch

from whyrank.training.engine.objective import Step


class SideGradients:
    """Looks on while the gradients of some steps are computed."""

    def __init__(self, steps: Mapping[str, Step]) -> None:
        """steps   by objective; one that compares frozen vectors has no columns"""
        self.columns: dict[str, float] = {}
        for name, step in steps.items():
            if not any(side.requires_grad for side in step.sides):
                continue
            for number, side in enumerate(step.sides, start=1):
                column = f"{name}_side_{number}_gradient"
                self.columns[column] = 0.0
                if side.requires_grad and len(side):
                    side.register_hook(partial(self._add, column))

    def _add(self, column: str, gradient: torch.Tensor) -> None:
        self.columns[column] += float(gradient.norm())
