"""Trainable layers on top of the pooled vector. Each maps (B, D) to (B, O) and knows how to be rebuilt.

Shapes: B texts · D features of the encoder · H hidden features · O features of the result
"""

from typing import Any

import torch
from torch import nn

from whyrank.core.options.objectives import TaskHead
from whyrank.core.options.params import Head as HeadParams
from whyrank.model.heads.experts import ExpertsHead


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
        last = nn.Linear(hidden, width)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), last)

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
