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
        """(Q,) of a metric, from ranks as `ranks` gives them, each a different one."""
        groups = self.pairs.assign(place=rank_P).groupby("row")
        value_Q = np.zeros(len(self.query_Q))
        for row, part in groups[["place", "gain"]]:
            value_Q[int(str(row))] = value(metric, part["place"].to_numpy(), part["gain"].to_numpy())
        return value_Q

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
    near_N = ON * run.top["score"].abs().groupby(run.top["query_id"]).transform("max").to_numpy()
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


def value(metric: str, rank_R: np.ndarray, gain_R: np.ndarray) -> float:
    """A metric of one query with R relevant answers from their ranks (from 1, no ties) and gains.

    As docs/findings.md states them: `mrr` has no cut-off, `map@k` divides by min(k, R), `ndcg@k` has linear gains.
    """
    name, _, cutoff = metric.partition("@")
    depth = float(cutoff) if cutoff else np.inf
    place_R = np.sort(rank_R)
    inside_R = place_R[place_R <= depth]
    if name == "mrr":
        return float(1 / place_R[0])
    if name == "accuracy":
        return float(len(inside_R) > 0)
    if name == "map":
        return float((np.arange(1, len(inside_R) + 1) / inside_R).sum() / min(depth, len(place_R)))
    if name != "ndcg":
        return float("nan")
    got = (gain_R / np.log2(rank_R + 1))[rank_R <= depth].sum()
    ideal = [gain / np.log2(n + 2) for n, gain in enumerate(sorted(gain_R, reverse=True)) if n < depth]
    return float(got / sum(ideal))


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
