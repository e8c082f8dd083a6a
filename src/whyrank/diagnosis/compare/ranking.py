"""Systems side by side: each metric with its interval, and the differences that answer the project's question."""

import pandas as pd

from whyrank.core.errors import UserError
from whyrank.findings.records import Records, RunRecord
from whyrank.findings.systems import BEST_BASELINE
from whyrank.measure.metrics.ranking import METRICS
from whyrank.measure.significance.resampling import holm
from whyrank.measure.significance.statistics import Comparison, mean_interval, resample_means

TYPES = ("all", "question", "conversation")


def metric_columns(queries: pd.DataFrame) -> list[str]:
    """Columns of `RunRecord.queries` that hold a per-query metric, such as `accuracy@1` and `mrr`."""
    return [column for column in queries.columns if column.split("@")[0] in METRICS]


def of_type(queries: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Rows of one query type; every row for `all`."""
    return queries if kind == "all" else queries[queries["type"] == kind]


def best_system(records: Records, metric: str, among: tuple[str, ...]) -> str | None:
    """The one of `among` with the highest mean over all test queries, the first of equals; None where none was run."""
    present = [system for system in records.runs if system in among]
    return max(present, key=lambda system: float(per_query(records.runs[system], metric).mean()), default=None)


def per_query(run: RunRecord, metric: str) -> pd.Series:
    """(Q,) the metric of each test query. Raises UserError for a metric that `evaluate` did not record."""
    if metric not in run.queries:
        recorded = ", ".join(metric_columns(run.queries))
        raise UserError(
            f"params.yaml: diagnose.metric is {metric!r}, which was not evaluated; choose one of {recorded}"
        )
    return run.queries[metric]


def system_table(records: Records, *, level: float, resamples: int, seed: int) -> pd.DataFrame:
    """Every metric of every system: system, type, metric, value, low, high, n (queries); in the order of the runs.

    Intervals are percentile bootstraps that resample answers (column `cluster`), NaN with fewer than 2 answers.
    A type without test queries has no row.
    """
    rows = []
    for system, run in records.runs.items():
        for kind in TYPES:
            queries = of_type(run.queries, kind)
            for metric in metric_columns(queries) if len(queries) else []:
                interval = mean_interval(
                    queries[metric], queries["cluster"], resamples=resamples, seed=seed, level=level
                )
                rows.append((system, kind, metric, *interval, len(queries)))
    return pd.DataFrame(rows, columns=["system", "type", "metric", "value", "low", "high", "n"])


def comparisons(records: Records, metric: str, *, level: float, resamples: int, seed: int) -> pd.DataFrame:
    """Differences a - b on the same queries, one row per pair and type.

    Columns: a, b, role, type, metric, difference, low, high, p, p_holm, n_queries, n_clusters.
    role     what b is in `Systems.comparisons`: its name, or `best lexical baseline` (the better one over all queries,
             which favours the baseline, since it is chosen on the test queries themselves)
    p_holm   Holm's adjustment over the pairs of one type: that family is the experiment, the types are views of it
    A pair of which a system is not recorded is left out. The unit is that of the metric, 0 at no difference.
    """
    baseline = best_system(records, metric, records.systems.baselines)
    rows = []
    for a, role in records.systems.comparisons():
        b = baseline if role == BEST_BASELINE else role
        if a in records.runs and b in records.runs:
            for kind in TYPES:
                paired = _paired(records.runs[a], records.runs[b], metric, kind)
                if len(paired):
                    rows.append(
                        (a, b, role, kind, metric, *_difference(paired, level, resamples, seed), *_size(paired))
                    )
    columns = ["a", "b", "role", "type", "metric", "difference", "low", "high", "p", "n_queries", "n_clusters"]
    table = pd.DataFrame(rows, columns=columns)
    adjusted = table.groupby("type")["p"].transform(lambda p: holm(p.to_numpy(dtype=float)))
    table.insert(columns.index("p") + 1, "p_holm", adjusted)
    return table


def _paired(a: RunRecord, b: RunRecord, metric: str, kind: str) -> pd.DataFrame:
    """Columns a, b, cluster of the queries of a type; both systems must have ranked the same ones."""
    left, right = a.queries.set_index("query_id"), b.queries.set_index("query_id")
    assert set(left.index) == set(right.index), "two systems were evaluated on different queries"
    values = left.assign(a=per_query(a, metric).to_numpy(), b=per_query(b, metric).set_axis(right.index))
    return of_type(values, kind)[["a", "b", "cluster"]]


def _size(paired: pd.DataFrame) -> tuple[int, int]:
    """Queries and answers that both systems have a value of."""
    known = paired.dropna()
    return len(known), known["cluster"].nunique()


def _difference(paired: pd.DataFrame, level: float, resamples: int, seed: int) -> Comparison:
    both = {"a": paired["a"], "b": paired["b"]}
    resampled = resample_means(both, paired["cluster"], [("a", "b")], resamples=resamples, seed=seed)
    return resampled.comparison("a", "b", level)
