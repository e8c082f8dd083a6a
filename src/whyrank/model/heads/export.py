"""The heads of a system as modules of sentence-transformers, so that its `encode` gives the vectors after the heads.

Written file by file: importing that library takes seconds, and every stage that saves a system would pay for them.
Only ranking leaves, with the embeddings of tasks and the attention between their heads as Linears and activations: that
library gives one vector for a text. The folder's own heads.json holds the other tasks too.

Shapes: T tasks · D features of the encoder · H hidden features · O features of the result
"""

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from whyrank.core import io
from whyrank.model.encoder.declared import LIBRARY, Declared
from whyrank.model.encoder.projection import type_of, write_modules
from whyrank.model.heads.gated import ACTIVATION, IDENTITY, OPEN, Layer, gated
from whyrank.model.heads.heads import ExpertsHead, MlpHead
from whyrank.model.heads.task_heads import RANK, CrossAttention, TaskHeads


def write(folder: Path, routes: Mapping[str, Iterable[Layer]], score: str, declared: Declared) -> None:
    """Complete a folder that `Encoder.save` wrote: the heads behind its modules, similarity and prompts.

    routes   the layers for `query`, which serve both sides where there are none for `document`
    One head for both sides becomes Dense modules. Two heads become a Router: `encode_query` and `encode_document`;
    a text encoded without saying which is taken for an answer. With the cosine, the vectors that heads give have unit
    length; those of an encoder alone have it where its own files say so.
    """
    modules = [(one["type"].rpartition(".")[2], one["path"]) for one in io.read_json(folder / "modules.json")]
    before = len(modules)
    if len(routes) == 1:
        for weight, bias, activation in routes["query"]:
            modules.append(("Dense", f"{len(modules)}_Dense"))
            write_dense(folder / modules[-1][1], weight, bias, activation)
    else:
        modules.append(("Router", f"{len(modules)}_Router"))
        write_router(folder / modules[-1][1], routes)
    if score == "cosine" and (declared.normalises or len(modules) > before):
        modules.append(("Normalize", f"{len(modules)}_Normalize"))
    write_modules(folder, modules)
    prompts = {"prompts": dict(declared.prompts), "default_prompt_name": declared.default_prompt or None}
    io.write_json(
        folder / LIBRARY,
        {"model_type": "SentenceTransformer", "similarity_fn_name": score} | (prompts if declared.prompts else {}),
    )


def layers(chain: nn.Sequential) -> Iterator[Layer]:
    """Weight (O, D), bias (O,) and activation of the affine maps that together are the chain in eval mode."""
    for head in chain:
        fixed = copy.deepcopy(head).cpu().eval()
        if isinstance(fixed, ExpertsHead):
            yield from gated(fixed)
            continue
        (first, first_bias), (last, last_bias) = folded(fixed) if isinstance(fixed, MlpHead) else widened(fixed)
        yield first, first_bias, f"{ACTIVATION}ReLU"
        yield last, last_bias, IDENTITY


def folded(head: MlpHead) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Both Linears of the head, each with the BatchNorm behind it and its running statistics folded in."""
    layers: Any = head.layers
    first, first_norm, _, _, last, last_norm = layers
    fused = [fuse_linear_bn_eval(first, first_norm), fuse_linear_bn_eval(last, last_norm)]
    return [(linear.weight, linear.bias) for linear in fused]


def widened(head: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """A residual head without a bypass: x goes through the ReLU as x and -x, and ReLU(x) - ReLU(-x) = x, exactly.

    first  (H + 2D, D), last (D, H + 2D)
    """
    inner, outer = head.layers[0], head.layers[-1]
    one_DD, zero_D = torch.eye(head.width), torch.zeros(head.width)
    first = torch.cat([inner.weight, one_DD, -one_DD]), torch.cat([inner.bias, zero_D, zero_D])
    return [first, (torch.cat([outer.weight, one_DD, -one_DD], dim=1), outer.bias)]


def write_dense(folder: Path, weight_OD: torch.Tensor, bias_O: torch.Tensor, activation: str) -> None:
    outputs, inputs = weight_OD.shape
    config = {"in_features": inputs, "out_features": outputs, "bias": True, "activation_function": activation}
    io.write_json(folder / "config.json", config)
    state = {"linear.weight": weight_OD.detach().contiguous(), "linear.bias": bias_O.detach().contiguous()}
    safetensors.torch.save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def write_router(folder: Path, routes: Mapping[str, Iterable[Layer]]) -> None:
    structure: dict[str, list[str]] = {route: [] for route in routes}
    for route, of_route in routes.items():
        for i, (weight, bias, activation) in enumerate(of_route):
            structure[route].append(f"{route}_{i}_Dense")
            write_dense(folder / structure[route][-1], weight, bias, activation)
    types = {name: type_of("Dense") for names in structure.values() for name in names}
    parameters = {"default_route": "document", "allow_empty_key": True}
    io.write_json(folder / "router_config.json", {"types": types, "structure": structure, "parameters": parameters})


RELU, GLU = f"{ACTIVATION}ReLU", f"{ACTIVATION}GLU"


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
