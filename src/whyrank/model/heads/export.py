"""The heads of a system as modules of sentence-transformers, so that its `encode` gives the vectors after the heads.

Written file by file: importing that library takes seconds, and every stage that saves a system would pay for them.

Shapes: D features of the encoder · H hidden features · O features of the result
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from whyrank.core import io
from whyrank.model.heads.experts import ExpertsHead
from whyrank.model.heads.gated import ACTIVATION, IDENTITY, Layer, gated
from whyrank.model.heads.heads import MlpHead


def write(folder: Path, routes: Mapping[str, Iterable[Layer]], score: str) -> None:
    """Complete a folder that `Encoder.save` wrote: modules.json, the heads, and the similarity.

    routes   the layers for `query`, which serve both sides where there are none for `document`
    One head for both sides becomes Dense modules. Two heads become a Router: `encode_query` and `encode_document`;
    a text encoded without saying which is taken for an answer. With the cosine, the vectors have unit length.
    """
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    if len(routes) == 1:
        for weight, bias, activation in routes["query"]:
            modules.append((f"{len(modules)}_Dense", "Dense"))
            write_dense(folder / modules[-1][0], weight, bias, activation)
    else:
        modules.append(("2_Router", "Router"))
        write_router(folder / "2_Router", routes)
    if score == "cosine":
        modules.append((f"{len(modules)}_Normalize", "Normalize"))
    named = [{"idx": i, "name": str(i), "path": path, "type": kind_of(name)} for i, (path, name) in enumerate(modules)]
    io.write_json(folder / "modules.json", named)
    io.write_json(
        folder / "config_sentence_transformers.json",
        {"model_type": "SentenceTransformer", "similarity_fn_name": score},
    )


def kind_of(name: str) -> str:
    """The spelling that published models use: the modules themselves moved in versions 5.4 and 6.0."""
    return f"sentence_transformers.models.{name}"


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
    types = {name: kind_of("Dense") for names in structure.values() for name in names}
    parameters = {"default_route": "document", "allow_empty_key": True}
    io.write_json(folder / "router_config.json", {"types": types, "structure": structure, "parameters": parameters})
