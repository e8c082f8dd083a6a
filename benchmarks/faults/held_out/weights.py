"""Weights of an encoder that load and are not those that its authors trained: conversions, merges, compression."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors.numpy

from ..fault import Fault
from .encoder import WEIGHTS

Random = np.random.Generator
State = dict[str, np.ndarray]
LAYER = re.compile(r"encoder\.layer\.(\d+)\.")


def weights(change: Callable[[State, Random], None]) -> Callable[[Path, Random], None]:
    """Change the tensors of a folder by name."""

    def encoder(folder: Path, random: Random) -> None:
        state = safetensors.numpy.load_file(folder / WEIGHTS)
        change(state, random)
        whole = {name: np.ascontiguousarray(tensor) for name, tensor in state.items()}
        safetensors.numpy.save_file(whole, folder / WEIGHTS, metadata={"format": "pt"})

    return encoder


def norms_at_start(state: State, random: Random) -> None:
    for name in state:
        if "LayerNorm" in name:
            state[name] = np.full_like(state[name], 1.0 if name.endswith("weight") else 0.0)


def not_transposed(state: State, random: Random) -> None:
    for name, tensor in state.items():
        if name.endswith("attention.output.dense.weight"):
            state[name] = tensor.T


def late_positions_untrained(state: State, random: Random) -> None:
    name = "embeddings.position_embeddings.weight"
    table = state[name].copy()
    first = len(table) // 16
    table[first:] = random.normal(0, 3 * table.std(), table[first:].shape)
    state[name] = table


def few_levels(state: State, random: Random) -> None:
    for name, tensor in state.items():
        if tensor.ndim == 2:
            step = np.abs(tensor).max() / 7
            state[name] = (np.round(tensor / step) * step).astype(tensor.dtype)


def averaged_with_other_order(state: State, random: Random) -> None:
    """The other model is this one with its inner neurons renumbered: the same function, another order."""
    for name in [key for key in state if key.endswith("intermediate.dense.weight")]:
        prefix = name.removesuffix("intermediate.dense.weight")
        order = random.permutation(len(state[name]))
        bias, after = f"{prefix}intermediate.dense.bias", f"{prefix}output.dense.weight"
        state[name] = (state[name] + state[name][order]) / 2
        state[bias] = (state[bias] + state[bias][order]) / 2
        state[after] = (state[after] + state[after][:, order]) / 2


def layers_in_wrong_order(state: State, random: Random) -> None:
    count = 1 + max(int(found[1]) for name in state if (found := LAYER.search(name)))
    # Numbers read as text from an archive in no order: an even layer changes places with the odd one behind it.
    moved = {number: number ^ 1 if (number ^ 1) < count else number for number in range(count)}
    old = dict(state)
    for name in old:
        if found := LAYER.search(name):
            state[name] = old[LAYER.sub(f"encoder.layer.{moved[int(found[1])]}.", name)]


def merged_too_strongly(state: State, random: Random) -> None:
    for name, tensor in state.items():
        if re.search(r"attention\.self\.(query|value)\.weight$", name):
            up, down = (random.normal(size=(len(tensor), 8)) for _ in range(2))
            update = up @ down.T
            state[name] = (tensor + update * (0.7 * np.linalg.norm(tensor) / np.linalg.norm(update))).astype(
                tensor.dtype
            )


def top_layers_started_again(state: State, random: Random) -> None:
    last = max(int(found[1]) for name in state if (found := LAYER.search(name)))
    for name, tensor in state.items():
        found = LAYER.search(name)
        if found and int(found[1]) >= last - 1:
            is_norm = "LayerNorm" in name
            drawn = random.normal(0, 0.02, tensor.shape) if tensor.ndim == 2 else np.zeros(tensor.shape)
            state[name] = (np.ones(tensor.shape) if is_norm and name.endswith("weight") else drawn).astype(tensor.dtype)


def values_cut_off(state: State, random: Random) -> None:
    for name, tensor in state.items():
        if "LayerNorm" not in name:
            bound = np.quantile(np.abs(tensor), 0.5)
            state[name] = np.clip(tensor, -bound, bound)


FAULTS = (
    Fault(
        name="layer-norms-not-loaded",
        about="encoder",
        sentence="The conversion lost the LayerNorm weights (gamma and beta under old names): they are 1 and 0 in "
        "all layers. Convert the checkpoint again with their names mapped.",
        source="transformers#11809, #171; NVIDIA/DeepLearningExamples#1151",
        encoder=weights(norms_at_start),
    ),
    Fault(
        name="square-matrices-not-transposed",
        about="encoder",
        sentence="The conversion from TensorFlow did not transpose the square matrices of the attention output, "
        "which no shape reveals. Convert again, or take the published weights.",
        source="transformers#5710; NVIDIA/DeepLearningExamples#528",
        encoder=weights(not_transposed),
    ),
    Fault(
        name="later-positions-untrained",
        about="encoder",
        sentence="The position table was extended, and the rows after the first 32 positions are random: everything "
        "longer than a short question is read with noise. Train them, or cut texts to 32 tokens.",
        source="google-research/bert#260, ST#2738, ST#1918; lavis-nlp/jerex#4",
        mendable=True,
        encoder=weights(late_positions_untrained),
    ),
    Fault(
        name="rounded-to-fifteen-levels",
        about="encoder",
        sentence="The weights were quantised naively to 4 bits, one scale a matrix, and so most of them are 0. Take "
        "the full-precision weights.",
        source="RWKV/rwkv.cpp#12; huggingface/blog#463 on absmax quantisation",
        encoder=weights(few_levels),
    ),
    Fault(
        name="averaged-with-another-training",
        about="encoder",
        sentence="The weights are the average of two models whose neurons stand in different orders, which is the "
        "average of unrelated numbers. Take one of the two models.",
        source="Ainsworth et al. 2022, Git Re-Basin, arXiv:2209.04836; state-spaces/mamba#139",
        encoder=weights(averaged_with_other_order),
    ),
    Fault(
        name="layers-in-the-wrong-order",
        about="encoder",
        sentence="The layers were written in the wrong order: each pair of neighbours has changed places. Convert "
        "the checkpoint again, sorting layers by number.",
        source="diffusers#1959, b4rtaz/distributed-llama#52, ollama#12015",
        encoder=weights(layers_in_wrong_order),
    ),
    Fault(
        name="adapter-merged-too-strongly",
        about="encoder",
        sentence="A LoRA adapter was merged with a scale many times its own, and now outweighs the attention weights "
        "it should adjust. Merge again with alpha over rank.",
        source="peft#2368, peft#3473, paiml/aprender#2189",
        encoder=weights(merged_too_strongly),
    ),
    Fault(
        name="top-layers-started-again",
        about="encoder",
        sentence="The last two layers were re-initialised for fine-tuning, and the folder was saved before any: they "
        "are random. Take the trained weights.",
        source="Zhang et al. 2021, arXiv:2006.05987 (re-initialising layers)",
        encoder=weights(top_layers_started_again),
    ),
    Fault(
        name="weights-clipped",
        about="encoder",
        sentence="All weights were clipped to the median of their matrix, as for an integer format without outliers: "
        "the larger half is gone. Take the weights before the export.",
        source="optimum#2145, ST#2968 (activation and weight ranges of an export)",
        encoder=weights(values_cut_off),
    ),
)
