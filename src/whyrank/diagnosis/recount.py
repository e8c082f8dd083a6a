"""The figures of a run counted once more, from its own vectors: plain sums, not the code that scored it.

Shapes: Q queries · A answers · P relevant pairs · D features
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from whyrank.core.prepared import Prepared
from whyrank.findings.records import RunRecord

# Scores held at a time: 160 MB of float64.
MOST_SCORES = 20_000_000
# Of the largest score of a query: float32 products and the levels of ties (2^-20) move a score by less.
ROUNDING = 4e-6
# The same where scores are in half precision, as a share of the score: bfloat16 has 8 bits, float16 11.
HALF = {"bfloat16": 2.0**-8, "float16": 2.0**-11}
# Share of the scores that half precision holds exactly. In float32 at most 1 in 10: the levels of ties are 2^-20 apart.
ON_GRID, ON = 0.95, 1.5e-6


@dataclass(frozen=True, eq=False)
class Recount:
    """Places of the relevant answers of some queries among all answers.

    query_Q    row numbers in the prepared table, ascending;  score_QA   of each query with each answer, float64
    rounding   by how much a recorded score may be off, as a share of the largest of its query
    """

    data: Prepared
    query_Q: np.ndarray
    score_QA: np.ndarray
    rounding: float = ROUNDING

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """Relevant pairs of these queries: `row` among them, `answer`, `gain`, and its own `score`."""
        relevant = self.data.relevant
        found = relevant[np.isin(relevant["query"], self.query_Q)]
        row_P = np.searchsorted(self.query_Q, found["query"])
        return found.assign(row=row_P, score=self.score_QA[row_P, found["answer"]]).reset_index(drop=True)

    @cached_property
    def others_PA(self) -> np.ndarray:
        """Scores of a pair's query with the answers, its own left out."""
        others: np.ndarray = self.score_QA[self.pairs["row"]]
        others[np.arange(len(others)), self.pairs["answer"]] = -np.inf
        return others

    def ranks(self, shift: float = 0.0) -> np.ndarray:
        """(P,) from 1; `shift`: by how much the own score is raised."""
        own_P = self.pairs["score"].to_numpy() + shift
        return 1 + np.asarray((self.others_PA > own_P[:, None]).sum(axis=1))

    def per_query(self, metric: str, rank_P: np.ndarray) -> np.ndarray:
        """(Q,) of a metric, from ranks as `ranks` gives them, each a different one; 0 without a relevant answer."""
        row_P, gain_P = self.pairs["row"].to_numpy(), self.pairs["gain"].to_numpy(dtype=np.float64)
        return values(metric, row_P, rank_P, gain_P, len(self.query_Q))

    @cached_property
    def is_sure_Q(self) -> np.ndarray:
        """Whether rounding cannot have changed the place of any relevant answer."""
        step_Q = self.rounding * np.abs(self.score_QA).max(axis=1)
        step_P = step_Q[self.pairs["row"]]
        gap_P = np.abs(self.others_PA - self.pairs["score"].to_numpy()[:, None]).min(axis=1)
        sure_Q = np.ones(len(self.query_Q), dtype=bool)
        sure_Q[self.pairs["row"][gap_P <= 2 * step_P]] = False
        return sure_Q


def recount(run: RunRecord, data: Prepared, query_Q: np.ndarray, kind: str, *, most: int, seed: int) -> Recount:
    """By the recorded vectors, of at most `most` of the queries, drawn; fewer where their scores would not fit.

    kind   cosine | dot
    """
    assert run.query_vectors is not None and run.answer_vectors is not None
    size = min(most, max(1, MOST_SCORES // max(1, len(data.answers))))
    drawn_Q = np.sort(np.random.default_rng(seed).permutation(query_Q)[:size])
    query_QD, answer_AD = run.query_vectors[drawn_Q].astype(np.float64), run.answer_vectors.astype(np.float64)
    if kind == "cosine":
        query_QD, answer_AD = unit(query_QD), unit(answer_AD)
    return Recount(data, drawn_Q, query_QD @ answer_AD.T, max(ROUNDING, HALF.get(half_precision(run)[0], 0.0)))


def half_precision(run: RunRecord) -> tuple[str, float]:
    """The format in which all scores of the lists are exact (empty without one), and the larger share of exact ones."""
    score_N = run.top["score"].to_numpy(dtype=np.float64)
    if len(score_N) == 0 or np.ptp(score_N) <= ON:
        return "", 0.0
    # Of each query: beside one score of millions all small ones are near the grid.
    by_query = pd.Series(score_N).groupby(pd.factorize(run.top["query_id"])[0])
    largest_N, least_N = by_query.transform("max").to_numpy(), by_query.transform("min").to_numpy()
    most_N = np.maximum(np.abs(largest_N), np.abs(least_N))
    # Scores of a list that are all but equal may lie on one point of any grid.
    is_spread_N = largest_N - least_N > HALF["bfloat16"] * most_N
    if not is_spread_N.any():
        return "", 0.0
    score_N, near_N = score_N[is_spread_N], ON * most_N[is_spread_N]
    share = {name: float(np.mean(np.abs(score_N - to(score_N)) <= near_N)) for name, to in TO_HALF.items()}
    # What bfloat16 holds up to 1, float16 holds too: the coarser comes first.
    return next((name for name in TO_HALF if share[name] >= ON_GRID), ""), max(share.values())


def to_bfloat16(value_N: np.ndarray) -> np.ndarray:
    """Rounded to even."""
    bits = value_N.astype(np.float32).view(np.uint32).astype(np.uint64)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 << 16).astype(np.uint32)
    return rounded.view(np.float32).astype(np.float64)


def to_float16(value_N: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return value_N.astype(np.float16).astype(np.float64)


TO_HALF = {"bfloat16": to_bfloat16, "float16": to_float16}


def values(metric: str, row_P: np.ndarray, rank_P: np.ndarray, gain_P: np.ndarray, queries: int) -> np.ndarray:
    """(Q,) of a metric from the ranks (from 1, no ties) and gains of the relevant answers; row_P   the query of each.

    As docs/findings.md states them: `mrr` has no cut-off, `map@k` divides by min(k, R), `ndcg@k` has linear gains; R
    is the number of relevant answers of a query. NaN of another metric; 0 of a query without a relevant answer.
    """
    name, _, cutoff = metric.partition("@")
    depth = float(cutoff) if cutoff else np.inf

    def total(value_P: np.ndarray) -> np.ndarray:
        return np.bincount(row_P, value_P, queries)

    inside_P, nth_P = rank_P <= depth, _places(row_P, rank_P)
    if name == "mrr":
        return total((nth_P == 1) / rank_P)
    if name == "accuracy":
        return total(inside_P & (nth_P == 1))
    if name == "map":
        return total(inside_P * nth_P / rank_P) / np.minimum(depth, np.maximum(total(np.ones(len(row_P))), 1))
    if name != "ndcg":
        return total(np.full(len(row_P), np.nan))
    ideal_P = _places(row_P, -gain_P)
    ideal_Q = total(np.where(ideal_P <= depth, gain_P / np.log2(ideal_P + 1), 0.0))
    return total(inside_P * gain_P / np.log2(rank_P + 1)) / np.where(ideal_Q > 0, ideal_Q, 1.0)


def _places(row_P: np.ndarray, key_P: np.ndarray) -> np.ndarray:
    """(P,) from 1: the place of each among those of its row, by rising key."""
    order_P = np.lexsort((key_P, row_P))
    sorted_P = row_P[order_P]
    place_P = np.empty(len(row_P), dtype=np.int64)
    place_P[order_P] = np.arange(1, len(row_P) + 1) - np.searchsorted(sorted_P, sorted_P)
    return place_P


def summary(queries: pd.DataFrame) -> Mapping[str, float]:
    """Mean of each metric of a run's queries, by its name in the metrics of the run."""
    return {f"{name}_all": float(queries[name].mean()) for name in metrics_of(queries)}


def metrics_of(queries: pd.DataFrame) -> list[str]:
    """Columns of a run's queries that are metrics."""
    return [str(name) for name in queries.columns if "@" in str(name) or name == "mrr"]


def unit(vector_ND: np.ndarray) -> np.ndarray:
    """Rows of unit length; a zero stays zero."""
    lengths: np.ndarray = np.linalg.norm(vector_ND, axis=1, keepdims=True)
    divided: np.ndarray = vector_ND / np.where(lengths > 0, lengths, 1.0)
    return divided


def score_kind(run: RunRecord) -> str:
    return "cosine" if run.metrics.get("score_kind_cosine", 1) == 1 else "dot"
