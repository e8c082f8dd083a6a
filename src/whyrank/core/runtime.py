"""Seed and processor: what makes the same run give the same bytes."""

import ctypes
import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

# Read when torch loads its threads, so set before: a thread that waits for another then sleeps instead of spinning.
# With other work on two cores, training layers of MiniLM took 2.4 to 3.3 times as long with spinning.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Numbers of the settings in glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch and ask torch for its deterministic kernels."""
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the libraries below us still draw from the global generator
    torch.manual_seed(seed)
    # cuBLAS reads this before its first call; without it deterministic mode refuses matrix products on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    # It would also fill every new tensor with NaN, to show reads of what was never written: 3 % of a training step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def arrange_memory(*, keep: bool) -> None:
    """Whether the process keeps the memory that tensors give back, or returns it to the system. For glibc only.

    keep   Fresh pages cost time: as glibc comes, a training step of MiniLM on 6,000 tokens met 80,000 to 190,000 page
           faults and took 8 % longer.
    Else   blocks from 1 MiB are returned. What gradient caching keeps of each group of texts is small and lies between
           the large blocks that it gave back: kept, these grew by a quarter of a MiB a pair.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return
    # Setting either stops glibc from raising them by itself.
    mallopt(M_MMAP_THRESHOLD, 2**30 if keep else 2**20)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1 if keep else 2**20)


def seed_step(seed: int, step: int) -> None:
    """Set torch's generators as of a step, so that a step draws the same whatever was drawn before it."""
    import torch

    # Without an accelerator torch would format the call stack for each kind that there might be, at every step.
    generators = torch if torch.accelerator.is_available() else torch.default_generator
    generators.manual_seed((seed * 1_000_003 + step) % 2**63)


def processor_has_bf16() -> bool:
    """Whether bfloat16 matrix products are faster than float32: on a GPU that has them, and on processors with AMX.

    AVX512-BF16 alone does not count: on such a Xeon products of MiniLM's sizes ran at 0.6 to 0.85 of the rate of
    float32, and fine-tuning took 1.3 times as long. Without either they are emulated, a hundred times as slow.
    """
    import torch

    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:  # not Linux
        return False


def product_dtype(precision: str) -> "torch.dtype":
    """In which matrix products are computed: auto | bf16 | fp16 | fp32; `auto`: bfloat16 where it is faster."""
    import torch

    if precision == "auto":
        precision = "bf16" if processor_has_bf16() else "fp32"
    return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]


def product_rate(device: "torch.device", dtype: "torch.dtype", size: int = 1024, times: int = 3) -> float:
    """Floating-point operations a second of a square product, the best of a few: other work only slows it down."""
    import torch

    one, other = torch.ones(2, size, size, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(1 + times):
        started = time.perf_counter()
        one @ other
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best
