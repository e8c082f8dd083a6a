"""How fast a training is. Wall-clock figures are kept apart from the history: they differ from run to run."""

import time

import pandas as pd
import torch
from torch import nn

from whyrank.core.runtime import product_rate
from whyrank.training.engine.optimiser import layer_of

# Below this the measurement of the processor would be a good part of the run.
SECONDS_WORTH_MEASURING = 10.0


class Speed:
    """Seconds and tokens of the steps that this process did."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.rows: list[tuple[int, float, float, float]] = []

    def count(self, step: int, began: float, tokens: float) -> None:
        now = time.monotonic()
        self.rows.append((step, now - self.started, now - began, tokens))

    def table(self) -> pd.DataFrame:
        """One row per step: step, seconds since training began, seconds and tokens of the step."""
        return pd.DataFrame(self.rows, columns=["step", "seconds", "step_seconds", "tokens"])

    @property
    def tokens_per_second(self) -> float:
        """Over the steps alone, without evaluations and checkpoints."""
        return sum(row[3] for row in self.rows) / max(sum(row[2] for row in self.rows), 1e-9)

    def __str__(self) -> str:
        return f"{self.tokens_per_second:,.0f} tokens/s"

    def summary(self, trained: nn.Module, padding_share: float, dtype: torch.dtype) -> str:
        """One line: tokens/s, padding, and the share of the processor's matrix-product rate; "" for short trainings.

        trained         with the encoder as its child `encoder`, if it learns
        padding_share   mean over the steps
        """
        if not any(row[3] for row in self.rows) or sum(row[2] for row in self.rows) < SECONDS_WORTH_MEASURING:
            return ""
        if not operations_per_token(trained):
            return f"{self}, padding {padding_share:.1%}"
        rate = product_rate(next(trained.parameters()).device, dtype)
        share = self.tokens_per_second * operations_per_token(trained) / rate
        return (
            f"{self}, padding {padding_share:.1%}, {share:.0%} of the {rate / 1e9:,.0f} GFLOP/s "
            "that a large matrix product reaches"
        )


def operations_per_token(trained: nn.Module) -> float:
    """Floating-point operations of the encoder's trained linear layers: 2 a weight forward, 4 backward.

    Left out, so that the share is no overstatement: attention's own products, passes that are computed again, and the
    last layer where saved activations go in and only the first token of a text comes out.
    """
    weights = {
        name: layer.weight.numel()
        for name, layer in trained.named_modules()
        if isinstance(layer, nn.Linear) and name.startswith("encoder.") and layer.weight.requires_grad
    }
    encoder = dict(trained.named_children()).get("encoder", nn.Identity())
    if getattr(encoder, "pooling", "") == "cls" and not all(one.requires_grad for one in encoder.parameters()):
        last = max(map(layer_of, weights), default=-1)
        weights = {name: count for name, count in weights.items() if layer_of(name) != last}
    return 6.0 * sum(weights.values())
