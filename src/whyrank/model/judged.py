"""Queries that have a relevant answer, and the metrics of each by its scores against all answers.

Shapes: Q queries · A answers · P relevant pairs
"""

import numpy as np

from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import locating, ranking


def judged(prepared: Prepared, split: str) -> np.ndarray:
    """Row numbers of the queries of a split that have a relevant answer, ascending."""
    return np.intersect1d(prepared.rows(split), prepared.relevant["query"])


def per_query(prepared: Prepared, query_Q: np.ndarray, score_QA: np.ndarray) -> dict[str, np.ndarray]:
    """(Q,) by metric, ties averaged. query_Q: row numbers, ascending, all of them judged."""
    pairs = prepared.relevant[np.isin(prepared.relevant["query"], query_Q)]
    row_P = np.searchsorted(query_Q, pairs["query"])
    above_P, tied_P = locating.locate(score_QA, row_P, pairs["answer"])
    return ranking.per_query(ranking.Places(row_P, above_P, tied_P, pairs["gain"].to_numpy(), *score_QA.shape))
