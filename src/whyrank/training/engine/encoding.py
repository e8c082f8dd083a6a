"""As much of an encoder as a training needs: frozen parts are computed once, the rest whenever it is asked for."""

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch

from whyrank.core import cache, processes
from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.model import readout, system
from whyrank.model.encoder import layers, vector_cache
from whyrank.training.engine.sharding import ShardedVectors
from whyrank.training.engine.vectors import FrozenVectors, LastLayersVectors, LiveVectors, Vectors, means_below


def vectors_for(
    result: system.System,
    prepared: Prepared,
    encoder: params.Encoder,
    options: params.Optimisation,
    kept: Vectors | None = None,
) -> Vectors:
    """A table of all texts when the encoder is frozen, else as much of the encoder as is trained.

    kept   the vectors of another training from the same encoder, whose frozen parts are not computed again
    """
    ranking, rows = prepared.token_ids, prepared.training_token_ids
    limits: dict[str, Any] = {"batch_tokens": encoder.batch_tokens, "precision": encoder.precision}
    if options.train != "head":
        if options.gradient_checkpointing:
            result.encoder.transformer.gradient_checkpointing_enable({"use_reentrant": False})
        if options.train == "last":
            if kept is not None:
                return kept.of(result.encoder)
            return LastLayersVectors(
                result.encoder, rows, options.last_layers, **limits, cache_tokens=options.cache_tokens
            )
        layers.add_lora(result.encoder, options.lora)
        if options.shard_encoder and processes.count() > 1:
            return ShardedVectors(result.encoder, rows, **limits)
        return LiveVectors(result.encoder, rows, **limits, cache_tokens=options.cache_tokens)
    if kept is not None:
        return kept
    # Apart, as evaluation asks for the ranking texts alone, and only pretraining has texts of views.
    ends = [len(ranking), len(rows) - len(prepared.view_texts), len(rows)]
    parts = [vector_cache.encoded(result.encoder, rows[a:b], encoder) for a, b in pairwise([0, *ends]) if b > a]
    return FrozenVectors(
        torch.cat(parts), result.encoder.device, partial(means_below, result.encoder, rows, 1, **limits)
    )


def finish(vectors: Vectors, result: system.System, options: params.Optimisation) -> None:
    """Make the encoder what it will be on disk, where no weight is frozen."""
    if isinstance(vectors, ShardedVectors):
        vectors.gather()
    if options.gradient_checkpointing:
        result.encoder.transformer.gradient_checkpointing_disable()
    layers.merge_lora(result.encoder)
    result.encoder.requires_grad_(True)


def final_vectors(vectors: Vectors, result: system.System, prepared: Prepared, encoder: params.Encoder) -> torch.Tensor:
    """(N, D) of the ranking texts by the encoder as `finish` left it, saved for the evaluation, which asks for them."""
    rows = prepared.token_ids
    if isinstance(vectors, FrozenVectors):
        return vectors.inference(np.arange(len(rows)))
    if not isinstance(vectors, LastLayersVectors):
        return vector_cache.encoded(result.encoder, rows, encoder)
    vector_ND = vectors.inference(np.arange(len(rows)))
    limits: dict[str, Any] = {"batch_tokens": encoder.batch_tokens, "precision": encoder.precision}
    if processes.is_first():
        vector_cache.remember(vector_ND.cpu().numpy(), result.encoder, rows, **limits, folder=cache.folder())
    return vector_ND


def read_out(
    result: system.System, vectors: Vectors, prepared: Prepared, encoder: params.Encoder, seed: int
) -> pd.DataFrame:
    """Give a trained system its read-out; returns what each kind gains on dev, see `readout.Choice`.

    is_used   of a new one, which the evaluations during training did not have
    """
    before = result.readout
    choice = readout.choose(
        result, lambda: final_vectors(vectors, result, prepared, encoder), prepared, encoder.readout, seed=seed
    )
    result.readout = choice.chosen
    new = choice.chosen.kind if choice.chosen is not None and choice.chosen is not before else ""
    return choice.gains.assign(is_used=choice.gains["kind"] == new)
