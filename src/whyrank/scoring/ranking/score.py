"""Scores to a run: the metrics of every query, and its best answers.

Shapes: Q queries · A answers · K answers kept
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.core.errors import UserError
from whyrank.core.options.params import Evaluate
from whyrank.core.prepared import Prepared
from whyrank.core.progress import progress
from whyrank.lexical.ranking import Score
from whyrank.measure.metrics import ranking
from whyrank.scoring.search import one_pass_topk, tiles

# Queries scored at a time: whole rows of 1,024 against 50,000 answers are 200 MB of float32 scores.
BLOCK = 1024
# Scores in tiles read all answers, perhaps from a disk, once for so many queries; each takes 3 kB for its best answers.
STREAM = 16384


class Run(NamedTuple):
    queries: pd.DataFrame  # one row per judged query: ids, cluster, metrics, place of its best relevant answer
    top: pd.DataFrame  # query_id, rank, answer_id, score


def queries_with_relevant(prepared: Prepared, split: str) -> np.ndarray:
    """Row numbers of the queries of a split that have a relevant answer, ascending."""
    query_Q = np.intersect1d(prepared.rows(split), prepared.relevant["query"])
    if len(query_Q) == 0:
        raise UserError(f"the {split} split has no query with a relevant answer; raise -S prepare.split.{split}=0.2")
    return query_Q


def rank(score: Score | tiles.Tiled, prepared: Prepared, query_Q: np.ndarray, options: Evaluate) -> Run:
    """The run of the queries `query_Q` (row numbers, ascending), all of them with a relevant answer; block by block."""
    in_tiles = isinstance(score, tiles.Tiled)
    parts = [query_Q[part] for part in tiles.cuts(len(query_Q), STREAM if in_tiles else BLOCK)]
    shown = parts if in_tiles else progress(parts, total=len(parts), what="score")  # tiles show their own
    runs = [rank_block(score, prepared, part, options) for part in shown]
    return Run(*(pd.concat(tables, ignore_index=True) for tables in zip(*runs, strict=True)))


def rank_block(score: Score | tiles.Tiled, prepared: Prepared, query_Q: np.ndarray, options: Evaluate) -> Run:
    relevant = prepared.relevant[np.isin(prepared.relevant["query"], query_Q)]
    pairs = tiles.Pairs(np.searchsorted(query_Q, relevant["query"]), relevant["answer"].to_numpy())
    keep = min(options.keep, len(prepared.answers))
    if isinstance(score, tiles.Tiled):
        found = one_pass_topk.find_in_tiles(score, query_Q, pairs, keep)
    else:
        found = tiles.find_in_rows(score(query_Q), pairs, keep)
    gain_P = relevant["gain"].to_numpy()
    places = ranking.Places(pairs.query_P, found.above_P, found.tied_P, gain_P, len(query_Q), len(prepared.answers))
    metrics = ranking.per_query(
        places,
        accuracy_cutoffs=options.accuracy_cutoffs,
        map_cutoffs=options.map_cutoffs,
        ndcg_cutoffs=options.ndcg_cutoffs,
    )
    best = pd.DataFrame({"row": pairs.query_P, "above": found.above_P, "tied": found.tied_P, "score": found.own_P})
    best = best.sort_values(["row", "above"], kind="stable").drop_duplicates("row")
    texts = prepared.queries.iloc[query_Q]
    queries = pd.DataFrame(
        {
            "query_id": texts["query_id"].to_numpy(),
            "type": texts["type"].to_numpy(),
            "cluster": prepared.answers["answer_id"].to_numpy()[relevant.drop_duplicates("query")["answer"]],
            **metrics,
            "above": best["above"].to_numpy(),
            "tied": best["tied"].to_numpy(),
            "score": best["score"].to_numpy(),
            "top_score": found.score_QK[:, 0],
        }
    )
    return Run(queries, top_answers(found, prepared, query_Q))


def top_answers(found: tiles.Found, prepared: Prepared, query_Q: np.ndarray) -> pd.DataFrame:
    """The best answers of each query, best first; ties in the order of the corpus."""
    keep = found.answer_QK.shape[1]
    # Taken as pandas holds them: a million ids as Python strings take longer than their search.
    return pd.DataFrame(
        {
            "query_id": prepared.queries["query_id"].array.take(np.repeat(query_Q, keep)),
            "rank": np.tile(np.arange(1, keep + 1), len(query_Q)),
            "answer_id": prepared.answers["answer_id"].array.take(found.answer_QK.ravel()),
            "score": found.score_QK.ravel(),
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
