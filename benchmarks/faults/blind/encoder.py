"""Encoders that were pruned, converted or put together wrongly."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..fault import Change, Fault
from ..weights import Edit, State, in_json, in_weights, permuted

LAYER = re.compile(r"encoder\.layer\.(\d+)\.(.*)")
HIDDEN_IN = ("attention.self.query.weight", "attention.self.key.weight", "attention.self.value.weight",
             "intermediate.dense.weight")  # fmt: skip


def layered(state: State) -> list[tuple[str, int, str]]:
    """(name, layer, name within the layer) of each tensor of a layer."""
    found = [(name, LAYER.search(name)) for name in state]
    return [(name, int(one[1]), one[2]) for name, one in found if one]


def depth(state: State) -> int:
    return 1 + max(number for _, number, _ in layered(state))


def heads_pruned(folder: Path, random: np.random.Generator) -> None:
    """Of every layer a quarter of the heads, and one at least, is left."""
    heads = json.loads((folder / "config.json").read_text(encoding="utf-8"))["num_attention_heads"]

    def edit(state: State, random: np.random.Generator) -> None:
        for name, _, part in layered(state):
            if part == "attention.output.dense.weight":
                by_head = state[name].clone().unflatten(1, (heads, -1))
                by_head[:, permuted(heads, random)[max(1, heads // 4) :]] = 0
                state[name] = by_head.flatten(1)

    in_weights(edit)(folder, random)


def pruned_by_size(share: float) -> Edit:
    def edit(state: State, random: np.random.Generator) -> None:
        for name, _, _ in layered(state):
            if state[name].ndim > 1:
                least = state[name].abs().flatten().kthvalue(round(share * state[name].numel())).values
                state[name] = state[name] * (state[name].abs() > least)

    return edit


def one_layer_everywhere(state: State, random: np.random.Generator) -> None:
    for name, number, part in layered(state):
        state[name] = state[name.replace(f"layer.{number}.{part}", f"layer.0.{part}")]


def upper_half_of_another(state: State, random: np.random.Generator) -> None:
    """The upper layers in a basis of their own: right by themselves, and not with what lies below."""
    half = depth(state) // 2
    order = None
    for name, number, part in layered(state):
        if number < half:
            continue
        if part in HIDDEN_IN:
            order = permuted(state[name].shape[1], random) if order is None else order
            state[name] = state[name][:, order]
    assert order is not None
    for name, number, part in layered(state):
        is_out = part.startswith(("attention.output.", "output."))
        if number >= half and is_out:
            state[name] = state[name][order]


def gain_without_its_one(state: State, random: np.random.Generator) -> None:
    for name, _, part in layered(state):
        if part.endswith("LayerNorm.weight"):
            state[name] = state[name] - 1


def neurons_out_of_order(state: State, random: np.random.Generator) -> None:
    for name, _, part in layered(state):
        if part == "output.dense.weight":
            state[name] = state[name][:, permuted(state[name].shape[1], random)]


def without_prefix(values: Any) -> None:
    values["model"]["continuing_subword_prefix"] = ""


def long_words_unknown(values: Any) -> None:
    values["model"]["max_input_chars_per_word"] = 5


def fault(name: str, sentence: str, change: Change, source: str) -> Fault:
    return Fault(name, "encoder", sentence, source, encoder=change)


def weights(name: str, sentence: str, edit: Edit, source: str) -> Fault:
    return fault(name, sentence, in_weights(edit), source)


def of_tokenizers(values: Any) -> None:
    """As tokenizers alone saves it: a class of transformers' own takes nothing but the words from the file."""
    values["tokenizer_class"] = "PreTrainedTokenizerFast"


def tokenizer(name: str, sentence: str, edit: Callable[[Any], None], source: str) -> Fault:
    def change(folder: Path, random: np.random.Generator) -> None:
        in_json("tokenizer.json", edit)(folder, random)
        in_json("tokenizer_config.json", of_tokenizers)(folder, random)

    return fault(name, sentence, change, source)


OPERATORS = "DEFault++ (2026), mutation operators of transformers: "
FAULTS = (
    fault(
        "three-quarters-of-the-heads-pruned",
        "Three quarters of the attention heads of every layer were pruned for speed, and nothing was trained "
        "afterwards. Take the encoder before pruning, or train it on.",
        heads_pruned,
        "Michel et al. 2019, arXiv:1905.10650",
    ),
    weights(
        "pruned-by-size-without-retraining",
        "The smaller 75 % of the weights of every layer were set to zero, and nothing was trained afterwards. Take the "
        "encoder before pruning, or train it on.",
        pruned_by_size(0.75),
        "Gordon et al. 2020, arXiv:2002.08307",
    ),
    weights(
        "first-layer-written-for-all",
        "The export wrote the first layer's weights for every layer, as a loop over a variable that never changes "
        "does. Export the encoder again.",
        one_layer_everywhere,
        OPERATORS + "layers duplicated",
    ),
    weights(
        "upper-half-of-another-training",
        "The weights are shards of two trainings: the upper half of the layers belongs to another one, whose features "
        "stand in another order. Bring the shards of one training.",
        upper_half_of_another,
        "transformers threads on mixed checkpoint shards",
    ),
    weights(
        "layer-norm-gain-without-its-one",
        "The gains of LayerNorm were stored as what they are above 1, and are read as the gains themselves: each is "
        "too small by 1, and what passes is mostly bias. Add 1 when converting.",
        gain_without_its_one,
        "llama.cpp and transformers threads on zero-centred gains",
    ),
    weights(
        "feed-forward-neurons-out-of-order",
        "The second matrix of each feed-forward part has its columns in another order than the first one its rows: "
        "neurons write what others should. Convert both in one order.",
        neurons_out_of_order,
        OPERATORS + "FFN permuted",
    ),
    tokenizer(
        "subword-prefix-lost",
        "The tokenizer lost the prefix ## of word pieces: the second part of a split word becomes a word of its own. "
        "Set continuing_subword_prefix to ##.",
        without_prefix,
        "tokenizers threads on converted WordPiece models",
    ),
    tokenizer(
        "long-words-unknown",
        "The tokenizer takes words of at most 5 letters (max_input_chars_per_word), and every longer word is [UNK]. "
        "Set it to 100.",
        long_words_unknown,
        OPERATORS + "tokenizer limits",
    ),
)
