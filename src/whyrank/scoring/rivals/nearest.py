"""The answers of the training queries that are most alike.

Shapes: Q queries · A answers · A' answers with a training query · P pairs of a training query and an answer
        D features · N queries of all splits · R queries at a time
"""

import numpy as np

from whyrank.core.options.systems import System
from whyrank.core.prepared import Prepared
from whyrank.scoring.rivals.sources import Training, Units, unit_vectors
from whyrank.scoring.tasks import Scored, Tasks

# Below every cosine: the score of an answer without training queries, so that all of them are tied behind the others.
NOTHING = -2.0
# Cosines held at a time, 64 MB.
CELLS = 2**24


class NearestQuery:
    """The largest cosine of a query with a training query of the answer, which is not the query itself.

    own_score   whether an answer also has the cosine of its own text, where that is larger
    """

    def __init__(self, units: Units, training: Training, *, own_score: bool) -> None:
        self.units, self.training, self.own_score = units, training, own_score
        self.seen_A, self.start_A = np.unique(training.answer_P, return_index=True)

    def __call__(self, query_Q: np.ndarray) -> np.ndarray:
        """(Q, A) float32"""
        size = max(1, CELLS // len(self.training.query_P))
        return np.concatenate([self._of(query_Q[start : start + size]) for start in range(0, len(query_Q), size)])

    def _of(self, query_R: np.ndarray) -> np.ndarray:
        query_RD = self.units.query_ND[query_R]
        cosine_RP = query_RD @ self.units.query_ND[self.training.query_P].T
        cosine_RP[query_R[:, None] == self.training.query_P] = NOTHING
        answers = len(self.units.answer_AD)
        score_RA = query_RD @ self.units.answer_AD.T if self.own_score else np.full((len(query_R), answers), NOTHING)
        nearest_RS = np.maximum.reduceat(cosine_RP, self.start_A, axis=1)
        score_RA[:, self.seen_A] = np.maximum(score_RA[:, self.seen_A], nearest_RS)
        return score_RA.astype(np.float32)


def nearest_query(system: System, tasks: Tasks) -> Scored:
    """Rank by the training queries of an answer, a training query by the others. Raises UserError without any."""
    prepared, units = tasks.texts, unit_vectors(system)
    training = Training.of(prepared)
    score = NearestQuery(units, training, own_score=system.own_score)
    return Scored(
        tasks.rank(score),
        others=tasks.rank_others(score),
        how={"own_score": system.own_score, **training.unseen(prepared)},
        index=index(units, training, prepared, own_score=system.own_score),
    )


def index(units: Units, training: Training, prepared: Prepared, *, own_score: bool) -> dict[str, np.ndarray]:
    """Vectors to compare with a query's, each with the answer that it stands for."""
    ids, vectors = prepared.answers["answer_id"].to_numpy(dtype=str), units.query_ND[training.query_P]
    stands_for = ids[training.answer_P]
    if own_score:
        vectors, stands_for = np.concatenate([vectors, units.answer_AD]), np.concatenate([stands_for, ids])
    return {"vectors": vectors, "stands_for": stands_for, "answer_ids": ids}
