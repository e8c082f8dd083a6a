"""Encoders that were made smaller, converted or tokenised in a way that nobody tested."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..blind.encoder import layered, of_tokenizers
from ..fault import Change, Fault
from ..weights import Edit, State, in_json, in_weights

EMBEDDINGS = "embeddings.word_embeddings.weight"


def low_rank(state: State, random: np.random.Generator) -> None:
    """One of 24 dimensions of the word embeddings, those of most variance, is left: 16 of 384."""
    mean_1D = state[EMBEDDINGS].mean(0, keepdim=True)
    centred_VD = state[EMBEDDINGS] - mean_1D
    axes_DD = torch.linalg.eigh(centred_VD.T @ centred_VD).eigenvectors
    kept_DR = axes_DD[:, -max(2, axes_DD.shape[1] // 24) :]
    state[EMBEDDINGS] = mean_1D + centred_VD @ kept_DR @ kept_DR.T


def config_of(folder: Path) -> Any:
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))


def heads_interleaved(folder: Path, random: np.random.Generator) -> None:
    """Rows of queries, keys and values by place within the head, then by head."""
    heads = config_of(folder)["num_attention_heads"]

    def edit(state: State, random: np.random.Generator) -> None:
        for name, _, part in layered(state):
            if part.startswith(("attention.self.query.", "attention.self.key.", "attention.self.value.")):
                state[name] = state[name].unflatten(0, (heads, -1)).transpose(0, 1).flatten(0, 1)

    in_weights(edit)(folder, random)


def feed_forward_cut(folder: Path, random: np.random.Generator) -> None:
    """The first eighth of the neurons is left."""
    kept = config_of(folder)["intermediate_size"] // 8

    def edit(state: State, random: np.random.Generator) -> None:
        for name, _, part in layered(state):
            if part.startswith("intermediate.dense."):
                state[name] = state[name][:kept]
            elif part == "output.dense.weight":
                state[name] = state[name][:, :kept]

    in_weights(edit)(folder, random)
    in_json("config.json", lambda values: values.update(intermediate_size=kept))(folder, random)


def gains_and_biases_exchanged(state: State, random: np.random.Generator) -> None:
    for name, _, part in layered(state):
        if part == "output.LayerNorm.weight":
            other = name.replace(".weight", ".bias")
            state[name], state[other] = state[other], state[name]


def punctuation_kept(values: Any) -> None:
    values["pre_tokenizer"] = {"type": "WhitespaceSplit"}


def vocabulary_trimmed(values: Any) -> None:
    """A tenth of the ids and the special tokens are left."""
    vocabulary = values["model"]["vocab"]
    special = {one["content"] for one in values["added_tokens"]} | {values["model"]["unk_token"]}
    values["model"]["vocab"] = {
        word: number for word, number in vocabulary.items() if number < len(vocabulary) / 10 or word in special
    }


def fault(name: str, sentence: str, change: Change, source: str) -> Fault:
    return Fault(name, "encoder", sentence, source, encoder=change)


def weights(name: str, sentence: str, edit: Edit, source: str) -> Fault:
    return fault(name, sentence, in_weights(edit), source)


def tokenizer(name: str, sentence: str, edit: Callable[[Any], None], source: str) -> Fault:
    def change(folder: Path, random: np.random.Generator) -> None:
        in_json("tokenizer.json", edit)(folder, random)
        in_json("tokenizer_config.json", of_tokenizers)(folder, random)

    return fault(name, sentence, change, source)


FAULTS = (
    weights(
        "word-embeddings-of-rank-sixteen",
        "The word embeddings were factorised to save memory, with 16 dimensions in place of 384, and nothing was "
        "trained afterwards: most words became one another's neighbours. Use a larger rank, or the original.",
        low_rank,
        "Lan et al. 2020, arXiv:1909.11942: factorised embeddings, trained as such",
    ),
    fault(
        "heads-interleaved-by-the-conversion",
        "The conversion read the rows of queries, keys and values as place within the head, then head, and they stand "
        "by head: every head has a feature of each other one. Convert with the layout of the checkpoint.",
        heads_interleaved,
        "NVIDIA-NeMo/RL#2802 and huggingface/transformers#12007: layout of query_key_value",
    ),
    fault(
        "feed-forward-cut-to-an-eighth",
        "Of every feed-forward part an eighth of the neurons was kept, the first by number and not by use, and nothing "
        "was trained afterwards. Take the encoder before pruning, or train it on.",
        feed_forward_cut,
        "Michel et al. 2019, arXiv:1905.10650; Kurtic et al. 2022, arXiv:2203.07259: structured pruning",
    ),
    weights(
        "gains-and-biases-exchanged",
        "The conversion exchanged gain and bias of the LayerNorm behind each feed-forward part, which have one shape: "
        "what passes is scaled by the biases. Convert the checkpoint again.",
        gains_and_biases_exchanged,
        "transformers threads on gamma and beta in converted checkpoints",
    ),
    tokenizer(
        "punctuation-not-split-off",
        "The tokenizer splits at spaces alone: a word before a comma, full stop or question mark is one piece with "
        "it, which the vocabulary does not have, and becomes [UNK]. Use the pre-tokenizer of BERT.",
        punctuation_kept,
        "iyulab/lm-supply#12: WordPiece without BERT's basic tokenisation",
    ),
    tokenizer(
        "vocabulary-trimmed-to-a-tenth",
        "The vocabulary was trimmed to its first tenth to save memory: all but the commonest words fall into pieces "
        "and single letters that the encoder was never trained to read together. Bring the whole vocabulary.",
        vocabulary_trimmed,
        "Abdaoui et al. 2020, arXiv:2010.05609: smaller versions of multilingual BERT",
    ),
)
