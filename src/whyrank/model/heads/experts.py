"""A mixture of experts on top of the pooled vector.

Shapes: B texts · D features · E experts
"""

from typing import Any

import torch
from torch import nn


class ExpertsHead(nn.Module):
    """x + sum_e gate_e(x) * Linear(Dropout(ReLU(Linear(x)))), the last Linear of each expert starting at zero.

        gate = softmax(Linear(x)), with all but the `top` greatest set to 0

    Untrained, it is the identity. The gates kept are not scaled up to sum 1 again: with top = 1 that would make them
    1 whatever the input, and the gate would learn nothing from the loss (Fedus et al. 2021, arXiv:2101.03961).
    All experts are computed: for one vector per text that costs less than sorting texts by expert.
    """

    SIZES = ("width", "experts", "hidden", "dropout", "top")

    def __init__(self, width: int, experts: int, hidden: int, dropout: float, top: int) -> None:
        super().__init__()
        assert 1 <= top <= experts, f"top={top} of {experts} experts"
        self.width, self.experts, self.hidden, self.output = width, experts, hidden, width
        self.dropout, self.top = dropout, top
        self.gate = nn.Linear(width, experts)
        self.layers = nn.ModuleList(_expert(width, hidden, dropout) for _ in range(experts))
        # (B, E) of the last call in training, before any is set to 0: what `load_balancing` takes.
        self.gate_BE: torch.Tensor | None = None

    def forward(self, vector_BD: torch.Tensor) -> torch.Tensor:
        gate_BE = self.gate(vector_BD).softmax(1)
        if self.training:
            self.gate_BE = gate_BE
        dropped_BE = torch.ones_like(gate_BE, dtype=torch.bool)
        dropped_BE.scatter_(1, gate_BE.topk(self.top, dim=1).indices, False)
        added_BED = torch.stack([expert(vector_BD) for expert in self.layers], dim=1)
        return vector_BD + torch.einsum("be,bed->bd", gate_BE.masked_fill(dropped_BE, 0), added_BED)

    def __getstate__(self) -> dict[str, Any]:
        """A copy or a pickle leaves the last gate out: torch refuses to copy a tensor that has a graph."""
        return self.__dict__ | {"gate_BE": None}


def _expert(width: int, hidden: int, dropout: float) -> nn.Sequential:
    last = nn.Linear(hidden, width)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), last)
