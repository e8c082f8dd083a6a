"""What a processor can do, to measure a training by: the rate of its matrix products."""

import os
import platform
from pathlib import Path
from typing import NamedTuple

import torch

from whyrank.core import runtime

CPU = torch.device("cpu")
TIMES = 5


class Machine(NamedTuple):
    processor: str
    cores: int  # that this process may use
    threads: int  # that torch uses
    has_bf16: bool  # multiplies bfloat16 natively
    float32: float  # GFLOP/s of a large matrix product
    bfloat16: float

    @property
    def peak(self) -> float:
        """GFLOP/s in the precision that training takes."""
        return self.bfloat16 if self.has_bf16 else self.float32


def measure() -> Machine:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    rates = (runtime.product_rate(CPU, dtype, times=TIMES) / 1e9 for dtype in (torch.float32, torch.bfloat16))
    return Machine(processor(), cores, torch.get_num_threads(), runtime.processor_has_bf16(), *rates)


def processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
