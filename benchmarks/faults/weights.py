"""Change the files of an encoder's folder: what most faults of an encoder need."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

State = dict[str, torch.Tensor]
Edit = Callable[[State, np.random.Generator], None]
LAYERS = range(6)


def in_weights(edit: Edit) -> Callable[[Path, np.random.Generator], None]:
    """A change of a folder that calls `edit(state, random)` on the tensors of model.safetensors by name."""

    def change(folder: Path, random: np.random.Generator) -> None:
        state = load_file(folder / "model.safetensors")
        edit(state, random)
        whole = {name: tensor.contiguous().clone() for name, tensor in state.items()}
        save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})

    return change


def in_json(file: str, edit: Callable[[Any], None]) -> Callable[[Path, np.random.Generator], None]:
    """A change of a folder that calls `edit` on the values of one of its JSON files."""

    def change(folder: Path, random: np.random.Generator) -> None:
        values = json.loads((folder / file).read_text(encoding="utf-8"))
        edit(values)
        (folder / file).write_text(json.dumps(values), encoding="utf-8")

    return change


def named(state: State, part: str, layers: range = LAYERS) -> list[str]:
    """Names of tensors of some layers whose name has `part`."""
    own = [f"encoder.layer.{number}." for number in layers]
    return [name for name in state if part in name and any(name.startswith(one) for one in own)]


def zero(part: str, layers: range = LAYERS) -> Callable[[Path, np.random.Generator], None]:
    def edit(state: State, random: np.random.Generator) -> None:
        for name in named(state, part, layers):
            state[name] = torch.zeros_like(state[name])

    return in_weights(edit)


def permuted(size: int, random: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(random.permutation(size))
