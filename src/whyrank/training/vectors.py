"""Where an objective gets the vectors of its texts: looked up when the encoder is frozen, computed when it is trained.

Shapes: N texts of the set · B texts asked for · D features
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from whyrank.model.encoder import Encoder, TokenIds


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
            vector_UD = self.encoder(*self.encoder.pad([self.rows[i] for i in unique]))
        return vector_UD.float()[torch.as_tensor(back_B, device=vector_UD.device)]

    def inference(self, index_B: np.ndarray) -> torch.Tensor:
        vector_ND = self.encoder.encode(
            [self.rows[i] for i in index_B], batch_tokens=self.batch_tokens, precision=self.precision
        )
        return torch.as_tensor(vector_ND, device=next(self.encoder.parameters()).device)
