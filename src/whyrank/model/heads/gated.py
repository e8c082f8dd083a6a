"""A mixture of experts as linear maps and activations of torch alone, for a reader that knows nothing else.

A gate multiplies, and `GLU` is the one activation that does: a * sigmoid(b). So the gate of an expert, a softmax over
all logits l, has to come as a sigmoid:

    gate_e = sigmoid(l_e - log sum_{j != e} exp l_j),   log(exp t + exp l) = l + softplus(t - l)

and whether an expert is among the `top` as a count of the logits above its own. What a layer only hands on goes
through its activation unharmed: through ReLU and Softplus as x and -x, through Hardtanh made small.

Shapes: D features · E experts · H hidden features of one · S features between two layers
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from whyrank.model.heads.heads import ExpertsHead

Layer = tuple[torch.Tensor, torch.Tensor, str]
ACTIVATION = "torch.nn.modules.activation."
IDENTITY = "torch.nn.modules.linear.Identity"
# A power of 2, so that scaling rounds nothing. What is so large goes through Softplus as through ReLU, and what is so
# small through Hardtanh as it is.
SCALE = 2.0**20
# Logits further apart than its inverse, about their rounding, are told apart as 0 and 1.
STEEP = 2.0**23
# In float32 the sigmoid of this is 1, and of its negative 0 beside any logit.
OPEN, SHUT = 100.0, 1e6


class Affine:
    """weight @ s + bias of the S features s between two layers; float64, so that folding maps together rounds once."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        self.weight, self.bias = weight.double(), bias.double()

    def then(self, linear: nn.Linear) -> "Affine":
        weight = linear.weight.double()
        return Affine(weight @ self.weight, weight @ self.bias + linear.bias.double())

    def __getitem__(self, rows: list[int]) -> "Affine":
        return Affine(self.weight[rows], self.bias[rows])

    def __add__(self, other: "Affine | float") -> "Affine":
        if isinstance(other, Affine):
            return Affine(self.weight + other.weight, self.bias + other.bias)
        return Affine(self.weight, self.bias + other)

    def __mul__(self, factor: float) -> "Affine":
        return Affine(self.weight * factor, self.bias * factor)

    def __sub__(self, other: "Affine") -> "Affine":
        return self + other * -1.0

    def __len__(self) -> int:
        return len(self.bias)


def gated(head: ExpertsHead) -> Iterator[Layer]:
    """Weight (O, S), bias (O,) and activation of layers that together are the head, dropout off; GLU halves its O.

    Their number: 3, one more for each expert beyond the second, and one for a `top` below the number of experts.
    Equal logits at the edge of the `top`, of which the head takes any, count half here.
    """
    experts, own = head.experts, torch.eye(head.width)
    others = [[other for other in range(experts) if other != expert] for expert in range(experts)]
    x = Affine(own, torch.zeros(head.width))
    rest = x.then(head.gate)[[row[0] for row in others]]
    for place in range(1, experts - 1):
        following = [row[place] for row in others]
        parts = [rest - x.then(head.gate)[following], x * SCALE, x * -SCALE]
        layer, (softened, plus, minus) = stacked(parts, "Softplus")
        yield layer
        x = (plus - minus) * (1 / SCALE)
        rest = x.then(head.gate)[following] + softened
    odds = x.then(head.gate) - rest
    beyond: list[Affine] = []
    if head.top < experts:
        layer, (above, x, odds) = stacked(
            [compared(x.then(head.gate), others), x * (1 / SCALE), odds * (1 / SCALE)], "Hardtanh"
        )
        yield layer
        x, odds = x * SCALE, odds * SCALE
        beyond = [counted(above, experts) + (1.0 - head.top)]
    yield from mixed(head, x, odds, beyond)
    yield own.repeat(1, experts + 1), torch.zeros(head.width), IDENTITY


def mixed(head: ExpertsHead, x: Affine, odds: Affine, beyond: list[Affine]) -> Iterator[Layer]:
    """The experts, and what each adds times its gate, with x behind them.

    odds     log of gate / (1 - gate)
    beyond   of one element, above 0 for an expert that is dropped, or empty
    """
    layers: Any = head.layers
    inner, outer = [expert[0] for expert in layers], [expert[-1] for expert in layers]
    parts = [*(x.then(linear) for linear in inner), x, x * -1.0, odds, odds * -1.0, *beyond]
    layer, after = stacked(parts, "ReLU")
    yield layer
    hidden, (plus, minus, for_it, against, *dropped) = after[: head.experts], after[head.experts :]
    odds = for_it - against
    for one in dropped:
        odds = odds - one * SHUT
    added = [one.then(linear) for one, linear in zip(hidden, outer, strict=True)]
    gates = [odds[[expert] * head.width] for expert in range(head.experts)]
    yield stacked([*added, plus - minus, *gates, plus * 0.0 + OPEN], "GLU")[0]


def compared(logit: Affine, others: Sequence[list[int]]) -> Affine:
    """How far each other logit lies above an expert's own, for one expert after the other."""
    own = [expert for expert, row in enumerate(others) for _ in row]
    return (logit[[other for row in others for other in row]] - logit[own]) * STEEP


def counted(above: Affine, experts: int) -> Affine:
    """How many logits lie above each expert's own, of 1 for each that does and -1 for each that does not."""
    weight, bias = above.weight.unflatten(0, (experts, -1)), above.bias.unflatten(0, (experts, -1))
    return Affine((weight / 2).sum(1), ((bias + 1) / 2).sum(1))


def stacked(parts: Sequence[Affine], activation: str) -> tuple[Layer, list[Affine]]:
    """The layer that computes some maps, one under the other, and the maps that take its results apart again."""
    weight, bias = torch.cat([one.weight for one in parts]), torch.cat([one.bias for one in parts])
    pieces = torch.eye(len(bias)).split([len(one) for one in parts])
    return (
        (weight.float(), bias.float(), ACTIVATION + activation),
        [Affine(piece, torch.zeros(len(piece))) for piece in pieces],
    )
