"""How far training has moved each part: one that never moves is frozen by accident, one that leaps learns too fast."""

from collections.abc import Sequence

import torch
from torch import nn

from whyrank.training.engine import sharding
from whyrank.training.engine.optimiser import block_of


class Movement:
    """Remembers where the named parameters of `trained` start."""

    def __init__(self, trained: nn.Module, names: Sequence[str]) -> None:
        self.trained = trained
        parameters = dict(trained.named_parameters())
        self.start: dict[str, dict[str, torch.Tensor]] = {}
        for name in names:
            self.start.setdefault(part_of(name), {})[name] = parameters[name].detach().clone()
        self.length = {part: float(sharding.norm(own.values())) for part, own in self.start.items()}

    def __call__(self) -> dict[str, float]:
        """`moved_heads`, `moved_block_5`, …: length of the change of the weights over the length they started with.

        Without unit, at least 0; AdamW moves every weight by about one learning rate a step.
        """
        parameters = dict(self.trained.named_parameters())
        moved = {}
        for part, own in self.start.items():
            change = sharding.norm([parameters[name].detach() - start for name, start in own.items()])
            moved[part] = float(change) / max(self.length[part], 1e-12)
        return moved


def part_of(name: str) -> str:
    """Column of the history that a parameter's movement is counted in."""
    if "encoder" not in name.split("."):
        return "moved_heads"
    return f"moved_block_{block_of(name)}" if block_of(name) >= 0 else "moved_embeddings"
