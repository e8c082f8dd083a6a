"""Trainable layers on top of the pooled vector. Each maps (B, D) to (B, O) and knows how to be rebuilt.

Shapes: B texts · D features of the encoder · H hidden features · O features of the result
"""

from typing import Any

import torch
from torch import nn

from whyrank.core.objective_params import TaskHead
from whyrank.core.params import Head as HeadParams


class MlpHead(nn.Module):
    """Linear, BatchNorm, ReLU, Dropout, Linear, BatchNorm: the head of the seed project.

    The last BatchNorm sets the scale of the result, whatever the scale of its input.
    """

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

    def __init__(self, width: int, hidden: int, output: int, dropout: float) -> None:
        super().__init__()
        self.width, self.hidden, self.output, self.dropout = width, hidden, width, dropout
        last = nn.Linear(hidden, width)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), last)

    def forward(self, vector_BD: torch.Tensor) -> torch.Tensor:
        return vector_BD + self.layers(vector_BD)


HEADS: dict[str, type[MlpHead] | type[ResidualHead]] = {"mlp": MlpHead, "residual": ResidualHead}


def build(params: HeadParams | TaskHead, width: int) -> nn.Sequential:
    """A chain of one new head, or of none for `kind: none`."""
    if params.kind == "none":
        return nn.Sequential()
    return nn.Sequential(HEADS[params.kind](width, params.hidden, params.output, params.dropout))


def output_width(chain: nn.Sequential, width: int) -> int:
    """O, the features that come out of a chain fed with `width` of them."""
    for head in chain:
        assert isinstance(head, MlpHead | ResidualHead)
        width = head.output
    return width


def describe(chain: nn.Sequential) -> list[dict[str, Any]]:
    """What `rebuild` needs, as plain JSON values."""
    description = []
    for head in chain:
        assert isinstance(head, MlpHead | ResidualHead)
        kind = next(name for name, kind in HEADS.items() if type(head) is kind)
        sizes = {name: getattr(head, name) for name in ("width", "hidden", "output", "dropout")}
        description.append({"kind": kind} | sizes)
    return description


def rebuild(description: list[dict[str, Any]]) -> nn.Sequential:
    """The chain of heads that `describe` described, with fresh weights."""
    return nn.Sequential(
        *(HEADS[part["kind"]](part["width"], part["hidden"], part["output"], part["dropout"]) for part in description)
    )
