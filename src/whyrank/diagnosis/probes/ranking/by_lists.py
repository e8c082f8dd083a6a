"""Figures of a run beside its lists, the judgements and the test queries: what cannot be, and what differs."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.recount import ROUNDING, metrics_of, summary
from whyrank.findings.records import DataRecords, RunRecord

# Share of the queries whose figures are others. Healthy runs have none: what rounding may move is left aside.
WRONG = 0.01
LEAST = 10
EXACT = 1e-6


class Fault(NamedTuple):
    """share   of what was counted again and came out otherwise, 0 to 1;  words   what is wrong, with its number"""

    share: float
    words: str


def of_queries(case: Examination, run: RunRecord) -> Fault | None:
    """Other queries than the judged ones of the test split, or some of them twice."""
    queries, data = case.data.queries, case.data.ranking
    judged = np.intersect1d(data.rows("test"), data.relevant["query"])
    wanted, recorded = set(queries["query_id"].iloc[judged]), run.queries["query_id"]
    foreign = recorded[~recorded.isin(wanted)]
    if len(foreign):
        split = queries.set_index("query_id")["split"].reindex(foreign).fillna("unknown").mode().iloc[0]
        return Fault(len(foreign) / len(recorded), f"{len(foreign)} of {len(recorded)} queries are none of the test "
                     f"split with a relevant answer, but of {split}")  # fmt: skip
    if recorded.duplicated().any():
        twice = int(recorded.duplicated().sum())
        return Fault(twice / len(recorded), f"{twice} test queries are counted twice")
    dropped = len(wanted) - len(recorded)
    if dropped > 0:
        return Fault(dropped / len(wanted), f"{dropped} of {len(wanted)} judged test queries were dropped")
    return None


def of_lists(case: Examination, run: RunRecord) -> Fault | None:
    """Lists that are in no order, name an answer twice, or are of other queries."""
    top = run.top
    same = (top["query_id"] == top["query_id"].shift()).to_numpy()
    risen = same & (np.diff(top["score"], prepend=np.inf) > 0)
    lists = max(1, top["query_id"].nunique())
    if risen.any():
        wrong = top.loc[risen, "query_id"].nunique()
        return Fault(wrong / lists, f"{wrong} of {lists} lists of best answers are not sorted by falling score")
    twice = top.loc[top.duplicated(["query_id", "answer_id"]), "query_id"].nunique()
    if twice:
        return Fault(twice / lists, f"{twice} of {lists} lists name an answer twice")
    unknown = ~top["answer_id"].isin(case.data.answers["answer_id"])
    if unknown.any():
        return Fault(float(unknown.mean()), f"{int(unknown.sum())} listed answers are none of the corpus")
    return None


def of_list_metrics(case: Examination, run: RunRecord) -> Fault | None:
    """Ranks by the lists beside accuracy and reciprocal ranks of the same queries, where no score is tied."""
    found = first_relevant(case, run)
    sure = found[~found["tied"]]
    names = [name for name in metrics_of(run.queries) if name.startswith("accuracy@") or name == "mrr"]
    depth = int(run.top["rank"].max()) if len(run.top) else 0
    wrong = {}
    for name in names:
        cutoff = int(name.partition("@")[2] or depth)
        if cutoff > depth:
            continue
        rows = sure if name != "mrr" else sure[sure["place"].notna()]
        counted = (rows["place"] <= cutoff).astype(float) if name != "mrr" else 1 / rows["place"]
        off = (counted - rows[name]).abs() > EXACT
        if len(rows) >= LEAST and off.mean() > WRONG:
            wrong[name] = (float(off.mean()), int(off.sum()), len(rows), counted, rows)
    if not wrong:
        return None
    name = max(wrong, key=lambda one: wrong[one][0])
    share, missed, judged, counted, table = wrong[name]
    why = _shifted(table, name)
    return Fault(share, f"{name} of {missed} of {judged} queries is not what their own lists and the judgements give "
                 f"({counted.mean():.3f} by the lists, {table[name].mean():.3f} recorded){why}")  # fmt: skip


def _shifted(rows: pd.DataFrame, name: str) -> str:
    """Ranks off by one, in words, where that explains nearly all figures."""
    for by in (-1, 1, 2):
        place = rows["place"] + by
        counted = 1 / place.where(place > 0) if name == "mrr" else (place <= int(name.partition("@")[2])).astype(float)
        if ((counted - rows[name]).abs() <= EXACT).mean() > 1 - WRONG and name == "mrr":
            return f": ranks are counted {by:+d} off"
    return ""


def first_relevant(case: Examination, run: RunRecord) -> pd.DataFrame:
    """`run.queries` with `place`, the rank of the first relevant answer in the list (NaN: not listed), and `tied`.

    Tied is what rounding may have put in any order, also with answers that are no longer listed.
    """
    query_N, queries = pd.factorize(run.top["query_id"])
    is_right_N = is_relevant(case.data, run.top)
    score_N = run.top["score"].to_numpy(dtype=np.float64)
    order_N = np.lexsort((-score_N, query_N))
    query_N, score_N, is_right_N = query_N[order_N], score_N[order_N], is_right_N[order_N]
    first_Q, end_Q = (np.searchsorted(query_N, np.arange(len(queries)), side) for side in ("left", "right"))
    place_Q = np.full(len(queries), np.inf)
    np.minimum.at(place_Q, query_N[is_right_N], (np.arange(len(query_N)) - first_Q[query_N] + 1)[is_right_N])
    # By places of the list, so that a figure of ties that was recorded is not believed.
    step_Q = 2 * ROUNDING * np.maximum(np.abs(score_N[first_Q]), np.abs(score_N[end_Q - 1]))
    near_N = (np.diff(query_N) == 0) & (np.abs(np.diff(score_N)) <= step_Q[query_N[1:]])
    is_tied_N = np.zeros(len(query_N), dtype=bool)
    is_tied_N[1:] |= near_N
    is_tied_N[:-1] |= near_N
    tied_Q = np.bincount(query_N[is_right_N & is_tied_N], minlength=len(queries)) > 0
    lists = {"place": place_Q, "tied": tied_Q.astype(float), "end": score_N[end_Q - 1], "step": step_Q}
    of_list = pd.DataFrame(lists, index=queries).replace(np.inf, np.nan).reindex(run.queries["query_id"])
    place_T, is_tied_T = of_list["place"].to_numpy(), of_list["tied"].to_numpy() > 0
    # A tie at the end of the list goes on beyond it, where the lists of equal scores may have left a right one.
    at_end_T = np.abs(of_list["end"].to_numpy() - run.queries["score"].to_numpy()) <= of_list["step"].to_numpy()
    return run.queries.assign(place=place_T, tied=is_tied_T | (np.isnan(place_T) & at_end_T))


def is_relevant(data: DataRecords, listed: pd.DataFrame) -> np.ndarray:
    """(N,) whether an answer of a list is relevant to its query; `listed` has their `query_id` and `answer_id`."""
    query_N = pd.Index(data.queries["query_id"]).get_indexer(pd.Index(listed["query_id"]))
    answer_N = pd.Index(data.answers["answer_id"]).get_indexer(pd.Index(listed["answer_id"]))
    relevant, n = data.ranking.relevant, len(data.answers)
    is_known_N = (query_N >= 0) & (answer_N >= 0)
    return is_known_N & np.isin(query_N * n + answer_N, relevant["query"] * n + relevant["answer"])


def of_means(case: Examination, run: RunRecord) -> Fault | None:
    """Means in the metrics of the run beside those of its queries."""
    for name, value in summary(run.queries).items():
        recorded = run.metrics.get(name)
        if recorded is not None and abs(recorded - value) > 1e-4:
            of = f": as if divided by {len(run.queries) * value / recorded:.0f} queries" if recorded else ""
            return Fault(abs(recorded - value), f"{name} is recorded as {recorded:.4f}, its {len(run.queries)} "
                         f"queries have a mean of {value:.4f}{of}")  # fmt: skip
    return None
