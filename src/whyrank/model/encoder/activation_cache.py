"""The output of frozen blocks, kept between trainings: on long texts it is what a training of the last block costs.

A file is named by the hash of all that determines its content, so it can never be stale and may be deleted at any time.
It is mapped into memory, so that trainings side by side share it.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from whyrank.core import io, processes

# Of all files together: three times 1,200,000 tokens of 384 features.
KEPT_BYTES = 6 * 2**30


def kept(file: Path, compute: Callable[[], torch.Tensor]) -> torch.Tensor:
    """What `compute` gives, (T, D) float32 in main memory, from `file` where an earlier training left it.

    Several processes compute together, so all of them read or none does. A full disk costs a warning, not the run.
    """
    (is_missing,) = processes.agree(int(not file.exists()))
    if not is_missing:
        os.utime(file)  # the time of use decides which file is dropped first
        # A private map: torch takes no read-only memory, and the file stays as it is.
        return torch.from_numpy(np.load(file, mmap_mode="c"))
    token_TD = compute()
    if processes.is_first():
        write(file, token_TD)
    return token_TD


def write(file: Path, token_TD: torch.Tensor) -> None:
    """Add a file that is not too large by itself, and drop those that have not been used for longest."""
    if token_TD.nbytes > KEPT_BYTES:
        return
    try:
        io.write_array(file, token_TD.numpy())
    except OSError as error:
        print(f"activations of frozen blocks not kept ({error.strerror}); training goes on", file=sys.stderr)
        return
    total = 0
    for one, stat in io.newest_first(file.parent, "*.npy").items():
        total += stat.st_size
        if total > KEPT_BYTES and one != file:
            one.unlink(missing_ok=True)
