"""What is taken off the vectors of a system before they are compared: the mean of all, and the size of features.

Shapes: N texts · O features of the result
"""

from typing import Any, Literal

import torch
from torch import nn

from whyrank.model.heads.gated import IDENTITY, Layer

Kind = Literal["centred", "standardised"]


class Readout(nn.Module):
    """(x - mean) scale, feature by feature: fixed numbers of the corpus and the training queries.

    kind   centred: the scale is 1; standardised: one over the standard deviation, and 0 of a constant feature
    A cosine counts what all texts share; a loss that subtracts the mean of a batch, as Barlow Twins, cannot see it.
    Mu and Viswanath 2018, arXiv:1702.01417; Su et al. 2021, arXiv:2103.15316.
    """

    mean_O: torch.Tensor
    scale_O: torch.Tensor

    def __init__(self, kind: Kind, width: int) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("mean_O", torch.zeros(width))
        self.register_buffer("scale_O", torch.ones(width))

    def forward(self, vector_NO: torch.Tensor) -> torch.Tensor:
        return (vector_NO - self.mean_O) * self.scale_O

    def describe(self) -> dict[str, Any]:
        """What `rebuild` needs, as plain JSON values."""
        return {"kind": self.kind, "width": len(self.mean_O)}


def fitted(kind: Kind, vector_NO: torch.Tensor) -> Readout:
    """Of vectors of the corpus and the training queries."""
    found = Readout(kind, vector_NO.shape[1]).to(vector_NO.device)
    found.mean_O.copy_(vector_NO.mean(0))
    if kind == "standardised":
        spread_O = vector_NO.std(0)
        is_alive_O = spread_O > 1e-6 * spread_O.max()
        found.scale_O.copy_(torch.where(is_alive_O, 1 / spread_O.clamp(min=1e-30), torch.zeros_like(spread_O)))
    return found


def folded(layers: list[Layer], readout: Readout | None) -> list[Layer]:
    """The layers that give what the read-out makes of their result: a part of the last one, where that is linear."""
    if readout is None:
        return layers
    scale_O, mean_O = readout.scale_O.cpu(), readout.mean_O.cpu()
    if not layers or layers[-1][2] != IDENTITY:
        return [*layers, (torch.diag(scale_O), -scale_O * mean_O, IDENTITY)]
    *before, (weight, bias, activation) = layers
    return [*before, (scale_O[:, None] * weight, scale_O * (bias - mean_O), activation)]
