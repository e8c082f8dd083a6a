"""Where an objective gets the vectors of its texts: looked up when the encoder is frozen, computed when it is trained.

Shapes: N texts of the set · B texts asked for · D features
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from whyrank.model import blocks
from whyrank.model.encoder import Encoder, TokenIds, length_batches
from whyrank.model.packed import Layout


class Vectors(Protocol):
    def __call__(self, index_B: np.ndarray) -> torch.Tensor:
        """The pooled vectors (B, D) float32 of texts by number, with gradients where the encoder is trained."""
        ...

    def inference(self, index_B: np.ndarray) -> torch.Tensor:
        """The same for any number of texts, without gradients."""
        ...


class FrozenVectors:
    """A table: each text was encoded once, before training."""

    def __init__(self, vector_ND: np.ndarray, device: torch.device) -> None:
        self.vector_ND = torch.as_tensor(vector_ND, device=device)

    def __call__(self, index_B: np.ndarray) -> torch.Tensor:
        return self.vector_ND[torch.as_tensor(index_B, device=self.vector_ND.device)]

    inference = __call__


class LiveVectors:
    """The encoder itself, so that gradients reach it. A text that stands in a batch twice is encoded once."""

    def __init__(self, encoder: Encoder, rows: Sequence[TokenIds], *, batch_tokens: int, precision: str) -> None:
        self.encoder = encoder
        self.rows = rows
        self.batch_tokens = batch_tokens
        self.precision = precision

    def __call__(self, index_B: np.ndarray) -> torch.Tensor:
        unique, back_B = np.unique(index_B, return_inverse=True)
        with self.encoder.autocast(self.precision):
            vector_UD = self.encoder([self.rows[i] for i in unique])
        return vector_UD[torch.as_tensor(back_B, device=vector_UD.device)]

    def inference(self, index_B: np.ndarray) -> torch.Tensor:
        """As `__call__`, in batches of `batch_tokens`."""
        vector_ND = self.encoder.encode(
            [self.rows[i] for i in index_B], batch_tokens=self.batch_tokens, precision=self.precision
        )
        return torch.as_tensor(vector_ND, device=self.encoder.device)


class LastBlocksVectors:
    """The last blocks of the encoder, on kept activations of the frozen ones below."""

    def __init__(
        self, encoder: Encoder, rows: Sequence[TokenIds], last: int, *, batch_tokens: int, precision: str
    ) -> None:
        blocks.freeze_below(encoder, last)
        self.encoder = encoder
        self.upper = blocks.part(encoder, slice(-last, None), embeddings=False)
        self.activations = blocks.Activations(encoder, rows, last, batch_tokens=batch_tokens, precision=precision)
        self.lengths = [len(row) for row in rows]
        self.batch_tokens = batch_tokens
        self.precision = precision

    def __call__(self, index_B: np.ndarray) -> torch.Tensor:
        unique, back_B = np.unique(index_B, return_inverse=True)
        vector_UD = self._in_batches(unique)
        return vector_UD[torch.as_tensor(back_B, device=vector_UD.device)]

    def inference(self, index_B: np.ndarray) -> torch.Tensor:
        with torch.no_grad():
            return self._in_batches(index_B)

    def _in_batches(self, index_N: np.ndarray) -> torch.Tensor:
        device = self.encoder.device
        lengths = [self.lengths[i] for i in index_N]
        groups = list(length_batches(lengths, self.batch_tokens))
        vectors = []
        with self.encoder.autocast(self.precision):
            for group in groups:
                layout = Layout([lengths[i] for i in group], device)
                vectors.append(blocks.through(self.upper, self.activations.packed(index_N[group]).to(device), layout))
        order = np.argsort(np.concatenate(groups))
        return torch.cat(vectors)[torch.as_tensor(order, device=device)]
