"""Whether pretraining ranks the dev queries better than what it started from, and the way back."""

import numpy as np
import torch

from whyrank.core.prepared import Prepared
from whyrank.model import readout
from whyrank.model.encoder import layers
from whyrank.model.encoder.encoder import Encoder
from whyrank.model.encoder.modes import evaluating
from whyrank.model.judged import judged
from whyrank.model.system import System
from whyrank.training.engine import sharding
from whyrank.training.engine.dev_ranking import RankingWatch
from whyrank.training.engine.vectors import Vectors
from whyrank.training.engine.watch import changing

# Of the interval: nine of ten resamples gain. MiniLM at its first token, in three splits of two sets, had more than
# 96 of 100, and gained on test; with its own mean on ConditionalQA, where there was nothing to gain, 59 at most.
LEVEL = 0.8


class Gained:
    """Remembers how `start` ranks the dev queries, and the weights of its encoder, before any step."""

    def __init__(self, start: System, prepared: Prepared, vectors: Vectors, train: str, seed: int) -> None:
        """train   how much of the encoder pretraining changes, as `vectors` has arranged it"""
        self.prepared, self.vectors, self.encoder, self.seed = prepared, vectors, start.encoder, seed
        self.before = weights(start.encoder, train)
        self.before_Q = self.reciprocal_ranks(start)

    def is_likely(self, result: System) -> bool:
        """Whether the interval of the gain in MRR lies above 0; without judged dev queries nothing says it does not."""
        if self.before_Q is None:
            return True
        after_Q = self.reciprocal_ranks(result)
        gain = readout.gain(after_Q - self.before_Q, self.prepared, judged(self.prepared, "dev"), self.seed, LEVEL)
        return bool(gain.low > 0)

    def undo(self) -> None:
        """Give the encoder, as `finish` left it, the weights that it had; all processes call it."""
        sharding.load(self.encoder, self.before)

    def reciprocal_ranks(self, system: System) -> np.ndarray | None:
        """(Q,) of the judged dev queries; None without any."""
        if not len(judged(self.prepared, "dev")):
            return None
        watch = RankingWatch(self.prepared, system, self.vectors, np.random.default_rng(self.seed))
        with evaluating(system), torch.no_grad():
            watch()
        return watch.reciprocal_rank_Q


def weights(encoder: Encoder, train: str) -> dict[str, torch.Tensor]:
    """A copy of what a training changes, by the names of an encoder that is whole and has no low-rank updates."""
    if train == "head":
        return {}
    if merged := layers.changed_by_merging(encoder):
        return {name: weight.detach().clone() for name, weight in merged.items()}
    return changing(encoder, [name for name, weight in encoder.named_parameters() if weight.requires_grad])
