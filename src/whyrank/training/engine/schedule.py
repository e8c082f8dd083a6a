"""Learning rate over the steps, as a factor of its peak."""

import math


def factor(step: int, *, steps: int, warmup_ratio: float, lr_scheduler: str) -> float:
    """Between 0 and 1: a straight rise over the first `warmup_ratio` of the steps, then the decay to 0 at the end.

    step   counted from 0; the first step already trains (its factor is above 0)
    """
    warmup = math.ceil(warmup_ratio * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    return {"cosine": (1 + math.cos(math.pi * done)) / 2, "linear": 1 - done, "constant": 1.0}[lr_scheduler]
