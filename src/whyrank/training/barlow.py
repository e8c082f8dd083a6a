"""The Barlow Twins objective: two texts of the same answer as two views of one thing."""

import numpy as np
import torch
from torch import nn

from whyrank.core.params import PretrainBarlow
from whyrank.core.prepared import Prepared
from whyrank.measure import geometry
from whyrank.training import view_batches
from whyrank.training.losses import BarlowTerms, barlow_twins
from whyrank.training.objective import Step
from whyrank.training.vectors import Vectors


class BarlowObjective:
    """Batches of view pairs from the training queries; views listed in the parameters are taken in turn."""

    def __init__(
        self, prepared: Prepared, vectors: Vectors, head: nn.Module, params: PretrainBarlow, random: np.random.Generator
    ) -> None:
        self.vectors = vectors
        self.head = head
        self.redundancy_weight = params.redundancy_weight
        self.sources = [
            view_batches.view_batches(prepared, view, batches=params.batches, size=params.batch_size, random=random)
            for view in params.views
        ]
        self.turn = 0

    def step(self) -> Step:
        views = next(self.sources[self.turn % len(self.sources)])
        self.turn += 1
        sides = self.vectors(np.concatenate([views.first_B, views.second_B])).split(len(views.first_B))
        first_BD, second_BD = (self.head(side_BD) for side_BD in sides)
        terms = barlow_twins(first_BD, second_BD, redundancy_weight=self.redundancy_weight)
        return Step(terms.loss, self._record(views, terms, torch.cat([first_BD, second_BD]).detach()))

    @staticmethod
    def _record(views: view_batches.Views, terms: BarlowTerms, vector_ND: torch.Tensor) -> dict[str, float]:
        """What diagnosis needs of a batch; terms per feature, so that heads of any width compare."""
        features, rows = len(terms.correlation_DD), len(views.answer_B)
        return {
            "invariance": terms.invariance.item() / features,
            "redundancy": terms.redundancy.item() / features,
            "mean_diagonal": terms.correlation_DD.diagonal().mean().item(),
            "off_diagonal_rms": (terms.redundancy.item() / (features * (features - 1))) ** 0.5,
            "noise_floor": rows**-0.5,
            "rows": rows,
            "distinct_answers": len(np.unique(views.answer_B)),
            "embedding_norm": vector_ND.norm(dim=1).mean().item(),
            "feature_std": vector_ND.std(0).mean().item(),
            "effective_rank": geometry.effective_rank(vector_ND.cpu().numpy()),
        }
