"""One name for all that determines a training, so that only the same training goes on from a checkpoint."""

import hashlib
from pathlib import Path

import numpy as np
import torch

from whyrank.core import processes
from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.model.encoder import vector_cache
from whyrank.model.system import System

SOURCES = Path(__file__).parents[2]


def fingerprint(
    start: System,
    prepared: Prepared,
    options: params.Optimisation,
    encoder: params.Encoder,
    seed: int,
    teacher_ND: torch.Tensor | None = None,
) -> str:
    """SHA-256 over the system it starts from, texts, splits, pairs, ratings, parameters, seed, versions and our code.

    teacher_ND   the vectors of a teacher, where there is one
    """
    rows = prepared.training_token_ids
    digest = hashlib.sha256(
        vector_cache.fingerprint(start.encoder, rows, encoder.batch_tokens, encoder.precision).encode()
    )
    for name, tensor in start.heads().state_dict().items():
        digest.update(name.encode() + np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
    if teacher_ND is not None:
        digest.update(np.ascontiguousarray(teacher_ND.cpu().numpy()).tobytes())
    for table in (prepared.relevant, prepared.queries[["type", "split"]], prepared.pairs, prepared.ratings):
        digest.update(table.to_csv(index=False).encode())
    digest.update(repr((options, seed, start.score, processes.count(), prepared.held_out)).encode())
    for folder in ("core", "measure", "batches", "model", "training"):
        for file in sorted((SOURCES / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()
