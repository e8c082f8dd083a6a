"""The ratings objective: several targets in [0, 1] of a row, which is one text or a question and its answer.

Shapes: B rows of a batch · N rows · T targets · D features of a head
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from whyrank.batches.ranking import endless
from whyrank.core.options.params import FinetuneRank
from whyrank.core.prepared import Prepared
from whyrank.model.heads import heads
from whyrank.model.system import System
from whyrank.training.engine.objective import Step, merged
from whyrank.training.engine.vectors import FrozenVectors, Vectors, of_objective
from whyrank.training.ratings import losses
from whyrank.training.ratings import rows as rating_rows
from whyrank.training.ratings.surface import Surface, together


class RatingsObjective(nn.Module):
    """A linear layer of its own, on u of a row that is one text, else on [u, v, |u - v|, u v] of its two.

    The product beside what Reimers and Gurevych 2019 (arXiv:1908.10084) concatenate: without it and the difference no
    target can depend on how question and answer go together (Conneau et al. 2017, arXiv:1705.02364).
    """

    def __init__(
        self, prepared: Prepared, system: System, vectors: Vectors, params: FinetuneRank, random: np.random.Generator
    ) -> None:
        super().__init__()
        self.options = params.objectives.ratings
        self.system = [system]
        self.vectors = self.answer_vectors = vectors
        weights = {name: getattr(self.options, name).weight for name in TERMS}
        self.weights = {name: weight for name, weight in weights.items() if weight > 0}
        self.targets = prepared.rating_targets
        self.rows = rating_rows.training_rows(prepared, self.options)
        self.is_separate = rating_rows.is_separate(prepared)
        if self.options.encoders == "two":
            self.add_encoder()
        width = heads.output_width(system.head_of("ratings"), system.encoder.width)
        device = system.encoder.device
        self.surface = Surface(prepared, vectors, self.rows.texts_R2) if self.options.layer_means else None
        read = width * (4 if self.is_separate else 1) + (self.surface.width if self.surface else 0)
        self.rate = nn.Linear(read, len(self.targets)).to(device)
        self.mean_T = torch.as_tensor(self.rows.mean_T, device=device)
        with torch.no_grad():
            # The first steps need not go into how high each target lies (Lin et al. 2017, arXiv:1708.02002).
            self.rate.bias.copy_(self.mean_T.logit())
        self.batches = endless(len(self.rows.label_RT), self.options.batch_size, random)

    def add_encoder(self) -> None:
        """A copy of the encoder as it starts, for answers alone. Frozen ones would stay alike: one serves both."""
        if isinstance(self.vectors, FrozenVectors):
            return
        # By this name the optimiser, the freezing and the history know its weights for an encoder's.
        self.encoder = copy.deepcopy(self.system[0].encoder)
        self.answer_vectors = self.vectors.of(self.encoder)

    def step(self) -> Step:
        row_B = next(self.batches)
        texts_B2 = self.rows.texts_R2[row_B]
        sides = self.sides(texts_B2, lambda vectors, index_N: of_objective(vectors, index_N, self.options))
        logit_BT = self.logits(sides, texts_B2)
        label_BT, weight_BT = (
            torch.as_tensor(table_RT[row_B], device=logit_BT.device)
            for table_RT in (self.rows.label_RT, self.rows.weight_RT)
        )
        found = {
            name: TERMS[name](self, logit_BT, label_BT, weight_BT if self.rows.pseudo else None)
            for name in self.weights
        }
        total = torch.stack([self.weights[name] * loss for name, loss in found.items()]).sum()
        record = {
            "ratings_loss": total.item(),
            **{f"ratings_{name}_loss": loss.item() for name, loss in found.items()},
            "ratings_rows": len(row_B),
        }
        if self.surface:
            record["ratings_layer_means"] = self.surface.blocks
        if self.rows.pseudo:
            labelled = len(self.rows.label_RT) - self.rows.pseudo
            record["ratings_pseudo_rows"] = int((row_B >= labelled).sum())
        (system,) = self.system
        texts = texts_B2.T.flatten()
        texts = texts[texts >= 0]
        return Step(total, record | self.cost(texts_B2), texts.tolist(), [system.finish(side) for side in sides])

    def sides(
        self, texts_B2: np.ndarray, encode: Callable[[Vectors, np.ndarray], torch.Tensor]
    ) -> tuple[torch.Tensor, ...]:
        """(B, D) of each text of the rows through the task's head, not of unit length: a layer reads them, no cosine.

        One encoder sees both texts as one batch.
        """
        first_B, second_B = texts_B2.T
        if not self.is_separate:
            vector_ND = encode(self.vectors, first_B)
        elif self.answer_vectors is self.vectors:
            vector_ND = encode(self.vectors, np.concatenate([first_B, second_B]))
        else:
            vector_ND = torch.cat([encode(self.vectors, first_B), encode(self.answer_vectors, second_B)])
        return self.system[0].features("ratings", vector_ND).split(len(texts_B2))

    def logits(self, sides: tuple[torch.Tensor, ...], texts_B2: np.ndarray) -> torch.Tensor:
        """(B, T)."""
        read = [together(sides)]
        if self.surface:
            read.append(self.surface(texts_B2).to(read[0].device))
        return self.rate(torch.cat(read, dim=1))

    def cost(self, texts_B2: np.ndarray) -> dict[str, float]:
        if self.answer_vectors is self.vectors:
            return self.vectors.cost(texts_B2[texts_B2 >= 0])
        sides = zip((self.vectors, self.answer_vectors), texts_B2.T, strict=True)
        return merged(vectors.cost(texts_B) for vectors, texts_B in sides)

    @torch.no_grad()
    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """(N, T) float32 in [0, 1], of rows of `ratings`; the module is to be in evaluation mode."""
        texts_N2 = rows[["first", "second"]].to_numpy(dtype=np.int64, copy=True)
        if not len(texts_N2):
            return np.empty((0, len(self.targets)), dtype=np.float32)
        sides = self.sides(texts_N2, lambda vectors, index_N: vectors.inference(index_N))
        return self.logits(sides, texts_N2).sigmoid().float().cpu().numpy()

    def skip(self, batches: int) -> None:
        for _ in range(batches):
            next(self.batches)

    def kept(self) -> dict[str, Any]:
        return {}

    def take_up(self, kept: dict[str, Any]) -> None:
        """The layer is a weight of the module, and the batches are drawn again."""


Term = Callable[[RatingsObjective, torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]
TERMS: dict[str, Term] = {
    "bce": lambda own, *batch: losses.bce(*batch),
    "weighted_bce": lambda own, *batch: losses.weighted_bce(*batch, mean_T=own.mean_T),
    "focal": lambda own, *batch: losses.focal(*batch, gamma=own.options.focal.gamma),
    "mse": lambda own, *batch: losses.mse(*batch),
    "rank_correlation": lambda own, *batch: losses.rank_correlation(
        *batch, temperature=own.options.rank_correlation.temperature
    ),
}
