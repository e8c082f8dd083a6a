"""Ranking metrics, with ties averaged over random orders in closed form.

A ranking is kept as one row per relevant answer: how many candidates score strictly higher, and how many share
its score. Every metric is the exact expected value over a uniformly random order within each tie, so a collapsed
encoder (all scores equal) gets the chance value, never 1.0.
McSherry and Najork 2008, "Computing information retrieval performance measures efficiently in the presence of
tied scores".

Shapes: Q queries · A candidates · P relevant (query, answer) pairs · G ties that hold a relevant answer
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from whyrank.measure.metrics.locating import BLOCK_BYTES, Floats, Ints


@dataclass(frozen=True)
class Ties:
    """Ties that hold at least one relevant answer, by query, best first. An untied answer is a tie of one."""

    query_G: Ints
    above_G: Ints  # candidates that score strictly higher
    tied_G: Ints  # candidates in the tie
    relevant_G: Ints  # relevant answers in the tie, at least 1
    gain_G: Floats  # sum of their gains
    before_G: Ints  # relevant answers of the query in better ties


@dataclass(frozen=True)
class Places:
    """A row per relevant answer: `Places(query_P, *locate(scores_QA, query_P, answer_P), gain_P, *scores_QA.shape)`"""

    query_P: Ints  # row of the query, 0 to n_queries - 1
    above_P: Ints  # candidates that score strictly higher
    tied_P: Ints  # candidates with the same score, itself included
    gain_P: Floats  # relevance grade, above 0
    n_queries: int
    n_candidates: int

    def __post_init__(self) -> None:
        assert (np.asarray(self.gain_P) > 0).all(), "only relevant answers (gain > 0) have a place"

    @staticmethod
    def concatenate(blocks: "Sequence[Places]") -> "Places":
        """Stack blocks of queries scored against the same candidates; each block numbers its queries from 0."""
        assert len({block.n_candidates for block in blocks}) == 1, "same candidates for every query"
        first_B = np.cumsum([0, *(block.n_queries for block in blocks)])
        query_P = np.concatenate([block.query_P + first for block, first in zip(blocks, first_B, strict=False)])
        above_P, tied_P, gain_P = (
            np.concatenate([getattr(block, name) for block in blocks]) for name in ("above_P", "tied_P", "gain_P")
        )
        return Places(query_P, above_P, tied_P, gain_P, int(first_B[-1]), blocks[0].n_candidates)

    @cached_property
    def relevant_Q(self) -> Ints:
        """(Q,) number of relevant answers per query."""
        return np.bincount(self.query_P, minlength=self.n_queries)

    @cached_property
    def ties(self) -> Ties:
        """Relevant answers of one query with equal scores, gathered."""
        order = np.lexsort((self.above_P, self.query_P))
        query_P, above_P = self.query_P[order], self.above_P[order]
        is_first_P = np.ones(len(order), dtype=bool)
        is_first_P[1:] = (np.diff(query_P) != 0) | (np.diff(above_P) != 0)
        first_G = np.flatnonzero(is_first_P)
        relevant_G = np.diff(np.append(first_G, len(order)))
        group_P = np.cumsum(is_first_P) - 1
        gain_G = _sum_by(group_P, self.gain_P[order], len(first_G))
        before_G = first_G - np.searchsorted(query_P, query_P[first_G])
        return Ties(query_P[first_G], above_P[first_G], self.tied_P[order][first_G], relevant_G, gain_G, before_G)

    def sum_by_query(self, value_G: Floats) -> Floats:
        """(Q,) sum over the ties of each query; NaN where the query has no relevant answer."""
        total_Q = _sum_by(self.ties.query_G, value_G, self.n_queries)
        return np.where(self.relevant_Q > 0, total_Q, np.nan)


def _sum_by(index_N: Ints, value_N: Floats, n: int) -> Floats:
    return np.asarray(np.bincount(index_N, weights=value_N, minlength=n), dtype=np.float64)


def accuracy(places: Places, cutoff: int) -> Floats:
    """Probability that at least one relevant answer is within the cut-off (success@k, hit rate).

    A tie of t candidates, r of them relevant, m of its positions within the cut-off, holds none there with
    probability C(t-r, m) / C(t, m), multiplied out over the m positions.
    Returns (Q,) in [0, 1]. Chance with one relevant answer is k / A.
    """
    ties = places.ties
    inside_G = np.clip(cutoff - ties.above_G, 0, ties.tied_G)
    miss_G = np.ones(len(inside_G))
    for position in range(inside_G.max(initial=0)):
        left_G = np.maximum(ties.tied_G - position, 1)
        miss_G *= np.where(position < inside_G, np.maximum(left_G - ties.relevant_G, 0) / left_G, 1.0)
    miss_Q = np.ones(places.n_queries)
    np.multiply.at(miss_Q, ties.query_G, miss_G)
    return np.where(places.relevant_Q > 0, 1.0 - miss_Q, np.nan)


def average_precision(places: Places, cutoff: int, *, denominator: Literal["min_k_R", "R"] = "min_k_R") -> Floats:
    """Precision at each relevant answer within the cut-off, summed, over the denominator.

    denominator   "min_k_R": min(k, R), so that a perfect ranking scores 1 at any cut-off (R relevant answers);
                  "R": trec_eval's map_cut and ranx's map, at most k / R
    In a tie (a above, t tied, r relevant, b relevant in better ties), position a+j is relevant with probability
    r/t, and then j-1 of the others lie before it, each relevant with probability c = (r-1)/(t-1):
        sum_j r/t (b + 1 + c (j-1)) / (a+j) = r/t ( c m + (b + 1 - c (a+1)) (H(a+m) - H(a)) )
    over its m positions within the cut-off; H are harmonic numbers. Returns (Q,) in [0, 1].
    """
    ties = places.ties
    depth = min(cutoff, places.n_candidates)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, depth + 1))])
    start_G = np.minimum(ties.above_G, depth)
    inside_G = np.minimum(ties.above_G + ties.tied_G, depth) - start_G
    c_G = (ties.relevant_G - 1) / np.maximum(ties.tied_G - 1, 1)
    reciprocals_G = harmonic[start_G + inside_G] - harmonic[start_G]
    sum_G = c_G * inside_G + (ties.before_G + 1 - c_G * (start_G + 1)) * reciprocals_G
    best_Q = np.minimum(cutoff, places.relevant_Q) if denominator == "min_k_R" else places.relevant_Q
    return places.sum_by_query(ties.relevant_G / ties.tied_G * sum_G) / np.maximum(best_Q, 1)


def reciprocal_rank(places: Places, cutoff: int | None = None) -> Floats:
    """One over the rank of the first relevant answer; 0 beyond the cut-off (None: no cut-off).

    Only the best tie counts: its first relevant answer stands at position j with probability
    h(j) prod_{i<j} (1 - h(i)),  h(j) = r / (t - j + 1).
    Returns (Q,) in (0, 1]. Chance with one relevant answer is H(A) / A. Cost: the sizes of the different ties.
    """
    best = places.ties.before_G == 0
    shape_G3 = np.stack([places.ties.tied_G, places.ties.above_G, places.ties.relevant_G], axis=1)[best]
    shape_U3, which_G = np.unique(shape_G3, axis=0, return_inverse=True)
    value_U = np.empty(len(shape_U3))
    end = len(shape_U3)
    while end > 0:  # sorted by size: a block is padded to its last and largest tie
        width = shape_U3[end - 1, 0]
        start = max(0, end - max(1, BLOCK_BYTES // (64 * int(width))))
        tied_B1, above_B1, relevant_B1 = (column[:, None] for column in shape_U3[start:end].T)
        j = np.arange(1, width + 1)
        hazard_BJ = np.minimum(relevant_B1 / np.maximum(tied_B1 - j + 1, 1), 1.0)
        none_before_BJ = np.cumprod(1.0 - hazard_BJ, axis=1)
        first_BJ = hazard_BJ.copy()
        first_BJ[:, 1:] *= none_before_BJ[:, :-1]
        counted_BJ = above_B1 + j <= (cutoff or places.n_candidates)
        value_U[start:end] = (first_BJ * counted_BJ / (above_B1 + j)).sum(axis=1)
        end = start
    value_G = np.zeros(len(best))
    value_G[best] = value_U[which_G]
    return places.sum_by_query(value_G)


def ndcg(places: Places, cutoff: int) -> Floats:
    """Normalised discounted cumulative gain: linear gain, discount 1 / log2(rank + 1), as trec_eval.

    The ideal ranks all relevant answers of the query by gain and is cut at k too; in a tie every position carries
    the mean gain. Returns (Q,) in [0, 1]. Järvelin and Kekäläinen 2002.
    """
    ties = places.ties
    depth = min(cutoff, places.n_candidates)
    discount = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, depth + 2)))])
    inside_G = discount[np.minimum(ties.above_G + ties.tied_G, depth)] - discount[np.minimum(ties.above_G, depth)]
    order = np.lexsort((-places.gain_P, places.query_P))
    query_P = places.query_P[order]
    rank_P = np.minimum(np.arange(len(order)) - np.searchsorted(query_P, query_P), depth)
    # A rank past the cut-off reads the discount's last step twice, which is 0.
    ideal_P = places.gain_P[order] * (discount[np.minimum(rank_P + 1, depth)] - discount[rank_P])
    ideal_Q = _sum_by(query_P, ideal_P, places.n_queries)
    return places.sum_by_query(ties.gain_G / ties.tied_G * inside_G) / np.where(ideal_Q > 0, ideal_Q, 1.0)


class Metric(NamedTuple):
    """A per-query function of the places and a cut-off, and the cut-offs reported by default."""

    function: Callable[..., Floats]
    cutoffs: Sequence[int | None]


METRICS = {
    "accuracy": Metric(accuracy, (1, 3, 10)),
    "map": Metric(average_precision, (3, 10)),
    "mrr": Metric(reciprocal_rank, (None,)),
    "ndcg": Metric(ndcg, (10,)),
}


def at_chance(query_P: npt.ArrayLike, gain_P: npt.ArrayLike, n_queries: int, n_candidates: int) -> Places:
    """Places of the relevant answers where all candidates score the same: every metric then has its value at chance."""
    query_P = np.asarray(query_P, dtype=np.int64)
    above_P, tied_P = np.zeros(len(query_P), dtype=np.int64), np.full(len(query_P), n_candidates, dtype=np.int64)
    return Places(query_P, above_P, tied_P, np.asarray(gain_P, dtype=np.float64), n_queries, n_candidates)


def of_name(places: Places, metric: str) -> Floats:
    """(Q,) the metric of a name as `per_query` gives it, such as `accuracy@1` or `mrr`."""
    name, _, cutoff = metric.partition("@")
    return METRICS[name].function(places, *([int(cutoff)] if cutoff else []))


def per_query(places: Places, **cutoffs: Sequence[int | None]) -> dict[str, Floats]:
    """Every registered metric, as {"accuracy@1": (Q,), ..., "map@3", ..., "mrr", "ndcg@10"}.

    `<metric>_cutoffs=(...)` replaces the default cut-offs of one metric, as in `accuracy_cutoffs=(1, 5)`.
    Queries without a relevant answer are NaN. Raises TypeError on an unknown keyword.
    """
    if unknown := set(cutoffs) - {f"{name}_cutoffs" for name in METRICS}:
        raise TypeError(f"no metric takes {sorted(unknown)}; metrics are {sorted(METRICS)}")
    return {
        name if cutoff is None else f"{name}@{cutoff}": metric.function(places, cutoff)
        for name, metric in METRICS.items()
        for cutoff in cutoffs.get(f"{name}_cutoffs", metric.cutoffs)
    }
