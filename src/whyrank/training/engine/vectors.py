"""The vectors of an objective's texts: looked up when the encoder is frozen, computed when it is trained.

Shapes: N texts of the set · B texts asked for · U texts of those, each once · D features
"""

import copy
import sys
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch.utils.checkpoint import checkpoint

from whyrank.core import cache, processes
from whyrank.core.options.objectives import Objective
from whyrank.model.encoder import layers, vector_cache
from whyrank.model.encoder.encoder import Encoder, TokenIds
from whyrank.model.encoder.modes import evaluating
from whyrank.model.encoder.packed import Layout, length_batches, like_lengths

# Of one group of texts, longest first: a vector of each, or several.
Encode = Callable[[np.ndarray], torch.Tensor]


class Vectors(Protocol):
    def __call__(self, index_B: np.ndarray) -> torch.Tensor:
        """The pooled vectors (B, D) float32 of texts by number, with gradients where the encoder is trained."""
        ...

    def inference(self, index_B: np.ndarray) -> torch.Tensor:
        """The same for any number of texts, without gradients."""
        ...

    def of(self, encoder: Encoder) -> "Vectors":
        """The same texts through a copy of the encoder; frozen parts are shared."""
        ...

    def cost(self, index_B: np.ndarray) -> dict[str, float]:
        """Columns of the history: what `__call__` sends through what is trained.

        tokens          texts that stand twice counted once
        padding_share   of the places in attention (of all places, where texts are padded) those without a token
        """
        ...


class FrozenVectors:
    """A table: each text was encoded once, before training."""

    def __init__(
        self,
        vector_ND: np.ndarray | torch.Tensor,
        device: torch.device,
        means: Callable[[np.ndarray], torch.Tensor] | None = None,
    ) -> None:
        """means   gives `layer_means`, below the last layer: (B, K, D) float32 in main memory"""
        self.vector_ND = torch.as_tensor(vector_ND, device=device)
        self.means = means

    def __call__(self, index_B: np.ndarray) -> torch.Tensor:
        return self.vector_ND[torch.as_tensor(index_B, device=self.vector_ND.device)]

    inference = __call__

    def of(self, encoder: Encoder) -> "FrozenVectors":
        return self

    def layer_means(self, index_B: np.ndarray) -> torch.Tensor:
        assert self.means is not None, "a table that was made without its encoder"
        return self.means(index_B)

    def cost(self, index_B: np.ndarray) -> dict[str, float]:
        return {"tokens": 0, "padding_share": 0.0}


class LiveVectors:
    """Vectors that gradients flow through. A text that stands in a batch twice is encoded once.

    Of several processes each encodes a part of the texts, alike in tokens.
    cache_tokens   above 0: gradient caching (Gao et al. 2021, arXiv:2101.06983). Texts are encoded in groups of so many
                   tokens that keep nothing but their vectors; once the loss of the whole batch has told each vector
                   its gradient, a group is encoded again, with the same dropout, for the gradient of the weights.
    """

    def __init__(
        self, encoder: Encoder, rows: Sequence[TokenIds], *, batch_tokens: int, precision: str, cache_tokens: int = 0
    ) -> None:
        self.encoder, self.rows = encoder, rows
        self.lengths = np.array([len(row) for row in rows])
        self.batch_tokens, self.precision, self.cache_tokens = batch_tokens, precision, cache_tokens
        self.group_tokens = cache_tokens or sys.maxsize

    def encode(self, index_G: np.ndarray) -> torch.Tensor:
        """Vectors (G, D) of one group of texts, longest first."""
        return self.encoder([self.rows[i] for i in index_G])

    def __call__(self, index_B: np.ndarray) -> torch.Tensor:
        return self.once_each(index_B, self.encode)

    def after_layers(self, index_B: np.ndarray, numbers: Sequence[int]) -> torch.Tensor:
        """Vectors (B, K, D) of the output of K layers by number, from 1, in the same pass as those of `__call__`."""
        return self.once_each(index_B, partial(self.encode_layers, numbers))

    def encode_layers(self, numbers: Sequence[int], index_G: np.ndarray) -> torch.Tensor:
        return self.encoder.after_layers([self.rows[i] for i in index_G], numbers)

    def once_each(self, index_B: np.ndarray, encode: Encode) -> torch.Tensor:
        unique, back_B = np.unique(index_B, return_inverse=True)
        device = self.encoder.device
        with self.encoder.autocast(self.precision):
            found_U = self.shared(unique, encode) if processes.count() > 1 else self.grouped(unique, encode)
        return found_U[torch.as_tensor(back_B, device=device)]

    def grouped(self, index_U: np.ndarray, encode: Encode) -> torch.Tensor:
        groups = list(length_batches(self.lengths[index_U].tolist(), self.group_tokens))
        if self.cache_tokens and torch.is_grad_enabled():
            vectors = [checkpoint(encode, index_U[group], use_reentrant=False) for group in groups]
        else:
            vectors = [encode(index_U[group]) for group in groups]
        return in_order(vectors, groups)

    def shared(self, index_U: np.ndarray, encode: Encode) -> torch.Tensor:
        """Own part with gradients, the others' without: other processes pass on what the loss tells those.

        A process with no text of its own encodes the shortest for nothing: to sum gradients, and to gather what is
        sharded, takes every process.
        """
        longest_first = np.argsort(-self.lengths[index_U], kind="stable")
        own = np.sort(longest_first[processes.number() :: processes.count()])
        # Another dropout in every process, and the generator where it was for the heads, which all compute alike.
        state = zlib.crc32(torch.get_rng_state().numpy().tobytes())
        with torch.random.fork_rng():
            torch.manual_seed(state + processes.number())
            own_V = self.grouped(index_U[own if len(own) else longest_first[-1:]], encode)[: len(own)]
        all_U = torch.zeros(len(index_U), *own_V.shape[1:], device=self.encoder.device)
        place_V = torch.as_tensor(own, device=all_U.device)
        all_U[place_V] = own_V.detach().to(all_U.device)
        processes.add_up(all_U)
        return all_U.index_copy(0, place_V, own_V.to(all_U.device))

    def inference(self, index_B: np.ndarray) -> torch.Tensor:
        """As `__call__`, in batches of `batch_tokens`."""
        vector_ND = self.encoder.encode(
            [self.rows[i] for i in index_B], batch_tokens=self.batch_tokens, precision=self.precision
        )
        return torch.as_tensor(vector_ND, device=self.encoder.device)

    def of(self, encoder: Encoder) -> Self:
        other = copy.copy(self)
        other.take(encoder)
        return other

    def take(self, encoder: Encoder) -> None:
        self.encoder = encoder

    def cost(self, index_B: np.ndarray) -> dict[str, float]:
        length_U = self.lengths[np.unique(index_B)]
        groups = [length_U[group].tolist() for group in length_batches(length_U.tolist(), self.group_tokens)]
        if self.encoder.is_packed:
            groups = [group[part] for group in groups for part in like_lengths(group)]
        places = sum(max(group) * len(group) for group in groups)
        return {"tokens": int(length_U.sum()), "padding_share": 1 - float(length_U.sum()) / places}


class LastLayersVectors(LiveVectors):
    """The last layers of the encoder, on saved activations of the frozen ones below."""

    def __init__(self, encoder: Encoder, rows: Sequence[TokenIds], last: int, **limits: Any) -> None:
        super().__init__(encoder, rows, **limits)
        self.last = last
        self.take(encoder)
        folder = cache.folder() / vector_cache.ACTIVATIONS
        self.activations = layers.Activations(
            encoder, rows, last, batch_tokens=self.batch_tokens, precision=self.precision, folder=folder
        )

    def take(self, encoder: Encoder) -> None:
        """Train the last layers of this encoder."""
        super().take(encoder)
        layers.freeze_below(encoder, self.last)
        self.upper = layers.part(encoder, slice(-self.last, None), embeddings=False)

    def layer_means(self, index_B: np.ndarray) -> torch.Tensor:
        """(B, K, D) float32 in main memory: what `layers.layer_means` gives below the layers that are trained."""
        return means_below(self.encoder, self.rows, self.last, index_B, self.batch_tokens, self.precision)

    def encode(self, index_G: np.ndarray) -> torch.Tensor:
        layout = Layout(self.lengths[index_G].tolist(), self.encoder.device)
        return layers.through(self.upper, self.activations.packed(index_G).to(self.encoder.device), layout)

    def inference(self, index_B: np.ndarray) -> torch.Tensor:
        groups = list(length_batches(self.lengths[index_B].tolist(), self.batch_tokens))
        with evaluating(self.encoder), torch.no_grad(), self.encoder.autocast(self.precision):
            return in_order([self.encode(index_B[group]) for group in groups], groups)


def means_below(
    encoder: Encoder, rows: Sequence[TokenIds], above: int, index_B: np.ndarray, batch_tokens: int, precision: str
) -> torch.Tensor:
    """(B, K, D) float32 of some texts by number, saved between trainings beside the activations."""
    folder = cache.folder() / vector_cache.ACTIVATIONS
    own = [rows[i] for i in index_B]
    return layers.layer_means(encoder, own, above, batch_tokens=batch_tokens, precision=precision, folder=folder)


def of_objective(vectors: Vectors, index_B: np.ndarray, objective: Objective) -> torch.Tensor:
    """Vectors (B, D) for one objective, which sends `encoder_gradient_scale` times its gradient into the encoder."""
    if objective.freeze_encoder:
        return vectors.inference(index_B)
    return sent_by(objective, vectors(index_B))


def sent_by(objective: Objective, vector: torch.Tensor) -> torch.Tensor:
    """The same vectors, with `encoder_gradient_scale` times the gradient that comes back to them."""
    if objective.encoder_gradient_scale != 1 and vector.requires_grad:
        vector.register_hook(lambda gradient: objective.encoder_gradient_scale * gradient)
    return vector


def in_order(vectors: Sequence[torch.Tensor], groups: Sequence[Sequence[int]]) -> torch.Tensor:
    """Vectors of groups of texts, in the order in which the texts were asked for."""
    order = np.argsort(np.concatenate(groups))
    joined_BD = torch.cat(list(vectors))
    return joined_BD[torch.as_tensor(order, device=joined_BD.device)]
