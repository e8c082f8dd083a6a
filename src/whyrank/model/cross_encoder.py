"""A cross-encoder of sentence-transformers: it reads a query and an answer together and gives the pair a score.

torch and sentence-transformers are imported inside the functions: the other rivals do without them.

Shapes: P pairs of texts
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from whyrank.core import cache, io
from whyrank.core.errors import UserError, said_by

# Pairs of texts at a time; the library sorts them by length.
BATCH = 32
KEPT_FILES = 24


def load(model: str, *, trust_remote_code: bool) -> Any:
    """A model by its hub id or folder. Raises UserError where it is no cross-encoder, or has several scores a pair."""
    from sentence_transformers import CrossEncoder

    try:
        found = CrossEncoder(model, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{model} is no cross-encoder that can be loaded ({said_by(error)}); name another") from error
    if (scores := found.config.num_labels) != 1:
        raise UserError(f"{model} has {scores} scores for a pair of texts; a reranker has one")
    return found


def fingerprint(model: Any) -> str:
    """SHA-256 over the weights."""
    import torch

    digest = hashlib.sha256()
    for name, weight in model.state_dict().items():
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def predicted(model: Any, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """Logits (P,) float32; kept in the user's cache by the weights and the texts."""
    import torch

    digest = hashlib.sha256(fingerprint(model).encode())
    for pair in pairs:
        digest.update("\0".join((*pair, "")).encode())
    file = cache.folder() / "pairs" / f"{digest.hexdigest()}.npy"
    if (kept := cache.read(file)) is not None:
        return kept
    found = model.predict(pairs, batch_size=BATCH, activation_fn=torch.nn.Identity(), show_progress_bar=False)
    logits = np.asarray(found, dtype=np.float32)
    if cache.write(file, logits):
        cache.drop([*io.newest_first(file.parent, "*.npy")][KEPT_FILES:])
    return logits
