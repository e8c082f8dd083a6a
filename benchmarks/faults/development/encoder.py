"""An encoder whose weights or files are not what they were: mutation operators of the DEForm kind, on MiniLM."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.faults.fault import Change, Fault
from benchmarks.faults.weights import State, in_json, in_weights, named, permuted, zero

OPERATORS = "DEFault++ (2026), mutation operators of transformers: "
WORDS = "embeddings.word_embeddings.weight"
POSITIONS = "embeddings.position_embeddings.weight"


def query_key_exchanged(state: State, random: np.random.Generator) -> None:
    for query in named(state, "attention.self.query.weight"):
        key = query.replace("query", "key")
        state[query], state[key] = state[key].T, state[query].T


def attention_without_scale(state: State, random: np.random.Generator) -> None:
    for name in named(state, "attention.self.query"):
        state[name] = state[name] * math.sqrt(32) * 4


def value_heads_permuted(state: State, random: np.random.Generator) -> None:
    order = permuted(12, random)
    for name in named(state, "attention.self.value"):
        heads = state[name].unflatten(0, (12, 32))[order]
        state[name] = heads.flatten(0, 1)


def positions_lost(state: State, random: np.random.Generator) -> None:
    state[POSITIONS] = torch.zeros_like(state[POSITIONS])


def positions_shuffled(state: State, random: np.random.Generator) -> None:
    state[POSITIONS] = state[POSITIONS][permuted(len(state[POSITIONS]), random)]


def positions_all_first(state: State, random: np.random.Generator) -> None:
    state[POSITIONS] = state[POSITIONS][:1].expand_as(state[POSITIONS])


def words_shuffled(state: State, random: np.random.Generator) -> None:
    state[WORDS][1000:] = state[WORDS][1000:][permuted(len(state[WORDS]) - 1000, random)]


def words_off_by_one(state: State, random: np.random.Generator) -> None:
    state[WORDS] = state[WORDS].roll(1, 0)


def half_of_the_words_missing(state: State, random: np.random.Generator) -> None:
    rows = torch.from_numpy(random.random(len(state[WORDS])) < 0.5)
    state[WORDS][rows] = 0.02 * torch.from_numpy(random.standard_normal((int(rows.sum()), 384))).float()


def normalisation_reset(state: State, random: np.random.Generator) -> None:
    for name in state:
        if "LayerNorm" in name:
            state[name] = torch.ones_like(state[name]) if name.endswith("weight") else torch.zeros_like(state[name])


def layers_reversed(state: State, random: np.random.Generator) -> None:
    old = dict(state)
    for number in range(6):
        for name in named(old, "", range(number, number + 1)):
            state[name.replace(f"layer.{number}.", f"layer.{5 - number}.")] = old[name]


def last_layers_fresh(state: State, random: np.random.Generator) -> None:
    for name in named(state, "weight", range(3, 6)):
        if state[name].ndim > 1:
            state[name] = 0.02 * torch.from_numpy(random.standard_normal(tuple(state[name].shape))).float()


def all_fresh(state: State, random: np.random.Generator) -> None:
    for name, tensor in state.items():
        if tensor.ndim > 1 and tensor.is_floating_point():
            state[name] = 0.02 * torch.from_numpy(random.standard_normal(tuple(tensor.shape))).float()


def transposed(state: State, random: np.random.Generator) -> None:
    for part in ("attention.self.value.weight", "attention.output.dense.weight"):
        for name in named(state, part):
            state[name] = state[name].T


def biases_dropped(state: State, random: np.random.Generator) -> None:
    for name in named(state, "bias"):
        state[name] = torch.zeros_like(state[name])


def noise(state: State, random: np.random.Generator) -> None:
    for name in named(state, "weight"):
        if state[name].ndim > 1:
            drawn = torch.from_numpy(random.standard_normal(tuple(state[name].shape))).float()
            state[name] = state[name] + 0.8 * state[name].std() * drawn


def two_bits(state: State, random: np.random.Generator) -> None:
    for name in named(state, "weight"):
        if state[name].ndim > 1:
            step = state[name].std() * 1.5
            state[name] = (state[name] / step).round().clamp(-1, 1) * step


def rogue_features(state: State, random: np.random.Generator) -> None:
    name = "encoder.layer.5.output.LayerNorm.bias"
    state[name][:2] = state[name][:2] + 12


def cone(state: State, random: np.random.Generator) -> None:
    state["encoder.layer.5.output.LayerNorm.weight"] = state["encoder.layer.5.output.LayerNorm.weight"] * 0.001
    state["encoder.layer.5.output.LayerNorm.bias"] = torch.from_numpy(random.standard_normal(384)).float()


def residual_drowned(state: State, random: np.random.Generator) -> None:
    for name in named(state, ".output.dense"):
        state[name] = state[name] * 3


def activation(values: Any) -> None:
    values["hidden_act"] = "tanh"


def two_layers(values: Any) -> None:
    values["num_hidden_layers"] = 2


def epsilon(values: Any) -> None:
    values["layer_norm_eps"] = 50.0


def three_heads(values: Any) -> None:
    values["num_attention_heads"] = 3


def pooled_by_cls(values: Any) -> None:
    values["pooling_mode_cls_token"], values["pooling_mode_mean_tokens"] = True, False


def cased(values: Any) -> None:
    values["normalizer"]["lowercase"] = False


def without_special_tokens(values: Any) -> None:
    values["post_processor"] = None


def of_tokenizers(edit: Callable[[Any], None]) -> Change:
    """The tokenizer as the library tokenizers saves it: transformers' own class would take only its vocabulary."""

    def change(folder: Path, random: np.random.Generator) -> None:
        in_json("tokenizer.json", edit)(folder, random)
        in_json("tokenizer_config.json", lambda values: values.update(tokenizer_class="PreTrainedTokenizerFast"))(
            folder, random
        )

    return change


def another_vocabulary(values: Any) -> None:
    vocabulary = values["model"]["vocab"]
    words = [word for word, number in vocabulary.items() if number >= 1000]
    ids = [vocabulary[word] for word in words]
    shift = 7001
    for at, word in enumerate(words):
        vocabulary[word] = ids[(at + shift) % len(ids)]


def fault(name: str, sentence: str, change: Any, operator: str) -> Fault:
    return Fault(name, "encoder", sentence, OPERATORS + operator, encoder=change)


FAULTS = (
    fault("query-zeroed", "the query weights of the attention are zero: every token attends evenly",
          zero("attention.self.query"), "query zeroed"),
    fault("key-zeroed-above", "the key weights of the upper three layers are zero",
          zero("attention.self.key", range(3, 6)), "key zeroed"),
    fault("value-zeroed", "the value weights of four layers are zero: their attention adds nothing",
          zero("attention.self.value", range(1, 5)), "value zeroed"),
    fault("query-key-exchanged", "query and key weights are exchanged and transposed",
          in_weights(query_key_exchanged), "projections swapped"),
    fault("attention-without-scale", "attention scores are not divided by the root of the head size: they saturate",
          in_weights(attention_without_scale), "scale removed"),
    fault("value-heads-permuted", "the heads of the values are in another order than those of the output",
          in_weights(value_heads_permuted), "heads permuted"),
    fault("positions-lost", "position embeddings are zero: the encoder reads a bag of words",
          in_weights(positions_lost), "positions removed"),
    fault("positions-shuffled", "position embeddings are shuffled",
          in_weights(positions_shuffled), "positions shuffled"),
    fault("positions-all-first", "every token has the first position",
          in_weights(positions_all_first), "positions constant"),
    fault("words-shuffled", "the rows of the word embeddings are shuffled: ids mean other words",
          in_weights(words_shuffled), "embedding rows shuffled"),
    fault("words-off-by-one", "token ids are one off the rows of the word embeddings",
          in_weights(words_off_by_one), "embedding rows shifted"),
    fault("half-of-the-words-missing", "half of the word embeddings are random: they were not loaded",
          in_weights(half_of_the_words_missing), "embedding rows lost"),
    fault("normalisation-reset", "the gains and biases of all LayerNorms are as at initialisation",
          in_weights(normalisation_reset), "LayerNorm out"),
    fault("layers-reversed", "the layers are in reverse order", in_weights(layers_reversed), "layers swapped"),
    fault("last-layers-fresh", "the last three layers have random weights: they were not loaded",
          in_weights(last_layers_fresh), "layers reset"),
    fault("all-weights-fresh", "the encoder has random weights: nothing was loaded",
          in_weights(all_fresh), "weights reset"),
    fault("projections-transposed", "value and output projections are transposed, as by a wrong conversion",
          in_weights(transposed), "weights transposed"),
    fault("feed-forward-zeroed", "the feed-forward parts of five layers are zero",
          zero("intermediate.dense", range(1, 6)), "FFN zeroed"),
    fault("biases-dropped", "all biases of the layers are zero", in_weights(biases_dropped), "bias dropped"),
    fault("weights-noisy", "the weights are noisy, as after a wrong averaging", in_weights(noise), "weights noisy"),
    fault("weights-of-two-bits", "the weights were rounded to three values", in_weights(two_bits), "quantised"),
    fault("rogue-features", "two features of the last LayerNorm dwarf all others",
          in_weights(rogue_features), "bias outlier"),
    fault("vectors-in-a-cone", "all vectors are nearly one vector", in_weights(cone), "output scaled"),
    fault("residual-drowned", "the parts outside the residual path are three times too large",
          in_weights(residual_drowned), "residual scaled"),
    fault("activation-replaced", "the activation is tanh, not GELU",
          in_json("config.json", activation), "activation replaced"),
    fault("two-of-six-layers", "two of six layers were loaded", in_json("config.json", two_layers), "layers removed"),
    fault("epsilon-of-fifty", "the epsilon of LayerNorm is 50", in_json("config.json", epsilon), "LayerNorm epsilon"),
    fault("three-heads-for-twelve", "attention is split into 3 heads, not 12",
          in_json("config.json", three_heads), "heads merged"),
    fault("pooled-by-cls", "the encoder is pooled by [CLS]; it was trained with the mean",
          in_json("1_Pooling/config.json", pooled_by_cls), "pooling replaced"),
    fault("tokenizer-cased", "the tokenizer does not lower-case, and the vocabulary has no capitals",
          of_tokenizers(cased), "tokenizer replaced"),
    fault("no-special-tokens", "the tokenizer sets no [CLS] and [SEP]",
          of_tokenizers(without_special_tokens), "special tokens removed"),
    fault("vocabulary-of-another-encoder", "the tokenizer has the vocabulary of another encoder",
          in_json("tokenizer.json", another_vocabulary), "tokenizer replaced"),
)  # fmt: skip
