"""Barlow Twins pretraining: two texts of the same answer as two views of one thing."""

import itertools

import numpy as np
import pandas as pd
import torch
from torch import nn

from whyrank.batches import views as view_batches
from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import geometry
from whyrank.model import system
from whyrank.model.heads import heads
from whyrank.training.barlow.losses import BarlowTerms, barlow_twins
from whyrank.training.engine.encoding import finish, vectors_for
from whyrank.training.engine.loop import History, Loop
from whyrank.training.engine.objective import Objective, Step, balancing
from whyrank.training.engine.trained import Trained, checkpoints_of, trainable
from whyrank.training.engine.vectors import Vectors

# Cosine from which two views are one text.
EQUAL = 0.9999


def pretrain_barlow(
    start: system.System, prepared: Prepared, options: params.PretrainBarlow, encoder: params.Encoder, seed: int
) -> Trained:
    """Barlow Twins on top of `start`; the result scores by the cosine, which does not depend on the scale of a head.

    0 steps give `start` back as it is: an untrained head would be a random projection, and the data need have no views.
    """
    checkpoints = checkpoints_of(start, prepared, options, encoder, seed)
    if options.steps == 0:
        return Trained(start, History(pd.DataFrame(columns=["step"]), pd.DataFrame(), 0, pd.DataFrame()), checkpoints)
    head = heads.build(options.head, start.encoder.width)
    result = system.with_heads(start, head, dual=False, score="cosine").to(start.encoder.device)
    vectors = vectors_for(result, prepared, encoder, options)
    objective = BarlowObjective(prepared, vectors, head, options, np.random.default_rng(seed))
    objective.terms = balancing(head, options.head)
    history = Loop(
        trainable(result, options.train),
        {objective.name: objective},
        options,
        steps=options.steps,
        what="pretrain",
        seed=seed,
        checkpoints=checkpoints,
        precision=encoder.precision,
    ).fit()
    finish(vectors, result, prepared, encoder, options)
    return Trained(result, history, checkpoints)


class BarlowObjective(Objective):
    """Batches of view pairs from the training queries; views listed in the parameters are taken in turn."""

    name = "barlow"

    def __init__(
        self,
        prepared: Prepared,
        vectors: Vectors,
        head: nn.Module,
        options: params.PretrainBarlow,
        random: np.random.Generator,
    ) -> None:
        sources = [
            view_batches.view_batches(prepared, view, batches=options.batches, size=options.batch_size, random=random)
            for view in options.views
        ]
        super().__init__(vectors, (next(source) for source in itertools.cycle(sources)))
        self.head = head
        self.redundancy_weight = options.redundancy_weight
        self.looked = False

    def compute(self) -> Step:
        views = next(self.batches)
        texts = np.concatenate([views.first_B, views.second_B])
        sides = self.vectors(texts).split(len(views.first_B))
        first_BD, second_BD = (self.head(side_BD) for side_BD in sides)
        terms = barlow_twins(first_BD, second_BD, redundancy_weight=self.redundancy_weight)
        record = self._record(views, terms, torch.cat([first_BD, second_BD]).detach())
        if not self.looked:
            self.looked = True
            with torch.no_grad():
                record |= first_look(*(side_BD.detach() for side_BD in (*sides, first_BD, second_BD)))
                expected = expected_loss(first_BD.detach(), second_BD.detach(), self.redundancy_weight)
                record |= {"expected_loss": expected / first_BD.shape[1]}
        return Step(terms.loss, record | self.vectors.cost(texts), texts.tolist())

    def skip(self, batches: int) -> None:
        self.looked = self.looked or batches > 0
        super().skip(batches)

    def _record(self, views: view_batches.Views, terms: BarlowTerms, vector_ND: torch.Tensor) -> dict[str, float]:
        """What diagnosis needs of a batch; terms per feature, so that heads of any width compare."""
        # The gradients of both terms at the cross-correlation: 2 (1 - C_ii) and 2 weight C_ij.
        invariance, redundancy = terms.invariance.item() ** 0.5, self.redundancy_weight * terms.redundancy.item() ** 0.5
        features, rows = len(terms.correlation_DD), len(views.answer_B)
        return {
            "barlow_loss": terms.loss.item() / features,
            "invariance": terms.invariance.item() / features,
            "redundancy": terms.redundancy.item() / features,
            "redundancy_gradient_share": redundancy / max(redundancy + invariance, 1e-12),
            "redundancy_loss_share": 1 - terms.invariance.item() / max(abs(terms.loss.item()), 1e-12),
            "mean_diagonal": terms.correlation_DD.diagonal().mean().item(),
            "off_diagonal_rms": (terms.redundancy.item() / (features * (features - 1))) ** 0.5,
            "noise_floor": rows**-0.5,
            "rows": rows,
            "distinct_answers": len(np.unique(views.answer_B)),
            "embedding_norm": vector_ND.norm(dim=1).mean().item(),
            "feature_std": vector_ND.std(0).mean().item(),
            "effective_rank": geometry.effective_rank(vector_ND.cpu().numpy()),
        }


def expected_loss(first_BD: torch.Tensor, second_BD: torch.Tensor, weight: float) -> float:
    """Of Barlow Twins, computed apart from `losses`, so that a fault there shows; the guard of BatchNorm as there."""
    one_BD, two_BD = (side_BD.double().cpu().numpy() for side_BD in (first_BD, second_BD))
    one_BD, two_BD = ((x_BD - x_BD.mean(0)) / np.sqrt(x_BD.var(0) + 1e-5) for x_BD in (one_BD, two_BD))
    correlation_DD = one_BD.T @ two_BD / len(one_BD)
    diagonal_D = np.diagonal(correlation_DD)
    apart = np.square(correlation_DD).sum() - np.square(diagonal_D).sum()
    return float(np.square(1 - diagonal_D).sum() + weight * apart)


def first_look(
    text_BE: torch.Tensor, other_BE: torch.Tensor, first_BD: torch.Tensor, second_BD: torch.Tensor
) -> dict[str, float]:
    """Of the first batch alone: whether its views belong together, and whether the loss is what it says.

    text_BE, other_BE     the two views below the head;  first_BD, second_BD   above it
    view_cosine           mean cosine of the two views of an answer, their batch means subtracted
    permuted_cosine       the same of views of different answers; `view_cosine_error`: standard error of the difference
    equal_views           share of the rows whose two views have the same vector
    self_correlation      mean diagonal of a view with itself: 1, where features are standardised over the batch
    constant_correlation  largest correlation with one and the same row: 0, where the batch mean is subtracted
    """
    one_BE, two_BE = (nn.functional.normalize(side_BE - side_BE.mean(0), dim=1) for side_BE in (text_BE, other_BE))
    matched_B, permuted_B = ((one_BE * side_BE).sum(1) for side_BE in (two_BE, two_BE.roll(1, 0)))
    whole_B = nn.functional.cosine_similarity(text_BE, other_BE)
    constant_BD = second_BD.mean(0).expand_as(second_BD).contiguous()
    own, constant = (barlow_twins(first_BD, side_BD, redundancy_weight=0.0) for side_BD in (first_BD, constant_BD))
    return {
        "view_cosine": matched_B.mean().item(),
        "permuted_cosine": permuted_B.mean().item(),
        "view_cosine_error": ((matched_B - permuted_B).std() / len(matched_B) ** 0.5).item(),
        "equal_views": (whole_B > EQUAL).float().mean().item(),
        "self_correlation": own.correlation_DD.diagonal().mean().item(),
        "constant_correlation": constant.correlation_DD.abs().max().item(),
    }
