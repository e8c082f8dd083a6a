"""Systems side by side: each metric with its interval, and the differences that answer the project's question."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from whyrank.core.errors import UserError
from whyrank.diagnosis.compare import tables
from whyrank.findings.records import Records, RunRecord, TrainingRecord
from whyrank.findings.systems import BEST_BASELINE, BEST_OTHER
from whyrank.measure.metrics.ranking import METRICS
from whyrank.measure.significance.statistics import resample_means

# Of the final value of a training, from which it has nearly got there.
SHARE = 0.9
TYPES = ("all", "question", "conversation")
DIFFERENCE_COLUMNS = ["a", "b", "role", "type", "metric", "difference", "low", "high", "p", "p_holm"]
DIFFERENCE_COLUMNS += ["n_queries", "n_clusters"]


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


def shown_system(records: Records, metric: str) -> str | None:
    """The best tuned system, or where none was tuned the best other one, by the mean over all test queries."""
    return next(filter(None, (best_system(records, metric, names) for names in
                              (records.systems.tuned, records.systems.others, tuple(records.runs)))), None)  # fmt: skip


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
    first = next(iter(records.runs.values()))
    metrics = [
        name for name in metric_columns(first.queries) if all(name in run.queries for run in records.runs.values())
    ]
    families = _families(records, metrics, [], resamples=resamples, seed=seed)
    columns = ["system", "type", "statistic", "value", "low", "high", "n_queries"]
    table = tables.system_table(families, columns, level=level, statistics=metrics)
    table = table.sort_values("system", key=lambda system: system.map(list(records.runs).index), kind="stable")
    return table.rename(columns={"statistic": "metric", "n_queries": "n"}).reset_index(drop=True)


def comparisons(records: Records, metric: str, *, level: float, resamples: int, seed: int) -> pd.DataFrame:
    """Differences a - b on the same queries, one row per pair and type.

    Columns: a, b, role, type, metric, difference, low, high, p, p_holm, n_queries, n_clusters.
    role     what b is in `Systems.comparisons`: its name, or `best lexical baseline` or `best encoder or lexical
             baseline` (the best one over all queries, which favours b, since it is chosen on the test queries)
    p_holm   Holm's adjustment over the pairs of one type: that family is the experiment, the types are views of it
    A pair of which a system is not recorded is left out. The unit is that of the metric, 0 at no difference.
    """
    among = {BEST_BASELINE: records.systems.baselines, BEST_OTHER: records.systems.others}
    best = {role: best_system(records, metric, names) for role, names in among.items()}
    roles = tables.roles(records.systems.comparisons(), records.runs, best)
    families = _families(records, [metric], list(roles), resamples=resamples, seed=seed)
    table = tables.difference_table(families, roles, DIFFERENCE_COLUMNS, level=level)
    place = [list(roles).index(pair) for pair in zip(table["a"], table["b"], strict=True)]
    return table.assign(metric=metric).iloc[np.argsort(place, kind="stable")].reset_index(drop=True)


def convergence(records: Records, metric: str) -> pd.DataFrame:
    """How fast fine-tuning got where it ended: one row per initial encoder, in dev-set values of `<metric>_all`.

    start         before the first step
    final, best   at the last evaluation, and at the one whose weights were kept: the best by the metric of early
                  stopping, which need not be this one
    steps_to_90   steps to the first evaluation at or above 0.9 x final; missing where final is 0
    best_step, steps_run   steps
    Raises UserError for a metric that was not recorded while training.
    """
    rows = [_course_row(init, record, f"{metric}_all") for init, record in records.finetune.items()]
    table = pd.DataFrame(rows, columns=["init", "start", "final", "best", "steps_to_90", "best_step", "steps_run"])
    return table.astype({"steps_to_90": "Int64"})


def check_followed(record: TrainingRecord, metric: str) -> None:
    """Raises UserError for a metric that was not recorded while training."""
    if f"{metric}_all" not in record.evaluations:
        known = (name.removesuffix("_all") for name in map(str, record.evaluations) if name.endswith("_all"))
        raise UserError(
            f"params.yaml: diagnose.metric is {metric!r}, not recorded while tuning; choose one of {', '.join(known)}"
        )


def _course_row(init: str, record: TrainingRecord, column: str) -> tuple[object, ...]:
    check_followed(record, column.removesuffix("_all"))
    evaluations, kept = record.evaluations, int(record.metrics["best_step"])
    step, value = evaluations["step"].to_numpy(), evaluations[column].to_numpy()
    assert step[0] == 0, "the first evaluation on the dev set precedes training"
    # 0.9 x 0.8 is above 0.72 by rounding.
    reached = step[value >= SHARE * value[-1] - 1e-12]
    to_90 = int(reached[0]) if value[-1] > 0 else None
    return init, value[0], value[-1], value[step == kept][0], to_90, kept, int(step[-1])


def _families(
    records: Records, metrics: list[str], pairs: list[tables.Pair], *, resamples: int, seed: int
) -> Iterator[tables.Family]:
    """The systems on the queries of each type, in the order of the first system; all must have ranked the same ones."""
    runs = {name: run.queries.set_index("query_id") for name, run in records.runs.items()}
    for metric in metrics:
        per_query(next(iter(records.runs.values())), metric)
    first = next(iter(runs.values()))
    assert all(set(run.index) == set(first.index) for run in runs.values()), "systems evaluated on different queries"
    for kind in TYPES:
        queries = of_type(first, kind)
        if len(queries):
            values = {name: run.loc[queries.index, metrics] for name, run in runs.items()}
            size = {"n_queries": len(queries), "n_clusters": queries["cluster"].nunique()}
            resampled = resample_means(values, queries["cluster"], pairs, resamples=resamples, seed=seed)
            yield tables.Family({"type": kind, **size}, resampled)
