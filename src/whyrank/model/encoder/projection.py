"""What an encoder declares above its pooling: Dense, LayerNorm and the like, as sentence-transformers' own modules.

Shapes: B texts · P features of the pooling · D features of the result
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from whyrank.core import io


class Projection(nn.Module):
    """(B, P) float32 to (B, D) float32."""

    def __init__(self, modules: nn.Sequential) -> None:
        super().__init__()
        self.chain = modules

    def forward(self, pooled_BP: torch.Tensor) -> torch.Tensor:
        features = {"sentence_embedding": pooled_BP}
        for module in self.chain.children():
            features = module(features)
        return features["sentence_embedding"]

    def width(self, pooled_width: int) -> int:
        """D for P features; RuntimeError where they do not fit."""
        was_training = self.training
        with torch.no_grad():
            found = self.eval()(torch.zeros(1, pooled_width, device=next(self.parameters(), torch.zeros(0)).device))
        self.train(was_training)
        return found.shape[1]

    def save(self, folder: Path) -> list[tuple[str, str]]:
        """Write each module into a folder of its own; kind and folder of each."""
        named = []
        for number, module in enumerate(self.chain.children(), start=2):
            kind = type(module).__name__
            path = folder / f"{number}_{kind}"
            path.mkdir()
            save: Any = module.save
            save(str(path))
            named.append((kind, path.name))
        return named


def write_modules(folder: Path, modules: list[tuple[str, str]]) -> None:
    """modules.json: kind and folder of each module, in their order."""
    named = [{"idx": i, "name": str(i), "path": path, "type": type_of(kind)} for i, (kind, path) in enumerate(modules)]
    io.write_json(folder / "modules.json", named)


def type_of(kind: str) -> str:
    """The spelling that published models use: the modules themselves moved in versions 5.4 and 6.0."""
    return f"sentence_transformers.models.{kind}"
