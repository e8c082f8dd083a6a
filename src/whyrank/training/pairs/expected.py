"""What a batch of pairs is by the table of pairs alone, computed apart from the losses: a fault of these shows beside.

Shapes: B pairs of a batch
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from whyrank.batches.pairs import PairBatch
from whyrank.measure.metrics.correlation import spearman

# Pairs of a batch above which a table of all of them by all is not worth its time.
MOST = 2048


class Expected:
    """pairs   the training rows;  options   of each loss by name, without its weight;  weights   of the losses"""

    def __init__(
        self, pairs: pd.DataFrame, weights: Mapping[str, float], options: Mapping[str, Mapping[str, Any]]
    ) -> None:
        # As labels are in a batch: rounded, the same label in both precisions may be two.
        label_P = pairs["label"].to_numpy(dtype=np.float32)
        self.known = set(zip(pairs["first"].tolist(), pairs["second"].tolist(), label_P.tolist(), strict=True))
        self.weights, self.options = weights, options

    @torch.no_grad()
    def figures(self, batch: PairBatch, first_BD: torch.Tensor, second_BD: torch.Tensor) -> dict[str, float]:
        """Columns of the history; vectors as they enter the losses.

        similarity_labels_right    share of the rows that stand so in the table: both texts and the label
        similarity_agreement       Spearman's correlation of cosine and label; left out where it is undefined
        similarity_expected_loss   of `cosine` and `mse`, from their formulas; left out where others are on
        similarity_reversed_loss   the same of cosines with the other sign
        """
        rows = zip(batch.first_B.tolist(), batch.second_B.tolist(), batch.label_B.tolist(), strict=True)
        right = np.mean([row in self.known for row in rows])
        label_B = batch.label_B.astype(np.float64)
        cosine_B = functional.cosine_similarity(first_BD.double(), second_BD.double()).cpu().numpy()
        found = {"similarity_labels_right": float(right)}
        agreement = spearman(cosine_B, label_B).value
        if agreement is not None:
            found["similarity_agreement"] = agreement
        if set(self.weights) <= {"cosine", "mse"} and len(label_B) <= MOST:
            found["similarity_expected_loss"] = self.loss(cosine_B, label_B)
            found["similarity_reversed_loss"] = self.loss(-cosine_B, label_B)
        return found

    def loss(self, cosine_B: np.ndarray, label_B: np.ndarray) -> float:
        total = 0.0
        for name, weight in self.weights.items():
            if name == "mse":
                total += weight * float(np.square(cosine_B - label_B).mean())
                continue
            apart_BB = (cosine_B[None, :] - cosine_B[:, None]) / self.options[name]["temperature"]
            ordered = apart_BB[label_B[:, None] > label_B[None, :]]
            total += weight * float(np.logaddexp.reduce(np.append(ordered, 0.0)))
        return total
