"""How far training has moved each part: one that never moves is frozen by accident, one that leaps learns too fast."""

from collections.abc import Sequence

import torch
from torch import nn

from whyrank.training.optimiser import block_of


class Movement:
    """Remembers where the named parameters of `trained` start."""

    def __init__(self, trained: nn.Module, names: Sequence[str]) -> None:
        self.trained = trained
        parameters = dict(trained.named_parameters())
        self.start = {name: parameters[name].detach().clone() for name in names}
        self.size = self._lengths(self.start)

    def __call__(self) -> dict[str, float]:
        """`moved_heads`, `moved_block_5`, …: length of the change of the weights over the length they started with.

        Without unit, at least 0; AdamW moves every weight by about one learning rate a step.
        """
        parameters = dict(self.trained.named_parameters())
        change = self._lengths({name: parameters[name].detach() - start for name, start in self.start.items()})
        return {part: change[part] / max(self.size[part], 1e-12) for part in change}

    @staticmethod
    def _lengths(tensors: dict[str, torch.Tensor]) -> dict[str, float]:
        squares: dict[str, list[torch.Tensor]] = {}
        for name, tensor in tensors.items():
            squares.setdefault(part_of(name), []).append(torch.linalg.vector_norm(tensor))
        return {part: float(torch.linalg.vector_norm(torch.stack(norms))) for part, norms in squares.items()}


def part_of(name: str) -> str:
    """Column of the history that a parameter's movement is counted in."""
    if "encoder" not in name.split("."):
        return "moved_heads"
    return f"moved_block_{block_of(name)}" if block_of(name) >= 0 else "moved_embeddings"
