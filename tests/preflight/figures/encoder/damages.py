"""Mutations of a trained BERT, as transformers are damaged by hand, by other programs, or by wrong names of tensors."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

DAMAGES: dict[str, Callable[[Any], None]] = {}


def damage(change: Callable[[Any], None]) -> Callable[[Any], None]:
    DAMAGES[change.__name__] = change
    return change


def layers(encoder: Any) -> list[Any]:
    return list(encoder.transformer.encoder.layer)


def zero(module: Any) -> None:
    nn.init.zeros_(module.weight)
    nn.init.zeros_(module.bias)


def noise_like(weight: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed)) * weight.std()


def shuffled(weight: torch.Tensor) -> torch.Tensor:
    return weight[torch.randperm(len(weight), generator=torch.Generator().manual_seed(0))]


def of_all(part: str) -> Callable[[Any], None]:
    return lambda encoder: [zero(layer.get_submodule(part)) for layer in layers(encoder)] and None


def of_one(part: str) -> Callable[[Any], None]:
    return lambda encoder: zero(layers(encoder)[2].get_submodule(part))


for name in ("query", "key", "value"):
    DAMAGES[f"zero_{name}_of_all"] = of_all(f"attention.self.{name}")
    DAMAGES[f"zero_{name}_of_one"] = of_one(f"attention.self.{name}")
DAMAGES["zero_feed_forward_of_all"] = of_all("output.dense")
DAMAGES["zero_feed_forward_of_one"] = of_one("output.dense")


@damage
def scores_not_scaled(encoder: Any) -> None:
    for layer in layers(encoder):
        for weight in layer.attention.self.query.parameters():
            weight.data.mul_(22.6)


@damage
def embeddings_shuffled(encoder: Any) -> None:
    weight = encoder.transformer.embeddings.word_embeddings.weight.data
    weight.copy_(shuffled(weight))


@damage
def embeddings_one_row_off(encoder: Any) -> None:
    weight = encoder.transformer.embeddings.word_embeddings.weight.data
    weight.copy_(weight.roll(1, 0))


@damage
def positions_shuffled(encoder: Any) -> None:
    weight = encoder.transformer.embeddings.position_embeddings.weight.data
    weight.copy_(shuffled(weight))


@damage
def heads_moved_in_all(encoder: Any) -> None:
    for layer in layers(encoder):
        weight = layer.attention.output.dense.weight.data
        weight.copy_(weight.roll(layer.attention.self.attention_head_size, 1))


@damage
def neurons_shuffled_in_one(encoder: Any) -> None:
    weight = layers(encoder)[2].output.dense.weight.data
    weight.copy_(shuffled(weight.T).T)


@damage
def query_of_noise_in_all(encoder: Any) -> None:
    for layer in layers(encoder):
        weight = layer.attention.self.query.weight.data
        weight.copy_(noise_like(weight))


@damage
def value_transposed_in_one(encoder: Any) -> None:
    weight = layers(encoder)[2].attention.self.value.weight.data
    weight.copy_(weight.T.clone())


@damage
def sign_turned_in_one(encoder: Any) -> None:
    layers(encoder)[2].output.dense.weight.data.neg_()


@damage
def norm_zero_in_one(encoder: Any) -> None:
    layers(encoder)[2].output.LayerNorm.weight.data.zero_()


@damage
def norm_tenfold_in_all(encoder: Any) -> None:
    for layer in layers(encoder):
        layer.output.LayerNorm.weight.data.mul_(10)


@damage
def layers_drawn_anew(encoder: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    for weight in encoder.transformer.encoder.parameters():
        if weight.ndim > 1:
            weight.data.normal_(0, 0.02, generator=generator)


@damage
def first_layer_everywhere(encoder: Any) -> None:
    first, *others = layers(encoder)
    for layer in others:
        layer.load_state_dict(first.state_dict())


@damage
def upper_features_moved(encoder: Any) -> None:
    """The upper half reads and writes the features of another training, which stand in another order."""
    half = layers(encoder)[3:]
    order = torch.randperm(encoder.width, generator=torch.Generator().manual_seed(0))
    for layer in half:
        for name, weight in layer.named_parameters():
            if name.startswith(("attention.output.", "output.")):
                weight.data = weight.data[order]
            elif weight.ndim > 1:
                weight.data = weight.data[:, order]


@damage
def smaller_weights_zero(encoder: Any) -> None:
    for weight in encoder.transformer.encoder.parameters():
        if weight.ndim > 1:
            weight.data[weight.data.abs() < weight.data.abs().median()] = 0
