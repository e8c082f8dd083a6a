"""The ratings objective: several targets in [0, 1] of a row, which is one text or a question and its answer.

Shapes: B rows of a batch · N rows · T targets · D features of a head
"""

import copy
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import nn

from whyrank.batches.ranking import endless
from whyrank.training.engine.objective import Step, merged
from whyrank.training.engine.vectors import FrozenVectors, LastLayersVectors, Vectors, of_objective
from whyrank.training.loss_table import LossTable
from whyrank.training.ratings import losses
from whyrank.training.ratings import rows as rating_rows
from whyrank.training.ratings.expected import expected_loss, labels_right
from whyrank.training.ratings.layer_features import LayerFeatures, pair_features
from whyrank.training.task import Given, TaskObjective


class RatingsObjective(TaskObjective):
    """A linear layer of its own, on u of a row that is one text, else on [u, v, |u - v|, u v] of its two.

    The product beside what Reimers and Gurevych 2019 (arXiv:1908.10084) concatenate: without it and the difference no
    target can depend on how question and answer go together (Conneau et al. 2017, arXiv:1705.02364).
    """

    name = "ratings"

    def __init__(self, given: Given) -> None:
        prepared, vectors, options = given.prepared, given.vectors, given.options.objectives.ratings
        self.losses = LossTable(losses, options)
        self.targets = prepared.rating_targets
        self.rows = rating_rows.training_rows(prepared, options)
        # Smoothed labels are not those of the table.
        self.labels_right = None if options.smoothing else labels_right(prepared, self.rows)
        self.is_separate = rating_rows.is_separate(prepared)
        super().__init__(given, options, endless(len(self.rows.label_RT), options.batch_size, given.random))
        self.answer_vectors = vectors
        self.weights = own = nn.ModuleDict()
        if options.encoders == "two" and not isinstance(vectors, FrozenVectors):
            # A copy of the encoder as it starts, for answers alone. Frozen ones would stay alike: one serves both.
            # By this name the optimiser, the freezing and the history know its weights for an encoder's.
            own["encoder"] = encoder = copy.deepcopy(self.system.encoder)
            self.answer_vectors = vectors.of(encoder)
        width, device = self.system.width_of(self.name), self.system.encoder.device
        self.layer_features = None
        if options.layer_means:
            assert isinstance(vectors, FrozenVectors | LastLayersVectors), "of all layers none is frozen"
            text_N = prepared.texts.of("rated text")
            self.layer_features = LayerFeatures(text_N, vectors.layer_means(text_N), self.rows.texts_R2)
        read = width * (4 if self.is_separate else 1) + (self.layer_features.width if self.layer_features else 0)
        own["rate"] = self.rate = nn.Linear(read, len(self.targets)).to(device)
        self.mean_T = torch.as_tensor(self.rows.mean_T, device=device)
        with torch.no_grad():
            # The first steps need not go into how high each target lies (Lin et al. 2017, arXiv:1708.02002).
            self.rate.bias.copy_(self.mean_T.logit())

    def compute(self) -> Step:
        row_B = next(self.batches)
        texts_B2 = self.rows.texts_R2[row_B]
        sides = self.sides(texts_B2, lambda vectors, index_N: of_objective(vectors, index_N, self.section))
        logit_BT = self.logits(sides, texts_B2)
        label_BT, weight_BT = (
            torch.as_tensor(table_RT[row_B], device=logit_BT.device)
            for table_RT in (self.rows.label_RT, self.rows.weight_RT)
        )
        columns = {
            "logit_BT": logit_BT,
            "label_BT": label_BT,
            "weight_BT": weight_BT if self.rows.pseudo else None,
            "mean_T": self.mean_T,
        }
        found = self.losses.all(columns)
        loss = self.losses.total(found)
        record = {
            "ratings_loss": loss.item(),
            **{f"ratings_{name}_loss": one.item() for name, one in found.items()},
            "ratings_rows": len(row_B),
        }
        record |= self.by_table(row_B, logit_BT)
        if self.layer_features:
            record["ratings_layer_means"] = self.layer_features.layers
        if self.rows.pseudo:
            labelled = len(self.rows.label_RT) - self.rows.pseudo
            record["ratings_pseudo_rows"] = int((row_B >= labelled).sum())
        texts = texts_B2.T.flatten()
        texts = texts[texts >= 0]
        normalised = [self.system.normalise(side) for side in sides]
        return Step(loss, record | self.cost(texts_B2), texts.tolist(), normalised)

    def by_table(self, row_B: np.ndarray, logit_BT: torch.Tensor) -> dict[str, float]:
        """`ratings_labels_right` and `ratings_expected_loss`, where the labels are those of the table."""
        if self.labels_right is None or self.rows.pseudo:
            return {}
        loss = expected_loss(self.losses.weights, logit_BT, self.rows.label_RT[row_B])
        return {"ratings_labels_right": self.labels_right} | ({} if loss is None else {"ratings_expected_loss": loss})

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
        return self.system.features(self.name, vector_ND).split(len(texts_B2))

    def logits(self, sides: tuple[torch.Tensor, ...], texts_B2: np.ndarray) -> torch.Tensor:
        read = [pair_features(sides)]
        if self.layer_features:
            read.append(self.layer_features(texts_B2).to(read[0].device))
        return self.rate(torch.cat(read, dim=1))

    def cost(self, texts_B2: np.ndarray) -> dict[str, float]:
        if self.answer_vectors is self.vectors:
            return self.vectors.cost(texts_B2[texts_B2 >= 0])
        sides = zip((self.vectors, self.answer_vectors), texts_B2.T, strict=True)
        return merged(vectors.cost(texts_B) for vectors, texts_B in sides)

    @torch.no_grad()
    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """(N, T) float32 in [0, 1], of rows of `ratings`; its weights are to be in evaluation mode."""
        texts_N2 = rows[["first", "second"]].to_numpy(dtype=np.int64, copy=True)
        if not len(texts_N2):
            return np.empty((0, len(self.targets)), dtype=np.float32)
        sides = self.sides(texts_N2, lambda vectors, index_N: vectors.inference(index_N))
        return self.logits(sides, texts_N2).sigmoid().float().cpu().numpy()
