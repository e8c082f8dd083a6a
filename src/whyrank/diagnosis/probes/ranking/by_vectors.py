"""Figures of a run beside its own vectors: every metric, and every listed score, counted again.

Shapes: Q queries · P relevant pairs
"""

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.ranking.by_lists import EXACT, LEAST, WRONG, Fault
from whyrank.diagnosis.recount import Recount, metrics_of, recount, score_kind
from whyrank.findings.records import RunRecord

# Test queries counted again.
SAMPLE = 300
# Relative difference of a listed score and that of the vectors, which float32 and the levels of ties stay below.
SCORE = 1e-4


def of_vectors(case: Examination, run: RunRecord) -> Fault | None:
    """Every metric of a draw of the queries, counted from the recorded vectors."""
    counted = by_vectors(case, run, score_kind(run))
    if counted is None:
        return None
    rows = _recorded(case, run, counted)
    sure_Q = counted.is_sure_Q & rows["query_id"].notna().to_numpy()
    if sure_Q.sum() < LEAST:
        return None
    rank_P = counted.ranks()
    off = {name: _off(counted.per_query(name, rank_P), rows[name])[sure_Q] for name in metrics_of(run.queries)}
    name = max(off, key=lambda one: float(off[one].mean()))
    share = float(off[name].mean())
    if share <= WRONG:
        return None
    value_Q = counted.per_query(name, rank_P)[sure_Q]
    why = _why(case, run, rows[name], name, sure_Q)
    return Fault(share, f"{name} of {int(off[name].sum())} of {int(sure_Q.sum())} queries is not what its vectors give "
                 f"({value_Q.mean():.3f} by the vectors, {rows[name][sure_Q].mean():.3f} recorded){why}")  # fmt: skip


def by_vectors(case: Examination, run: RunRecord, kind: str) -> Recount | None:
    """The recount of a draw of the judged test queries; None of a system without vectors."""
    if run.query_vectors is None or run.answer_vectors is None:
        return None
    data = case.data.ranking
    judged = np.intersect1d(data.rows("test"), data.relevant["query"])
    return recount(run, data, judged, kind, most=SAMPLE, seed=case.seed)


def _recorded(case: Examination, run: RunRecord, counted: Recount) -> pd.DataFrame:
    ids = case.data.queries["query_id"].to_numpy()[counted.query_Q]
    rows = run.queries.drop_duplicates("query_id").set_index("query_id", drop=False)
    return rows.reindex(ids).reset_index(drop=True)


def _off(value_Q: np.ndarray, recorded_Q: pd.Series) -> np.ndarray:
    return np.asarray(np.abs(value_Q - recorded_Q.to_numpy()) > EXACT) & ~np.isnan(value_Q)


def _why(case: Examination, run: RunRecord, recorded_Q: pd.Series, name: str, sure_Q: np.ndarray) -> str:
    """Another way of counting that gives the recorded figures, in words; empty where none does."""
    kind = score_kind(run)
    other = "dot" if kind == "cosine" else "cosine"
    plain, turned = by_vectors(case, run, kind), by_vectors(case, run, other)
    assert plain is not None and turned is not None
    rank_P = plain.ranks()
    ways = {
        f": they are those of the {'dot product' if other == 'dot' else 'cosine'}, not of the {kind}": (
            turned,
            turned.ranks(),
        ),
        ": the order of the answers is reversed": (plain, len(case.data.answers) + 1 - rank_P),
        ": ranks are counted one too low": (plain, np.maximum(rank_P - 1, 1)),
        ": ranks are counted one too high": (plain, rank_P + 1),
    }
    for words, (counted, ranks_P) in ways.items():
        if _off(counted.per_query(name, ranks_P), recorded_Q)[sure_Q].mean() <= WRONG:
            return words
    return ""


def of_scores(case: Examination, run: RunRecord) -> Fault | None:
    """Listed scores beside those of the vectors with the same ids."""
    counted = by_vectors(case, run, score_kind(run))
    if counted is None:
        return None
    ids = pd.Index(case.data.queries["query_id"].to_numpy()[counted.query_Q])
    top = run.top[run.top["query_id"].isin(ids)]
    row, column = (
        ids.get_indexer(top["query_id"]),
        pd.Index(case.data.answers["answer_id"]).get_indexer(top["answer_id"]),
    )
    if (column < 0).any() or top.empty:
        return None
    scale = np.abs(counted.score_QA).max()
    own, listed = counted.score_QA[row, column], top["score"].to_numpy()
    off = np.abs(own - listed) > max(SCORE, 2 * counted.rounding) * max(scale, 1e-12)
    # One of the list may be an answer that a tie brought in.
    share = float(pd.Series(off).groupby(row).any().mean())
    if share <= WRONG:
        return None
    depth = int(top["rank"].max())
    best = -np.sort(-counted.score_QA, axis=1)[:, :depth]
    same = np.abs(best.ravel()[: len(top)] - listed) <= SCORE * scale if best.size == len(top) else np.zeros(1)
    if float(np.mean(same)) > 1 - WRONG:
        return Fault(share, f"the scores of {100 * share:.0f} % of the lists belong to other answers than those named "
                     "beside them: the ids of the answers are permuted")  # fmt: skip
    why = _other_kind(case, run, listed, row, column)
    return Fault(share, f"the scores of {100 * share:.0f} % of the lists are not the {score_kind(run)} of the vectors "
                 f"(mean {listed.mean():.3f} listed, {own.mean():.3f} by the vectors){why}")  # fmt: skip


def _other_kind(case: Examination, run: RunRecord, listed: np.ndarray, row: np.ndarray, column: np.ndarray) -> str:
    kind = "dot" if score_kind(run) == "cosine" else "cosine"
    plain, turned = by_vectors(case, run, score_kind(run)), by_vectors(case, run, kind)
    assert plain is not None and turned is not None
    if np.mean(np.abs(plain.score_QA[row, column] + listed) <= SCORE * np.abs(plain.score_QA).max()) > 1 - WRONG:
        return ": their sign is flipped, and the answers least like the query are ranked first"
    own = turned.score_QA[row, column]
    if np.mean(np.abs(own - listed) <= SCORE * np.abs(turned.score_QA).max()) <= 1 - WRONG:
        is_long = score_kind(run) == "cosine" and np.abs(listed).max() > 1 + SCORE
        return ": a cosine is at most 1, so the lengths of the vectors decide" if is_long else ""
    return ": they are dot products, the vectors were not normalised" if kind == "dot" else ": they are cosines"
