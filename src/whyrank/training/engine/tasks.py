"""Several objectives on one encoder: which of them a batch takes, and how their losses are weighed."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from whyrank.core.options.objectives import Tasks as Options

DEFAULTS = Options(sampling="all", temperature=1.0, weighting="fixed", embeddings=False, cross_attention=False)


class Tasks(nn.Module):
    """The objectives by name with their weights, the steps after which they begin, and their sizes.

    weight   of a loss in the sum
    start    steps before an objective begins, while others train (progressive addition)
    size     training rows, for the sampling that goes by it
    rate     learning rate of what an objective has for itself, where it is not that of all heads
    """

    def __init__(
        self,
        weight: Mapping[str, float],
        options: Options | None = None,
        start: Mapping[str, int] | None = None,
        size: Mapping[str, int] | None = None,
        seed: int = 0,
        rate: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.weight = dict(weight)
        self.options = options or DEFAULTS
        self.rate = dict(rate or {})
        self.start = {name: (start or {}).get(name, 0) for name in weight}
        self.size = {name: (size or {}).get(name, 1) for name in weight}
        self.seed = seed
        self.learns_weights = self.options.weighting == "uncertainty" and len(self.weight) > 1
        if self.learns_weights:
            self.log_variance = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in weight})

    @property
    def is_equal(self) -> bool:
        return self.options.weighting == "equal_gradient"

    def active(self, step: int, batch: int) -> list[str]:
        """The objectives of a batch of a step (from 1): all that have begun, or one of them drawn.

        A function of seed, step and batch alone, so that a resumed run needs no state of a generator.
        """
        begun = [name for name, start in self.start.items() if step > start]
        if self.options.sampling == "all" or len(begun) == 1:
            return begun
        share = self.shares(begun)
        return [str(np.random.default_rng((self.seed, step, batch)).choice(begun, p=share))]

    def shares(self, names: list[str]) -> np.ndarray:
        """Chance of each to be drawn: by size (proportional), size^(1/temperature), or all alike (equal).

        A temperature above 1 lifts the small ones (Devlin 2018, multilingual BERT; Raffel et al. 2020,
        arXiv:1910.10683, section 3.5.2).
        """
        size = np.array([self.size[name] for name in names], dtype=float)
        power = {"proportional": 1.0, "equal": 0.0, "temperature": 1.0 / self.options.temperature}
        share = size ** power[self.options.sampling]
        return share / share.sum()

    def drawn(self, name: str, steps: int, batches: int) -> int:
        """How many batches an objective has had after `steps` steps of `batches` batches."""
        return sum(name in self.active(step, batch) for step in range(1, steps + 1) for batch in range(batches))

    def weigh(self, losses: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Weighted losses; with `uncertainty`, w (exp(-s) L + s) with a learnt s = log variance of each.

        Kendall, Gal and Cipolla 2018, arXiv:1705.07115, without their factor of 1/2 on regression losses. The least
        value is at s = ln L: a loss that stays large comes to count less.
        """
        if not self.learns_weights:
            return {name: self.weight[name] * loss for name, loss in losses.items()}
        return {
            name: self.weight[name] * ((-self.log_variance[name]).exp() * loss + self.log_variance[name])
            for name, loss in losses.items()
        }

    def record(self) -> dict[str, float]:
        """`<name>_task_weight`, what a loss is multiplied by, where that is learnt."""
        if not self.learns_weights:
            return {}
        return {f"{name}_task_weight": self.weight[name] * math.exp(-s.item()) for name, s in self.log_variance.items()}
