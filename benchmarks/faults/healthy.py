"""Runs in which nothing is wrong: seeds, sizes, heads, poolings, candidates, objectives, types, sets, encoders."""

from typing import Any

from benchmarks.faults.cases import Case
from benchmarks.faults.fault import Fault, Task


def one(name: str, set_name: str, seed: int, task: Task = "ranking", queries: int = 0, **settings: Any) -> Case:
    """Settings have `__` for a dot."""
    own = {key.replace("__", "."): value for key, value in settings.items()}
    fault = Fault(name, "data", "nothing is wrong", "", task=task)
    return Case("healthy", fault, set_name, seed, queries, own)


RUNS: list[Case] = [
    one("plain", name, seed) for name in ("sample", "conditionalqa", "stackexchange") for seed in range(1, 5)
]
