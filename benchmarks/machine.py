"""What a processor can do, to measure a training by: the rate of its matrix products."""

import os
import platform
from pathlib import Path
from typing import NamedTuple

import torch

from whyrank.core import runtime

CPU = torch.device("cpu")
TIMES = 5
# Rows and columns of the products.
LARGE, SMALL = 2048, 256


class Machine(NamedTuple):
    processor: str
    cores: int  # that this process may use
    threads: int  # that torch uses
    has_bf16: bool  # multiplies bfloat16 faster than float32
    float32: float  # GFLOP/s of a large matrix product
    bfloat16: float

    @property
    def peak(self) -> float:
        """GFLOP/s in the precision that training takes."""
        return self.bfloat16 if self.has_bf16 else self.float32


def measure() -> Machine:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    has_bf16 = runtime.processor_has_bf16()
    # Emulated, a product as large as that of float32 takes a minute.
    sizes = {torch.float32: LARGE, torch.bfloat16: LARGE if has_bf16 else SMALL}
    rates = (runtime.product_rate(CPU, dtype, size, times=TIMES) / 1e9 for dtype, size in sizes.items())
    return Machine(processor(), cores, torch.get_num_threads(), has_bf16, *rates)


def processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
