"""Embeddings of tasks and attention between their heads, as Linears and activations of the ranking task alone.

Only ranking leaves as a model of sentence-transformers, which gives one vector for a text; the folder's own heads.json
holds the other tasks too.

Shapes: T tasks · D features of the encoder · O features of a head
"""

import copy
import math
from collections.abc import Sequence

import torch
from torch import nn

from whyrank.model.heads.cross_attention import CrossAttention
from whyrank.model.heads.export import layers
from whyrank.model.heads.gated import ACTIVATION, IDENTITY, Layer
from whyrank.model.heads.task_heads import RANK, TaskHeads

RELU, GLU = f"{ACTIVATION}ReLU", f"{ACTIVATION}GLU"
# A sigmoid of it is 1 in float32, not only nearly.
OPEN = 100.0


def ranking_layers(rank_head: nn.Sequential, tasks: TaskHeads | None) -> list[Layer]:
    """The layers that together give what ranking gets of an encoder's vector, in evaluation mode."""
    if tasks is None:
        return list(layers(rank_head))
    tasks = copy.deepcopy(tasks).cpu().requires_grad_(False)
    if tasks.attention is None or not tasks.attends(RANK):
        return shifted(list(layers(rank_head)), tasks, RANK)
    chains = {name: list(layers(tasks.head(name, rank_head))) for name in tasks.names}
    depth = max(len(chain) for chain in chains.values())
    padded = {name: chain + passing(tasks.attention_width, depth - len(chain)) for name, chain in chains.items()}
    return [
        *side_by_side([shifted(chain, tasks, name) for name, chain in padded.items()]),
        *attended(tasks.attention, tasks.names),
    ]


def shifted(chain: list[Layer], tasks: TaskHeads, name: str) -> list[Layer]:
    """The task's embedding e in the first bias: W (x + e) + b = W x + (W e + b)."""
    if name not in tasks.embedding:
        return chain
    vector_D = tasks.embedding[name]
    if not chain:
        return [(torch.eye(len(vector_D)), vector_D, IDENTITY)]
    (weight, bias, activation), *rest = chain
    return [(weight, bias + weight @ vector_D, activation), *rest]


def passing(width: int, count: int) -> list[Layer]:
    """`count` layers, an even number, that give back what they are given: ReLU(x) - ReLU(-x) = x, exactly."""
    both, zero = torch.cat([torch.eye(width), -torch.eye(width)]), torch.zeros(2 * width)
    return [(both, zero, RELU), (both.T, zero[:width], IDENTITY)] * (count // 2)


def side_by_side(chains: Sequence[list[Layer]]) -> list[Layer]:
    """Chains of one length as one: of a vector (D,) the results of all, (T * O,)."""
    found: list[Layer] = []
    for weights, biases, activations in (zip(*level, strict=True) for level in zip(*chains, strict=True)):
        weight = torch.block_diag(*weights) if found else torch.cat(weights)
        found.append((weight, torch.cat(biases), activations[0]))
    return found


def attended(attention: CrossAttention, names: Sequence[str]) -> list[Layer]:
    """From the vectors of all tasks, (T * O,), that of ranking after it has attended to the others.

    GLU(v, g) = v sigmoid(g): the first half of a layer has the vectors, ranking's first, the second their gates.
    """
    width = attention.width
    pick = dict(zip(names, torch.eye(len(names) * width).split(width), strict=True))
    others = [name for name in names if name != RANK]
    gate_O = attention.query[RANK] / math.sqrt(width)
    gates = [torch.zeros_like(pick[RANK]), *((gate_O @ pick[name]).expand(width, -1) for name in others)]
    bias = [torch.full((width,), OPEN), *(one.expand(width) for one in attention.bias[RANK])]
    values = torch.cat([pick[RANK], *(pick[name] for name in others)])
    output = torch.cat([torch.eye(width), *[attention.output[RANK]] * len(others)], dim=1)
    return [
        (torch.cat([values, *gates]), torch.cat([torch.zeros(len(values)), *bias]), GLU),
        (output, torch.zeros(width), IDENTITY),
    ]
