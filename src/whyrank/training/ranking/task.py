"""Ranking as a task of fine-tuning."""

import numpy as np

from whyrank.core.errors import UserError
from whyrank.core.options.params import FinetuneRank
from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import locating, ranking
from whyrank.model.system import System
from whyrank.training.ranking.layered_losses import check_dims
from whyrank.training.ranking.objective import RankObjective
from whyrank.training.task import Given, Task, TaskObjective

# Enough training queries to see over- and underfitting; more would cost time and tell no more.
TRAINING_QUERIES = 200


def check(prepared: Prepared, system: System, options: FinetuneRank) -> None:
    dims, key = options.objectives.rank.matryoshka.dims, "finetune_rank.objectives.rank.matryoshka.dims"
    check_dims(dims, system.width_of(RankObjective.name), key)


class RankingWatch:
    """Dev metrics by type, and accuracy@1 and MRR on a fixed draw of training queries beside them.

    The figures of the final evaluation, of the weights as they are now.
    """

    def __init__(self, given: Given, objective: TaskObjective | None) -> None:
        self.prepared, self.system, self.vectors = given.prepared, given.system, given.vectors
        self.dev_Q = self._judged(self.prepared.rows("dev"))
        if len(self.dev_Q) == 0:
            raise UserError("the dev split has no query with a relevant answer; raise -S prepare.split.dev=0.15")
        train_Q = self._judged(self.prepared.rows("train"))
        self.train_Q = np.sort(given.random.permutation(train_Q)[:TRAINING_QUERIES])

    def _judged(self, query_Q: np.ndarray) -> np.ndarray:
        return query_Q[np.isin(query_Q, self.prepared.relevant["query"])]

    def __call__(self) -> dict[str, float]:
        texts, query_Q = self.prepared.texts, np.concatenate([self.dev_Q, self.train_Q])
        vectors = self.vectors.inference(texts.of("query")[query_Q]), self.vectors.inference(texts.of("answer"))
        query_QD, answer_AD = self.system.project(*vectors)
        score_QA = (query_QD @ answer_AD.T).cpu().numpy()
        count = len(self.dev_Q)
        dev, train = self._per_query(self.dev_Q, score_QA[:count]), self._per_query(self.train_Q, score_QA[count:])
        kind_Q = self.prepared.queries["type"].to_numpy()[self.dev_Q]
        metrics = {f"{name}_all": float(value_Q.mean()) for name, value_Q in dev.items()}
        for kind in ("question", "conversation"):
            if (kind_Q == kind).any():
                metrics |= {f"{name}_{kind}": float(value_Q[kind_Q == kind].mean()) for name, value_Q in dev.items()}
        return metrics | {f"train_{name}": float(train[name].mean()) for name in ("accuracy@1", "mrr")}

    def _per_query(self, query_Q: np.ndarray, score_QA: np.ndarray) -> dict[str, np.ndarray]:
        pairs = self.prepared.relevant
        pairs = pairs[np.isin(pairs["query"], query_Q)]
        row_P = np.searchsorted(query_Q, pairs["query"])
        above_P, tied_P = locating.locate(score_QA, row_P, pairs["answer"])
        return ranking.per_query(ranking.Places(row_P, above_P, tied_P, pairs["gain"].to_numpy(), *score_QA.shape))


RANK = Task(
    name=RankObjective.name,
    objective=RankObjective,
    rows=lambda prepared, options: len(prepared.relevant_in("train")),
    check=check,
    watch=RankingWatch,
)
