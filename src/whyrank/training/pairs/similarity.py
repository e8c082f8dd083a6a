"""The similarity objective: pairs of texts in the order of their labels, alike ones near and opposite ones apart.

Shapes: B pairs of a batch · M opposites of a batch · N texts of both · D features
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from whyrank.batches.pairs import ORDER_LOSSES, PairBatch, PairBatches
from whyrank.core.options.pairs import SimilarityObjective as SimilarityOptions
from whyrank.core.options.params import FinetuneRank
from whyrank.core.prepared import Prepared
from whyrank.model.system import System
from whyrank.training.engine.objective import Step
from whyrank.training.engine.vectors import LiveVectors, Vectors, of_objective, sent_by
from whyrank.training.pairs import losses
from whyrank.training.ranking.layered_losses import VectorLoss, espresso, matryoshka

# Texts that mean the same and point the opposite way, or nearly; unrelated ones lie around 0.
OPPOSED = -0.5


class SimilarityObjective(nn.Module):
    """The weighted sum of those losses whose weight is above 0, on the task's vectors: of its head, or of queries."""

    def __init__(
        self, prepared: Prepared, system: System, vectors: Vectors, params: FinetuneRank, random: np.random.Generator
    ) -> None:
        super().__init__()
        options = params.objectives.similarity
        # The system owns its weights: held in a list, it is not registered as a part of this module.
        self.system = [system]
        self.vectors, self.options = vectors, options
        self.blocks = espresso_blocks(system, options) if options.espresso.dims else []
        self.weights = {name: getattr(options, name).weight for name in TERMS if getattr(options, name).weight > 0}
        self.batches = PairBatches(
            prepared.pairs[prepared.pairs["use"] == "train"],
            size=options.batch_size,
            distinct_labels=any(name in self.weights for name in ORDER_LOSSES),
            negative_to=options.negative_to,
            random=random,
        )

    def step(self) -> Step:
        batch = next(self.batches)
        opposite_M = batch.negative_B[batch.negative_B >= 0] if "contrastive" in self.weights else batch.negative_B[:0]
        texts = np.concatenate([batch.first_B, batch.second_B, opposite_M])
        layers = self.layers(texts)
        sizes = [len(batch.first_B), len(batch.second_B), len(opposite_M)]
        sides = [vector_ND.split(sizes) for vector_ND in layers]
        found = {name: self.over_cuts(partial(TERMS[name], self, batch), sides) for name in self.weights}
        weighted = {name: self.weights[name] * loss for name, loss in found.items()}
        total = torch.stack(list(weighted.values())).sum()
        aligned = {}
        if self.options.espresso.dims and self.options.espresso.align_weight:
            alignment = self.alignment(sides)
            total, aligned = total + alignment, {"similarity_alignment": alignment.item()}
        record = {
            "similarity_loss": total.item(),
            **{f"similarity_{name}_loss": loss.item() for name, loss in found.items()},
            **aligned,
            **shares(weighted, layers[-1]),
            "similarity_rows": len(batch.label_B),
            "similarity_distinct_labels": len(np.unique(batch.label_B)),
            "similarity_positives": int((batch.label_B >= self.options.positive_from).sum()),
            **opposed(sides[-1][0], sides[-1][1], batch.label_B >= self.options.positive_from),
        }
        return Step(total, record | self.vectors.cost(texts), texts.tolist(), sides[-1])

    def layers(self, texts: np.ndarray) -> list[torch.Tensor]:
        """Vectors (N, D) of the texts as the system gives them, and before them those of the blocks of `espresso`."""
        (system,) = self.system
        if self.blocks:
            assert isinstance(self.vectors, LiveVectors), "blocks have an output where the whole encoder is run"
            of_blocks = sent_by(self.options, self.vectors.after_blocks(texts, self.blocks)).unbind(1)
            return [system.of_task("similarity", vector_ND) for vector_ND in of_blocks]
        return [system.of_task("similarity", of_objective(self.vectors, texts, self.options))]

    def over_cuts(self, loss: VectorLoss, sides: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
        """The loss of the last layer; of cuts and of the other layers, too, as the parameters say."""
        if self.options.espresso.dims:
            return espresso(loss, sides, self.options.espresso.dims, align_weight=0.0, numbers=self.blocks)
        if self.options.matryoshka.dims:
            loss = matryoshka(loss, self.options.matryoshka.dims, self.options.matryoshka.weights)
        return loss(*sides[-1])

    def alignment(self, sides: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
        """What `espresso` adds to any loss, once for all of them."""
        options = self.options.espresso

        def nothing(*vectors: torch.Tensor) -> torch.Tensor:
            return vectors[0].new_zeros(())

        return espresso(nothing, sides, options.dims, align_weight=options.align_weight, numbers=self.blocks)

    def skip(self, batches: int) -> None:
        self.batches.skip(batches)

    def kept(self) -> dict[str, Any]:
        return {}

    def take_up(self, kept: dict[str, Any]) -> None:
        """The batches are drawn again."""

    def order(
        self, name: str, batch: PairBatch, first_BD: torch.Tensor, second_BD: torch.Tensor, _: torch.Tensor
    ) -> torch.Tensor:
        loss: Callable[..., torch.Tensor] = getattr(losses, name)
        label_B = torch.as_tensor(batch.label_B, device=first_BD.device)
        return loss(first_BD, second_BD, label_B, temperature=getattr(self.options, name).temperature)

    def in_batch(
        self, batch: PairBatch, first_BD: torch.Tensor, second_BD: torch.Tensor, _: torch.Tensor
    ) -> torch.Tensor:
        return losses.in_batch(
            first_BD,
            second_BD,
            *(torch.as_tensor(part, device=first_BD.device) for part in (batch.label_B, batch.first_B, batch.second_B)),
            positive_from=self.options.positive_from,
            temperature=self.options.in_batch.temperature,
        )

    def contrastive(
        self, batch: PairBatch, first_BD: torch.Tensor, second_BD: torch.Tensor, opposite_MD: torch.Tensor
    ) -> torch.Tensor:
        """Positive pairs alone; a positive of the same text elsewhere in the batch is no negative."""
        is_positive_B = batch.label_B >= self.options.positive_from
        if not is_positive_B.any():
            return first_BD.sum() * 0
        has_B = batch.negative_B >= 0
        negative_BD = torch.zeros_like(second_BD).index_copy(0, torch.as_tensor(np.flatnonzero(has_B)), opposite_MD)
        first_P, second_P, negative_P = (
            part[is_positive_B] for part in (batch.first_B, batch.second_B, batch.negative_B)
        )
        candidate_C = np.concatenate([second_P, negative_P])
        known_PP = first_P[:, None] == first_P[None, :]
        same_PC = (candidate_C[None, :] == second_P[:, None]) | (candidate_C[None, :] == first_P[:, None])
        ignored_PC = same_PC | np.concatenate([known_PP, np.zeros_like(known_PP)], axis=1)
        chosen = torch.as_tensor(np.flatnonzero(is_positive_B), device=first_BD.device)
        return losses.contrastive_with_hard_negatives(
            first_BD[chosen],
            second_BD[chosen],
            negative_BD[chosen],
            torch.as_tensor(has_B[is_positive_B], device=first_BD.device),
            torch.as_tensor(ignored_PC, device=first_BD.device),
            temperature=self.options.contrastive.temperature,
        )

    def mse(self, batch: PairBatch, first_BD: torch.Tensor, second_BD: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return losses.mse(first_BD, second_BD, torch.as_tensor(batch.label_B, device=first_BD.device))


def order_term(name: str) -> Callable[..., torch.Tensor]:
    return lambda objective, *arguments: objective.order(name, *arguments)


TERMS: dict[str, Callable[..., torch.Tensor]] = {name: order_term(name) for name in ORDER_LOSSES} | {
    "in_batch": SimilarityObjective.in_batch,
    "contrastive": SimilarityObjective.contrastive,
    "mse": SimilarityObjective.mse,
}


def opposed(first_BD: torch.Tensor, second_BD: torch.Tensor, is_positive_B: np.ndarray) -> dict[str, float]:
    """`similarity_opposed_positives`: share of the positive pairs with a cosine below `OPPOSED`; of none left out."""
    if not is_positive_B.any():
        return {}
    cosine_B = functional.cosine_similarity(first_BD.detach(), second_BD.detach())
    is_opposed_B = (cosine_B < OPPOSED).cpu().numpy()
    return {"similarity_opposed_positives": float(is_opposed_B[is_positive_B].mean())}


def espresso_blocks(system: System, options: SimilarityOptions) -> list[int]:
    """Numbers of the blocks whose vectors the losses see, ascending; the last one is always among them."""
    last = system.encoder.transformer.config.num_hidden_layers
    asked = range(1, last) if options.espresso.layers == "all" else options.espresso.layers
    return sorted({*asked, last})


def shares(weighted: dict[str, torch.Tensor], vector_ND: torch.Tensor) -> dict[str, float]:
    """`similarity_<loss>_gradient_share`: norm of each loss's gradient at the vectors, over the sum of the norms.

    Only where there are several losses. At the vectors, where it costs no second pass through the encoder.
    """
    if len(weighted) < 2 or not vector_ND.requires_grad:
        return {}
    norm = {
        name: torch.autograd.grad(loss, vector_ND, retain_graph=True, allow_unused=True)[0]
        for name, loss in weighted.items()
    }
    size = {name: 0.0 if gradient is None else gradient.norm().item() for name, gradient in norm.items()}
    total = sum(size.values())
    return {f"similarity_{name}_gradient_share": own / total if total else 0.0 for name, own in size.items()}
