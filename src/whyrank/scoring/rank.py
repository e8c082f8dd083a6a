"""Scores to a run: the metrics of every query, and its best answers.

Shapes: Q queries · A answers · K answers kept
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.core.errors import UserError
from whyrank.core.params import Evaluate
from whyrank.core.prepared import Prepared
from whyrank.core.progress import progress
from whyrank.measure import ranking

# Scores closer than this share of the largest one are equal: float32 sums of the same vectors differ by as much when
# a matrix product is blocked another way, and a collapsed encoder must come out as tied, not as sorted by rounding.
TIE = 2.0**-20
# Queries scored at a time: 1,024 against 50,000 answers are 400 MB of float64 scores.
BLOCK = 1024


# Row numbers of some queries -> their scores against every answer, (Q, A), higher is better.
Score = Callable[[np.ndarray], np.ndarray]


class Run(NamedTuple):
    queries: pd.DataFrame  # one row per judged query: ids, cluster, metrics, place of its best relevant answer
    top: pd.DataFrame  # query_id, rank, answer_id, score


def judged(prepared: Prepared, split: str) -> np.ndarray:
    """Row numbers of the queries of a split that have a relevant answer, ascending."""
    query_Q = np.intersect1d(prepared.rows(split), prepared.relevant["query"])
    if len(query_Q) == 0:
        raise UserError(f"the {split} split has no query with a relevant answer; raise -S prepare.split.{split}=0.2")
    return query_Q


def rank(score: Score, prepared: Prepared, query_Q: np.ndarray, options: Evaluate) -> Run:
    """The run of the queries `query_Q` (row numbers, ascending), all of them with a relevant answer; block by block."""
    starts = range(0, len(query_Q), BLOCK)
    blocks = [query_Q[start : start + BLOCK] for start in starts]
    parts = [
        rank_block(quantised(score(block)), prepared, block, options)
        for block in progress(blocks, total=len(blocks), what="score")
    ]
    return Run(*(pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)))


def rank_block(score_QA: np.ndarray, prepared: Prepared, query_Q: np.ndarray, options: Evaluate) -> Run:
    pairs = prepared.relevant[np.isin(prepared.relevant["query"], query_Q)]
    row_P = np.searchsorted(query_Q, pairs["query"])
    above_P, tied_P = ranking.locate(score_QA, row_P, pairs["answer"])
    places = ranking.Places(row_P, above_P, tied_P, pairs["gain"].to_numpy(), *score_QA.shape)
    metrics = ranking.per_query(
        places,
        accuracy_cutoffs=options.accuracy_cutoffs,
        map_cutoffs=options.map_cutoffs,
        ndcg_cutoffs=options.ndcg_cutoffs,
    )
    best = pd.DataFrame({"row": row_P, "above": above_P, "tied": tied_P, "answer": pairs["answer"].to_numpy()})
    best = best.sort_values(["row", "above"], kind="stable").drop_duplicates("row")
    texts = prepared.queries.iloc[query_Q]
    queries = pd.DataFrame(
        {
            "query_id": texts["query_id"].to_numpy(),
            "type": texts["type"].to_numpy(),
            "cluster": prepared.answers["answer_id"].to_numpy()[pairs.drop_duplicates("query")["answer"]],
            **metrics,
            "above": best["above"].to_numpy(),
            "tied": best["tied"].to_numpy(),
            "score": score_QA[np.arange(len(query_Q)), best["answer"]],
            "top_score": score_QA.max(axis=1),
        }
    )
    return Run(queries, top_answers(score_QA, prepared, query_Q, options.keep))


def quantised(score_QA: np.ndarray) -> np.ndarray:
    """Scores rounded to multiples of `TIE` times the largest magnitude of their query, as float64."""
    largest_Q1 = np.abs(score_QA).max(axis=1, keepdims=True).astype(np.float64)
    step_Q1 = TIE * np.maximum(largest_Q1, np.finfo(np.float32).tiny)
    return np.round(score_QA / step_Q1) * step_Q1


def top_answers(score_QA: np.ndarray, prepared: Prepared, query_Q: np.ndarray, keep: int) -> pd.DataFrame:
    """The `keep` best answers of each query, best first; ties in the order of the corpus."""
    keep = min(keep, score_QA.shape[1])
    order_QK = np.argsort(-score_QA, axis=1, kind="stable")[:, :keep]
    return pd.DataFrame(
        {
            "query_id": np.repeat(prepared.queries["query_id"].to_numpy()[query_Q], keep),
            "rank": np.tile(np.arange(1, keep + 1), len(query_Q)),
            "answer_id": prepared.answers["answer_id"].to_numpy()[order_QK.ravel()],
            "score": np.take_along_axis(score_QA, order_QK, axis=1).ravel(),
        }
    )


def trec(top: pd.DataFrame, system: str) -> str:
    """The run in TREC's six columns, for trec_eval and its kin. White space in ids becomes an underscore."""
    query = top["query_id"].str.replace(r"\s+", "_", regex=True)
    answer = top["answer_id"].str.replace(r"\s+", "_", regex=True)
    rank, score = top["rank"].astype(str), top["score"].map("{:.9g}".format)
    return "".join(query + " Q0 " + answer + " " + rank + " " + score + f" {system}\n")


def summary(queries: pd.DataFrame) -> dict[str, float]:
    """Mean of every metric over all queries and over each type, with the number of queries; share of tied ones."""
    names = [name for name in queries.columns if "@" in name or name == "mrr"]
    metrics: dict[str, float] = {}
    for group in ("all", "question", "conversation"):
        rows = queries if group == "all" else queries[queries["type"] == group]
        metrics[f"n_{group}"] = len(rows)
        if len(rows):
            metrics |= {f"{name}_{group}": float(rows[name].mean()) for name in names}
    return metrics | {"tied_share": float((queries["tied"] > 1).mean())}
