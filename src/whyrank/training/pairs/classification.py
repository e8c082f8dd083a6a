"""The classification objective: the class of a pair of texts, or the type of a query, from their vectors.

Shapes: B rows of a batch · N texts of both sides · K classes · D features
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from whyrank.batches.ranking import endless
from whyrank.core.errors import UserError
from whyrank.core.prepared import Prepared
from whyrank.training.engine.objective import Step
from whyrank.training.task import Given, TaskObjective


class ClassificationObjective(TaskObjective):
    """A linear layer of its own on [u, v, |u - v|] (Reimers and Gurevych 2019, arXiv:1908.10084), or on u for queries.

    The layer is trained beside the encoder and not saved; the encoder is, and a head of the task's own, which
    cross-task attention may read.
    """

    name = "classification"

    def __init__(self, given: Given) -> None:
        options = given.options.objectives.classification
        self.texts_RS, class_R = rows(given.prepared, options.of)
        names, self.class_R = np.unique(class_R, return_inverse=True)
        if len(names) < 2:
            raise UserError(
                f"classification of {options.of}: the training rows have {len(names)} classes; it takes two or "
                "more, or -S finetune_rank.objectives.classification.weight=0"
            )
        super().__init__(given, options, endless(len(class_R), options.batch_size, given.random))
        features = self.system.width_of(self.name) * (3 if self.texts_RS.shape[1] == 2 else 1)
        self.classify = nn.Linear(features, len(names)).to(self.system.encoder.device)
        self.weights = nn.ModuleDict({"classify": self.classify})

    def compute(self) -> Step:
        row_B = next(self.batches)
        texts_BS = self.texts_RS[row_B]
        texts = texts_BS.T.flatten()
        vector_ND = self.system.of_task(self.name, self.encoded(texts))
        sides = vector_ND.split(len(row_B))
        features = [*sides, (sides[0] - sides[1]).abs()] if len(sides) == 2 else list(sides)
        logit_BK = self.classify(torch.cat(features, dim=1))
        target_B = torch.as_tensor(self.class_R[row_B], device=logit_BK.device)
        loss = functional.cross_entropy(logit_BK, target_B)
        record = {
            "classification_loss": loss.item(),
            "classification_accuracy": (logit_BK.argmax(1) == target_B).float().mean().item(),
            "classification_chance": float(np.log(logit_BK.shape[1])),
        }
        return Step(loss, record | self.vectors.cost(texts), texts.tolist(), sides)


def rows(prepared: Prepared, of: str) -> tuple[np.ndarray, np.ndarray]:
    """Texts (R, 2) or (R, 1) by number, and the name of the class of each row, of the training data."""
    if of == "query_type":
        query_R = prepared.rows("train")
        return prepared.texts.of("query")[query_R][:, None], prepared.queries["type"].to_numpy()[query_R]
    pairs = prepared.pairs[(prepared.pairs["use"] == "train") & (prepared.pairs["class_name"] != "")]
    return pairs[["first", "second"]].to_numpy(), pairs["class_name"].to_numpy()
