"""Trainable layers on top of the pooled vector. Each maps (B, D) to (B, O) and knows how to be rebuilt.

Shapes: B texts · D features of the encoder · H hidden features · O features of the result · E experts
"""

from typing import Any

import torch
from torch import nn

from whyrank.core.options.objectives import TaskHead
from whyrank.core.options.params import Head as HeadParams


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
        self.layers = nn.ModuleList(residual_layers(width, hidden, dropout) for _ in range(experts))
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


def residual_layers(width: int, hidden: int, dropout: float) -> nn.Sequential:
    last = nn.Linear(hidden, width)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), last)


class MlpHead(nn.Module):
    """Linear, BatchNorm, ReLU, Dropout, Linear, BatchNorm: the head of the seed project.

    The last BatchNorm sets the scale of the result, whatever the scale of its input.
    """

    SIZES = ("width", "hidden", "output", "dropout")

    def __init__(self, width: int, hidden: int, output: int, dropout: float) -> None:
        super().__init__()
        self.width, self.hidden, self.output, self.dropout = width, hidden, output, dropout
        self.layers = nn.Sequential(
            nn.Linear(width, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, output),
            nn.BatchNorm1d(output),
        )

    def forward(self, vector_BD: torch.Tensor) -> torch.Tensor:
        return self.layers(vector_BD)


class ResidualHead(nn.Module):
    """x + Linear(Dropout(ReLU(Linear(x)))), the last Linear starting at zero: untrained, it is the identity.

    So training starts from the encoder's own ranking and cannot begin below it.
    """

    SIZES = ("width", "hidden", "output", "dropout")

    def __init__(self, width: int, hidden: int, output: int, dropout: float) -> None:
        super().__init__()
        self.width, self.hidden, self.output, self.dropout = width, hidden, width, dropout
        self.layers = residual_layers(width, hidden, dropout)

    def forward(self, vector_BD: torch.Tensor) -> torch.Tensor:
        return vector_BD + self.layers(vector_BD)


Head = MlpHead | ResidualHead | ExpertsHead
# Each is made of its SIZES, which are its attributes and, but for the width, fields of the parameters.
HEADS: dict[str, type[Head]] = {"mlp": MlpHead, "residual": ResidualHead, "experts": ExpertsHead}


def build(params: HeadParams | TaskHead, width: int) -> nn.Sequential:
    """A chain of one new head, or of none for `kind: none`. Raises UserError for a mixture of impossible sizes."""
    if params.kind == "none":
        return nn.Sequential()
    kind = HEADS[params.kind]
    return nn.Sequential(kind(width=width, **{name: getattr(params, name) for name in kind.SIZES if name != "width"}))


def output_width(chain: nn.Sequential, width: int) -> int:
    """O, the features that come out of a chain fed with `width` of them."""
    for head in chain:
        assert isinstance(head, Head)
        width = head.output
    return width


def describe(chain: nn.Sequential) -> list[dict[str, Any]]:
    """What `rebuild` needs, as plain JSON values."""
    description = []
    for head in chain:
        assert isinstance(head, Head)
        kind = next(name for name, kind in HEADS.items() if type(head) is kind)
        description.append({"kind": kind} | {name: getattr(head, name) for name in head.SIZES})
    return description


def rebuild(description: list[dict[str, Any]]) -> nn.Sequential:
    """The chain of heads that `describe` described, with fresh weights."""
    return nn.Sequential(
        *(HEADS[part["kind"]](**{name: part[name] for name in HEADS[part["kind"]].SIZES}) for part in description)
    )
