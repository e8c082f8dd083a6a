"""What a frozen encoder gives, saved between stages and trainings: vectors of texts, activations of frozen layers.

A file is named by the hash of all that determines its content, the code that makes it among it, so it can never be
stale and may be deleted at any time.
Activations are mapped into memory, so that trainings side by side share them.
"""

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
import transformers

from whyrank.core import cache, io, processes
from whyrank.core.options import params
from whyrank.core.runtime import product_dtype
from whyrank.model import custom_code
from whyrank.model.encoder.encoder import Encoder, TokenIds

KEPT_FILES = 24
# Folder of the cache for activations and layer means, which are bounded together.
ACTIVATIONS = "activations"
# Of all files of activations: three times 1,200,000 tokens of 384 features.
KEPT_BYTES = 6 * 2**30


def encode(
    encoder: Encoder, rows: Sequence[TokenIds], *, batch_tokens: int, precision: str, folder: Path
) -> np.ndarray:
    """`encoder.encode(rows)`, read from `folder` where an earlier run left it there. (N, D) float32.

    Several processes encode together, so all of them read or none does: a file may be there for one and not for
    another, whose machine has a folder of its own or which checked a moment earlier.
    """
    file = folder / f"{fingerprint(encoder, rows, batch_tokens, precision)}.npy"
    found = cache.read(file)
    (is_missing,) = processes.agree(int(found is None))
    if found is not None and not is_missing:
        return found
    vector_ND = encoder.encode(rows, batch_tokens=batch_tokens, precision=precision)
    # One that is there may be being read.
    if found is None:
        write(file, vector_ND)
    return vector_ND


def encoded(encoder: Encoder, rows: Sequence[TokenIds], options: params.Encoder) -> torch.Tensor:
    """`encode` as the options say, into the cache of this machine: (N, D) float32 on the encoder's device."""
    limits: dict[str, Any] = {"batch_tokens": options.batch_tokens, "precision": options.precision}
    return torch.as_tensor(encode(encoder, rows, **limits, folder=cache.folder()), device=encoder.device)


def remember(vector_ND: np.ndarray, encoder: Encoder, rows: Sequence[TokenIds], *, folder: Path, **limits: Any) -> None:
    """Save for `encode` with these `limits` what the caller has computed already."""
    write(folder / f"{fingerprint(encoder, rows, **limits)}.npy", vector_ND)


def write(file: Path, vector_ND: np.ndarray) -> None:
    """Add a file, and drop those that have not been used for longest."""
    if cache.write(file, vector_ND):
        cache.drop([*io.newest_first(file.parent, "*.npy")][KEPT_FILES:])


def fingerprint(encoder: Encoder, rows: Sequence[TokenIds], batch_tokens: int, precision: str) -> str:
    """SHA-256 over weights, texts, settings, versions, code and threads.

    Threads and batches are among them because they change the last bits of a sum. Of the precision it takes what
    `auto` comes to: machines that share a home need not agree on it.
    """
    digest = hashlib.sha256()
    device = str(next(encoder.parameters()).device)
    settings = [encoder.pooling, batch_tokens, str(product_dtype(precision)), torch.get_num_threads(), device]
    settings += [torch.__version__, transformers.__version__, tokenizers.__version__, code()]
    settings.append(custom_code.fingerprint(encoder.modules()))
    # A copy of an encoder in another folder is the same encoder: frozen, it is the same in every system.
    config = {key: value for key, value in encoder.transformer.config.to_dict().items() if key != "_name_or_path"}
    digest.update(json.dumps([*settings, config], default=str, sort_keys=True).encode())
    if encoder.projection is not None:
        import sentence_transformers  # whose modules these are: seconds that only such an encoder pays

        # They print their settings.
        digest.update(repr((encoder.projection, sentence_transformers.__version__)).encode())
    for name, tensor in encoder.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
    for row in rows:
        digest.update(np.ascontiguousarray(row, dtype=np.int64).data)
        digest.update(b"|")
    return digest.hexdigest()


@functools.cache
def code() -> str:
    """SHA-256 of the source files that make vectors of texts."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def kept(file: Path, compute: Callable[[], torch.Tensor]) -> torch.Tensor:
    """What `compute` gives, (T, D) float32 in main memory, from `file` where an earlier training left it.

    Several processes compute together, so all of them read or none does.
    """
    # A private map: torch takes no read-only memory, and the file stays as it is.
    found = cache.read(file, mapped="c")
    (is_missing,) = processes.agree(int(found is None))
    if found is not None and not is_missing:
        return torch.from_numpy(found)
    token_TD = compute()
    if processes.is_first():
        write_activations(file, token_TD)
    return token_TD


def write_activations(file: Path, token_TD: torch.Tensor) -> None:
    """Add a file that is not too large by itself, and drop those that have not been used for longest."""
    if token_TD.nbytes > KEPT_BYTES:
        return
    if not cache.write(file, token_TD.numpy()):
        return
    total = 0
    for one, stat in io.newest_first(file.parent, "*.npy").items():
        total += stat.st_size
        if total > KEPT_BYTES and one != file:
            cache.drop([one])
