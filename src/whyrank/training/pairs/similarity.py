"""The similarity objective: pairs of texts in the order of their labels, alike ones near and opposite ones apart.

Shapes: B pairs of a batch · M opposites of a batch · N texts of both · D features
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from whyrank.batches.pairs import PairBatch, PairBatches
from whyrank.core.options.pairs import SimilarityObjective as SimilarityOptions
from whyrank.model.system import System
from whyrank.training.engine import gradients
from whyrank.training.engine.objective import Step
from whyrank.training.engine.vectors import LiveVectors, sent_by
from whyrank.training.loss_table import LossTable
from whyrank.training.pairs import losses
from whyrank.training.pairs.expected import Expected
from whyrank.training.ranking.layered_losses import VectorLoss, espresso, matryoshka
from whyrank.training.task import Given, TaskObjective

# Texts that mean the same and point the opposite way, or nearly; unrelated ones lie around 0.
OPPOSED = -0.5
SECTION = "finetune_rank.objectives.similarity"


class SimilarityObjective(TaskObjective):
    """The weighted sum of those losses whose weight is above 0, on the task's vectors: of its head, or of queries."""

    name = "similarity"

    def __init__(self, given: Given) -> None:
        pairs, options = given.prepared.pairs, given.options.objectives.similarity
        self.losses = LossTable(losses, options)
        training = pairs[pairs["use"] == "train"]
        self.expected = Expected(training, self.losses.weights, self.losses.options)
        batches = PairBatches(
            training,
            size=options.batch_size,
            distinct_labels=not losses.ORDER_LOSSES.isdisjoint(self.losses.weights),
            negative_to=options.negative_to,
            random=given.random,
        )
        super().__init__(given, options, batches)
        self.options = options
        self.layer_numbers = espresso_layers(self.system, options) if options.espresso.dims else []

    def compute(self) -> Step:
        batch = next(self.batches)
        has_opposite_B = (
            batch.negative_B >= 0 if self.losses.asks_for("opposite_MD") else np.zeros_like(batch.first_B) > 0
        )
        opposite_M = batch.negative_B[has_opposite_B]
        texts = np.concatenate([batch.first_B, batch.second_B, opposite_M])
        layers = self.layers(texts)
        sizes = [len(batch.first_B), len(batch.second_B), len(opposite_M)]
        sides = [vector_ND.split(sizes) for vector_ND in layers]
        columns = self.columns(batch, layers[-1].device)
        found = {name: self.over_cuts(partial(self.loss, name, columns), sides) for name in self.losses.weights}
        loss = self.losses.total(found)
        aligned = {}
        if self.options.espresso.dims and self.options.espresso.align_weight:
            alignment = self.alignment(sides)
            loss, aligned = loss + alignment, {"similarity_alignment": alignment.item()}
        record = {
            "similarity_loss": loss.item(),
            **{f"similarity_{name}_loss": one.item() for name, one in found.items()},
            **aligned,
            **shares(self.losses.weighted(found), layers[-1]),
            "similarity_rows": len(batch.label_B),
            "similarity_distinct_labels": len(np.unique(batch.label_B)),
            "similarity_positives": int((batch.label_B >= self.options.positive_from).sum()),
            **opposed(sides[-1][0], sides[-1][1], batch.label_B >= self.options.positive_from),
        }
        if not self.options.espresso.dims and not self.options.matryoshka.dims:
            record |= self.expected.figures(batch, sides[-1][0], sides[-1][1])
        return Step(loss, record | self.vectors.cost(texts), texts.tolist(), sides[-1])

    def columns(self, batch: PairBatch, device: torch.device) -> dict[str, Any]:
        tensors = {
            "label_B": batch.label_B,
            "group_first_B": batch.first_B,
            "group_second_B": batch.second_B,
            "group_opposite_B": batch.negative_B,
        }
        found: dict[str, Any] = {name: torch.as_tensor(part, device=device) for name, part in tensors.items()}
        return found | {"positive_from": self.options.positive_from}

    def loss(self, name: str, columns: dict[str, Any], *sides: torch.Tensor) -> torch.Tensor:
        vectors = dict(zip(("first_BD", "second_BD", "opposite_MD"), sides, strict=True))
        return self.losses(name, columns | vectors)

    def layers(self, texts: np.ndarray) -> list[torch.Tensor]:
        """Vectors (N, D) of the texts as the system gives them, and before them those of the layers of `espresso`."""
        if self.layer_numbers:
            assert isinstance(self.vectors, LiveVectors), "layers have an output where the whole encoder is run"
            of_layers = sent_by(self.options, self.vectors.after_layers(texts, self.layer_numbers)).unbind(1)
            return [self.system.of_task(self.name, vector_ND) for vector_ND in of_layers]
        return [self.system.of_task(self.name, self.encoded(texts))]

    def over_cuts(self, loss: VectorLoss, sides: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
        """The loss of the last layer; of cuts and of the other layers, too, as the parameters say."""
        if self.options.espresso.dims:
            return espresso(loss, sides, self.options.espresso.dims, align_weight=0.0, numbers=self.layer_numbers)
        if self.options.matryoshka.dims:
            loss = matryoshka(loss, self.options.matryoshka.dims, self.options.matryoshka.weights)
        return loss(*sides[-1])

    def alignment(self, sides: Sequence[Sequence[torch.Tensor]]) -> torch.Tensor:
        """What `espresso` adds to any loss, once for all of them."""
        options = self.options.espresso

        def nothing(*vectors: torch.Tensor) -> torch.Tensor:
            return vectors[0].new_zeros(())

        return espresso(nothing, sides, options.dims, align_weight=options.align_weight, numbers=self.layer_numbers)


def opposed(first_BD: torch.Tensor, second_BD: torch.Tensor, is_positive_B: np.ndarray) -> dict[str, float]:
    """`similarity_opposed_positives`: share of the positive pairs with a cosine below `OPPOSED`; of none left out."""
    if not is_positive_B.any():
        return {}
    cosine_B = functional.cosine_similarity(first_BD.detach(), second_BD.detach())
    is_opposed_B = (cosine_B < OPPOSED).cpu().numpy()
    return {"similarity_opposed_positives": float(is_opposed_B[is_positive_B].mean())}


def espresso_layers(system: System, options: SimilarityOptions) -> list[int]:
    """Numbers of the layers whose vectors the losses see, ascending; the last one is always among them."""
    last = system.encoder.transformer.config.num_hidden_layers
    asked = range(1, last) if options.espresso.layers == "all" else options.espresso.layers
    return sorted({*asked, last})


def shares(weighted: dict[str, torch.Tensor], vector_ND: torch.Tensor) -> dict[str, float]:
    """`similarity_<loss>_gradient_share`: norm of each loss's gradient at the vectors, over the sum of the norms.

    Only where there are several losses. At the vectors, where it costs no second pass through the encoder.
    """
    if len(weighted) < 2 or not vector_ND.requires_grad:
        return {}
    gradient = {
        name: torch.autograd.grad(loss, vector_ND, retain_graph=True, allow_unused=True)[0]
        for name, loss in weighted.items()
    }
    return gradients.shares(
        {f"similarity_{name}": 0.0 if own is None else own.norm().item() for name, own in gradient.items()}
    )
