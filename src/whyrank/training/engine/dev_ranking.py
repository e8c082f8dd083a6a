"""How a system ranks the dev queries while it is trained.

Shapes: Q queries · A answers · D features
"""

import numpy as np

from whyrank.core.errors import UserError
from whyrank.core.prepared import Prepared
from whyrank.model.judged import judged, per_query
from whyrank.model.system import System
from whyrank.training.engine.vectors import Vectors

# Enough training queries to see over- and underfitting; more would cost time and tell no more.
TRAINING_QUERIES = 200


class RankingWatch:
    """Dev metrics by type, and accuracy@1 and MRR on a fixed draw of training queries beside them.

    The figures of the final evaluation, of the weights as they are now.
    reciprocal_rank_Q   (Q,) of each dev query `dev_Q`, as they were at the last call
    """

    reciprocal_rank_Q: np.ndarray

    def __init__(self, prepared: Prepared, system: System, vectors: Vectors, random: np.random.Generator) -> None:
        """random   draws the training queries. Raises UserError without a judged dev query."""
        self.prepared, self.system, self.vectors = prepared, system, vectors
        self.dev_Q = judged(prepared, "dev")
        if len(self.dev_Q) == 0:
            raise UserError("the dev split has no query with a relevant answer; raise -S prepare.split.dev=0.15")
        self.train_Q = np.sort(random.permutation(judged(prepared, "train"))[:TRAINING_QUERIES])

    def __call__(self) -> dict[str, float]:
        texts, query_Q = self.prepared.texts, np.concatenate([self.dev_Q, self.train_Q])
        vectors = self.vectors.inference(texts.of("query")[query_Q]), self.vectors.inference(texts.of("answer"))
        query_QD, answer_AD = self.system.project(*vectors)
        score_QA = (query_QD @ answer_AD.T).cpu().numpy()
        count = len(self.dev_Q)
        dev = per_query(self.prepared, self.dev_Q, score_QA[:count])
        train = per_query(self.prepared, self.train_Q, score_QA[count:])
        self.reciprocal_rank_Q = dev["mrr"]
        kind_Q = self.prepared.queries["type"].to_numpy()[self.dev_Q]
        metrics = {f"{name}_all": float(value_Q.mean()) for name, value_Q in dev.items()}
        for kind in ("question", "conversation"):
            if (kind_Q == kind).any():
                metrics |= {f"{name}_{kind}": float(value_Q[kind_Q == kind].mean()) for name, value_Q in dev.items()}
        return metrics | {f"train_{name}": float(train[name].mean()) for name in ("accuracy@1", "mrr")}
