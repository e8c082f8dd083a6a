"""The best answers of several systems in one ranking.

Shapes: Q queries · A answers · K answers kept
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from whyrank.core.options.systems import System
from whyrank.lexical import ranking as words
from whyrank.measure.metrics.correlation import centred_ranks
from whyrank.scoring.rivals.sources import Lists, listed_by_all, lists
from whyrank.scoring.tasks import Scored, Tasks

# Of reciprocal rank fusion: Cormack, Clarke and Büttcher 2009.
RRF = 60
# Of the lexical baseline, the rest of 1 being shared by the others.
WEIGHTS = tuple(tenth / 10 for tenth in range(11))


def min_max(score_QK: np.ndarray) -> np.ndarray:
    """0 to 1 over the kept answers of a query; 0 where all are equal."""
    low_Q, high_Q = score_QK.min(axis=1, keepdims=True), score_QK.max(axis=1, keepdims=True)
    return np.asarray((score_QK - low_Q) / np.where(high_Q > low_Q, high_Q - low_Q, 1))


def z_score(score_QK: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1 over the kept answers of a query; 0 where all are equal."""
    deviation_Q = score_QK.std(axis=1, keepdims=True)
    return np.asarray((score_QK - score_QK.mean(axis=1, keepdims=True)) / np.where(deviation_Q > 0, deviation_Q, 1))


def reciprocal_rank(score_QK: np.ndarray) -> np.ndarray:
    """1 / (60 + rank); equal scores share their mean rank."""
    middle = (score_QK.shape[1] + 1) / 2
    return np.asarray(1 / (RRF + middle + np.apply_along_axis(centred_ranks, 1, -score_QK)))


LEXICAL = {"bm25": words.bm25, "tfidf": words.tfidf}
SCALES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {"min-max": min_max, "z-score": z_score}


class Fusion:
    """Weighted sum of normalised scores over the answers that any system kept; the others are tied below them.

    An answer that a system did not keep counts there as its least one that it kept; in reciprocal ranks as nothing.
    """

    def __init__(self, kept: Sequence[Lists], weights: Sequence[float], method: str, scale: str, answers: int) -> None:
        self.kept, self.weights, self.method, self.answers = kept, weights, method, answers
        self.normalise = reciprocal_rank if method == "rrf" else SCALES[scale]

    def __call__(self, query_Q: np.ndarray) -> np.ndarray:
        """(Q, A) float32"""
        sum_QA = np.zeros((len(query_Q), self.answers))
        is_kept_QA = np.zeros(sum_QA.shape, dtype=bool)
        row_Q = np.arange(len(query_Q))[:, None]
        for lists_, weight in zip(self.kept, self.weights, strict=True):
            own = lists_.at(query_Q)
            value_QK = self.normalise(own.score_QK.astype(np.float64))
            least_Q = 0.0 if self.method == "rrf" else value_QK.min(axis=1, keepdims=True)
            sum_QA += weight * least_Q
            sum_QA[row_Q, own.answer_QK] += weight * (value_QK - least_Q)
            is_kept_QA[row_Q, own.answer_QK] = True
        least_Q = np.where(is_kept_QA, sum_QA, np.inf).min(axis=1, keepdims=True)
        return np.where(is_kept_QA, sum_QA, least_Q - 1).astype(np.float32)


def fusion(system: System, tasks: Tasks) -> Scored:
    """Fuse, by what is best on the dev queries: the one system of several (`fuse: best`), and the weight of the lexical
    baseline. Without dev queries that all of them list it is the first system, and equal weights."""
    found = lists(system, tasks.systems)
    if system.fuse == "best":
        best = best_on_dev(found, tasks)
        found = {best: found[best]}
    parts = {} if system.lexical == "none" else {str(system.lexical): lexical(system.lexical, tasks)}
    parts |= found
    lists_, answers = list(parts.values()), len(tasks.texts.answers)
    make = partial(Fusion, lists_, method=system.method, scale=system.normalise, answers=answers)
    known = listed_by_all(lists_)
    # One part where the only system is that baseline itself.
    is_weighted = system.method == "weighted" and system.lexical != "none" and len(parts) > 1
    weights, dev_mrr = chosen(make, len(parts), tasks, known, is_weighted=is_weighted)
    score = make(weights=weights)
    how = {
        "systems": list(parts),
        "weights": weights,
        "method": system.method,
        "normalise": system.normalise,
        "keep": lists_[0].answer_QK.shape[1],
    }
    analyser = None if LEXICAL.keys().isdisjoint(parts) else tasks.analyser  # a system of that name is the baseline
    run, others = tasks.rank(score), tasks.rank_others(score, among=known)
    return Scored(run, others=others, how={**how, "dev_mrr": dev_mrr}, analyser=analyser)


def chosen(
    make: Callable[..., Fusion], parts: int, tasks: Tasks, known: np.ndarray, *, is_weighted: bool
) -> tuple[list[float], float | None]:
    """The weights that are best on the known dev queries, of equally good ones those nearest to equal, and their MRR;
    equal ones without any."""
    equal = [1 / parts] * parts
    dev_mrr = tasks.dev_mrr(make(weights=equal), known)
    if not is_weighted or dev_mrr is None:
        return equal, dev_mrr
    ways = [[one, *[(1 - one) / (parts - 1)] * (parts - 1)] for one in WEIGHTS]
    ways.sort(key=lambda weights: abs(weights[0] - equal[0]))
    tried = [(tasks.dev_mrr(make(weights=weights), known), weights) for weights in ways]
    dev_mrr, weights = max(tried, key=lambda one: one[0] or 0.0)
    return weights, dev_mrr


def lexical(name: str, tasks: Tasks) -> Lists:
    """Of a lexical baseline, scored here: it needs no model, and so no run of its own."""
    score = words.scorer(LEXICAL[name], tasks.texts, tasks.analyser)
    return Lists.of(Scored(tasks.rank(score), others=tasks.rank_others(score)).kept(tasks.texts))


def best_on_dev(found: Mapping[str, Lists], tasks: Tasks) -> str:
    """On the dev queries that all of them list; the first of them without any."""
    known = listed_by_all(found.values())
    return max(found, key=lambda name: _dev_mrr(found[name], tasks, known))


def _dev_mrr(own: Lists, tasks: Tasks, known: np.ndarray) -> float:
    alone = Fusion([own], [1.0], "weighted", "min-max", len(tasks.texts.answers))
    return tasks.dev_mrr(alone, known) or 0.0
