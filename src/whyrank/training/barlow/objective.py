"""The Barlow Twins objective: two texts of the same answer as two views of one thing."""

import itertools

import numpy as np
import torch
from torch import nn

from whyrank.batches import views as view_batches
from whyrank.core.options.params import PretrainBarlow
from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import geometry
from whyrank.training.barlow.losses import BarlowTerms, barlow_twins
from whyrank.training.engine.objective import Objective, Step
from whyrank.training.engine.vectors import Vectors


class BarlowObjective(Objective):
    """Batches of view pairs from the training queries; views listed in the parameters are taken in turn."""

    name = "barlow"

    def __init__(
        self, prepared: Prepared, vectors: Vectors, head: nn.Module, params: PretrainBarlow, random: np.random.Generator
    ) -> None:
        sources = [
            view_batches.view_batches(prepared, view, batches=params.batches, size=params.batch_size, random=random)
            for view in params.views
        ]
        super().__init__(vectors, (next(source) for source in itertools.cycle(sources)))
        self.head = head
        self.redundancy_weight = params.redundancy_weight

    def compute(self) -> Step:
        views = next(self.batches)
        texts = np.concatenate([views.first_B, views.second_B])
        sides = self.vectors(texts).split(len(views.first_B))
        first_BD, second_BD = (self.head(side_BD) for side_BD in sides)
        terms = barlow_twins(first_BD, second_BD, redundancy_weight=self.redundancy_weight)
        record = self._record(views, terms, torch.cat([first_BD, second_BD]).detach())
        return Step(terms.loss, record | self.vectors.cost(texts), texts.tolist())

    def _record(self, views: view_batches.Views, terms: BarlowTerms, vector_ND: torch.Tensor) -> dict[str, float]:
        """What diagnosis needs of a batch; terms per feature, so that heads of any width compare."""
        # The gradients of both terms at the cross-correlation: 2 (1 - C_ii) and 2 weight C_ij.
        invariance, redundancy = terms.invariance.item() ** 0.5, self.redundancy_weight * terms.redundancy.item() ** 0.5
        features, rows = len(terms.correlation_DD), len(views.answer_B)
        return {
            "invariance": terms.invariance.item() / features,
            "redundancy": terms.redundancy.item() / features,
            "redundancy_gradient_share": redundancy / max(redundancy + invariance, 1e-12),
            "mean_diagonal": terms.correlation_DD.diagonal().mean().item(),
            "off_diagonal_rms": (terms.redundancy.item() / (features * (features - 1))) ** 0.5,
            "noise_floor": rows**-0.5,
            "rows": rows,
            "distinct_answers": len(np.unique(views.answer_B)),
            "embedding_norm": vector_ND.norm(dim=1).mean().item(),
            "feature_std": vector_ND.std(0).mean().item(),
            "effective_rank": geometry.effective_rank(vector_ND.cpu().numpy()),
        }
