"""A cross-encoder over the best answers of another system.

Shapes: Q queries · A answers · K answers reranked · L answers listed by the first stage
"""

import numpy as np

from whyrank.core.options.systems import System
from whyrank.model import cross_encoder
from whyrank.scoring.rivals.fusion import best_on_dev
from whyrank.scoring.rivals.sources import Lists, lists
from whyrank.scoring.tasks import Scored, Tasks


class Reranked:
    """Scores of the cross-encoder; below them the rest of the list in its order, and the others tied at the end."""

    def __init__(self, first: Lists, score_QK: np.ndarray, answers: int) -> None:
        self.first, self.score_QK, self.answers = first, score_QK, answers

    def __call__(self, query_Q: np.ndarray) -> np.ndarray:
        """(Q, A) float64"""
        row_Q = self.first.rows(query_Q)
        answer_QL, score_QK = self.first.answer_QK[row_Q], self.score_QK[row_Q]
        kept, listed = score_QK.shape[1], answer_QL.shape[1]
        least_Q1 = score_QK.min(axis=1, keepdims=True)
        # No further below than the scores are large: equal scores are told by the largest magnitude of a query.
        span_Q1 = np.abs(score_QK).max(axis=1, keepdims=True)
        score_QA = np.repeat(least_Q1 - span_Q1, self.answers, axis=1)
        below_QL = least_Q1 - span_Q1 * np.arange(1 - kept, listed - kept + 1) / (listed - kept + 1)
        below_QL[:, :kept] = score_QK
        np.put_along_axis(score_QA, answer_QL, below_QL, axis=1)
        return score_QA


def reranker(system: System, tasks: Tasks) -> Scored:
    """Rerank the first `depth` answers of the system that is best on the dev queries.

    Raises UserError for a model that cannot be loaded, or has more than one score for a pair.
    """
    found = lists(system, tasks.systems)
    name = best_on_dev(found, tasks)
    first, texts = found[name], tasks.texts
    depth = min(system.depth, first.answer_QK.shape[1])
    queries, answers = (table["text"].to_numpy() for table in (texts.queries, texts.answers))
    pairs = [
        (queries[query], answers[answer])
        for query, answer_L in zip(first.query_Q, first.answer_QK, strict=True)
        for answer in answer_L[:depth]
    ]
    model = cross_encoder.load(system.model, trust_remote_code=tasks.encoder.trust_remote_code)
    score = Reranked(first, cross_encoder.predicted(model, pairs).reshape(-1, depth), len(answers))
    how = {"first_stage": name, "depth": depth, "model": system.model}
    return Scored(tasks.rank(score), others=tasks.rank_others(score, among=first.query_Q), how=how)
