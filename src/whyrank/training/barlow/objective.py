"""The objective of pretraining: what the next batch of view pairs is worth, and what to record of it."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import nn

from whyrank.batches import views as view_batches
from whyrank.core.options import params
from whyrank.core.options.barlow import ViewLoss
from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import geometry
from whyrank.training.barlow.losses import BarlowTerms, barlow_twins, info_nce, vicreg
from whyrank.training.engine.objective import Objective, Step
from whyrank.training.engine.vectors import Vectors

# Cosine from which two views are one text.
EQUAL = 0.9999
# The weight of the paper, 0.005, times about half of its 8,192 features: the ratio of both terms grows with the
# product, and 0.05 of 384 features was best of 0.0005 to 0.5 on three sets.
AUTO_WEIGHT = 20.0


class BarlowObjective(Objective):
    """Batches of view pairs; views listed in the parameters are taken in turn. `weights` is the projector."""

    name = "barlow"

    def __init__(
        self,
        prepared: Prepared,
        vectors: Vectors,
        head: nn.Module,
        options: params.PretrainBarlow,
        random: np.random.Generator,
    ) -> None:
        sides = view_batches.all_sides(prepared, options.views).values()
        batches = in_turn(sides, batches=options.batches, size=options.batch_size, random=random)
        super().__init__(vectors, batches)
        self.head, self.options = head, options
        self.weights = nn.Identity()
        self.looked = False

    def compute(self) -> Step:
        views = next(self.batches)
        texts = np.concatenate([views.first_B, views.second_B])
        sides = self.vectors(texts).split(len(views.first_B))
        first_BD, second_BD = (self.weights(self.head(side_BD)) for side_BD in sides)
        loss, terms = loss_of(first_BD, second_BD, self.options)
        record = self._record(views, loss, terms, torch.cat([first_BD, second_BD]).detach())
        if not self.looked:
            self.looked = True
            with torch.no_grad():
                record |= first_look(*(side_BD.detach() for side_BD in (*sides, first_BD, second_BD)))
                expected = expected_loss(first_BD.detach(), second_BD.detach(), self.options)
                record |= {"expected_loss": expected / scale_of(self.options, first_BD)}
        return Step(loss, record | self.vectors.cost(texts), texts.tolist())

    def skip(self, batches: int) -> None:
        self.looked = self.looked or batches > 0
        super().skip(batches)

    def _record(
        self, views: view_batches.Views, loss: torch.Tensor, terms: BarlowTerms, vector_ND: torch.Tensor
    ) -> dict[str, float]:
        """What diagnosis needs of a batch; terms per feature, so that heads of any width compare."""
        features, rows = len(terms.correlation_DD), len(views.answer_B)
        return {
            "barlow_loss": loss.item() / scale_of(self.options, vector_ND),
            "invariance": terms.invariance.item() / features,
            "redundancy": terms.redundancy.item() / features,
            **(shares(terms, redundancy_weight(self.options, features)) if self.options.objective == "barlow" else {}),
            "mean_diagonal": terms.correlation_DD.diagonal().mean().item(),
            "off_diagonal_rms": (terms.redundancy.item() / (features * (features - 1))) ** 0.5,
            "noise_floor": rows**-0.5,
            "rows": rows,
            "features": features,
            "distinct_answers": len(np.unique(views.answer_B)),
            "embedding_norm": vector_ND.norm(dim=1).mean().item(),
            "feature_std": vector_ND.std(0).mean().item(),
            "effective_rank": geometry.effective_rank(vector_ND.cpu().numpy()),
        }


def in_turn(
    sides: Iterable[view_batches.Sides], *, batches: str, size: int, random: np.random.Generator
) -> Iterator[view_batches.Views]:
    """Batches of the views in turn."""
    sources = [view_batches.view_batches(both, batches=batches, size=size, random=random) for both in sides]
    return (next(source) for source in itertools.cycle(sources))


def redundancy_weight(options: ViewLoss, features: int) -> float:
    """Of the redundancy term, which has features^2 summands where the invariance term has as many as features."""
    return AUTO_WEIGHT / features if options.redundancy_weight == "auto" else options.redundancy_weight


def loss_of(first_BD: torch.Tensor, second_BD: torch.Tensor, options: ViewLoss) -> tuple[torch.Tensor, BarlowTerms]:
    """The loss that the options name, and the terms of Barlow Twins, which tell of agreement under any of them."""
    terms = barlow_twins(first_BD, second_BD, redundancy_weight=redundancy_weight(options, first_BD.shape[1]))
    if options.objective == "vicreg":
        return vicreg(first_BD, second_BD).loss, terms
    if options.objective == "infonce":
        return info_nce(first_BD, second_BD, temperature=options.temperature), terms
    return terms.loss, terms


def scale_of(options: ViewLoss, vector_BD: torch.Tensor) -> int:
    """What the loss is divided by in the history: the features that Barlow Twins sums over."""
    return vector_BD.shape[1] if options.objective == "barlow" else 1


def shares(terms: BarlowTerms, weight: float) -> dict[str, float]:
    """How much of the loss and of its gradient the redundancy term has.

    The gradients of both terms at the cross-correlation are 2 (1 - C_ii) and 2 weight C_ij.
    """
    invariance, redundancy = terms.invariance.item() ** 0.5, weight * terms.redundancy.item() ** 0.5
    return {
        "redundancy_gradient_share": redundancy / max(redundancy + invariance, 1e-12),
        "redundancy_loss_share": 1 - terms.invariance.item() / max(abs(terms.loss.item()), 1e-12),
    }


def expected_loss(first_BD: torch.Tensor, second_BD: torch.Tensor, options: ViewLoss) -> float:
    """The loss computed apart from `losses`, so that a fault there shows."""
    one_BD, two_BD = (side_BD.double().cpu().numpy() for side_BD in (first_BD, second_BD))
    return EXPECTED[options.objective](one_BD, two_BD, options)


def _expected_barlow(one_BD: np.ndarray, two_BD: np.ndarray, options: ViewLoss) -> float:
    """With the guard of BatchNorm as there."""
    one_BD, two_BD = ((x_BD - x_BD.mean(0)) / np.sqrt(x_BD.var(0) + 1e-5) for x_BD in (one_BD, two_BD))
    correlation_DD = one_BD.T @ two_BD / len(one_BD)
    diagonal_D = np.diagonal(correlation_DD)
    apart = np.square(correlation_DD).sum() - np.square(diagonal_D).sum()
    return float(np.square(1 - diagonal_D).sum() + redundancy_weight(options, len(diagonal_D)) * apart)


def _expected_vicreg(one_BD: np.ndarray, two_BD: np.ndarray, options: ViewLoss) -> float:
    total = 25 * float(np.square(one_BD - two_BD).mean())
    for side_BD in (one_BD, two_BD):
        total += 12.5 * float(np.maximum(0, 1 - np.sqrt(side_BD.var(0, ddof=1) + 1e-4)).mean())
        covariance_DD = np.cov(side_BD, rowvar=False)
        total += float(np.square(covariance_DD[~np.eye(len(covariance_DD), dtype=bool)]).sum() / len(covariance_DD))
    return total


def _expected_infonce(one_BD: np.ndarray, two_BD: np.ndarray, options: ViewLoss) -> float:
    one_BD, two_BD = geometry.unit_rows(one_BD), geometry.unit_rows(two_BD)
    logit_BB = one_BD @ two_BD.T / options.temperature
    both = (np.logaddexp.reduce(logit_BB, axis=axis) - np.diagonal(logit_BB) for axis in (0, 1))
    return float(np.mean(list(both)))


EXPECTED = {"barlow": _expected_barlow, "vicreg": _expected_vicreg, "infonce": _expected_infonce}


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
