"""What a fix brought: two runs on the same test rows, with an interval, and what that says.

Shapes: Q test queries that both runs have · N rated rows or pairs
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.core.options.finetune import Objectives
from whyrank.diagnosis.compare.ratings import wide
from whyrank.diagnosis.examination import LEAST_EFFECT
from whyrank.diagnosis.report import numbers
from whyrank.findings.systems import Systems
from whyrank.measure.significance.resampling import Interval
from whyrank.measure.significance.statistics import mean_interval, mean_of, resample_spearman

Outcome = Literal["helped", "made no difference", "made it worse", "not enough data to tell", "not comparable"]
QUERIES, PAIRS, RATED = "queries.parquet", "pairs.parquet", "ratings.parquet"
# What each objective is compared by, in their order in params.yaml; of those without scores the ranking they leave.
FILES = (QUERIES, PAIRS, QUERIES, QUERIES, RATED)
# Share of the points at stake: a step that cannot have brought so much did not do what it was for.
EXPECTED = 0.5


class Measured(NamedTuple):
    """system(s) and metric that were compared, how many rows both runs have, and after less before."""

    what: str
    n: int
    difference: Interval
    unit: Literal["points", "correlation"]

    @property
    def spoken(self) -> str:
        """`accuracy@1 of base-tuned: +3.1 points (n = 226, [+1.0, +5.2])`"""
        show = numbers.points if self.unit == "points" else numbers.signed
        unit = " points" if self.unit == "points" else ""
        found = self.difference
        bounds = "no interval" if np.isnan(found.low) else numbers.interval(found.low, found.high, show)
        return f"{self.what}: {show(found.mean)}{unit} (n = {self.n:,}, {bounds})"


def file_of(values: Mapping[str, Any]) -> str:
    """The one of FILES by the first objective that was trained, which a run is about."""
    objectives = values["finetune_rank"]["objectives"]
    names = zip((field.name for field in fields(Objectives)), FILES, strict=True)
    return next((file for name, file in names if objectives[name]["weight"]), QUERIES)


def measure(
    before: Path, after: Path, values: Mapping[str, Any], about: Sequence[str], *, level: float, **draw: int
) -> Measured | None:
    """After less before, of the systems that a step is about, or of all tuned ones; None without a row in common.

    before, after   copies of data/runs;  about   what the finding is about: systems, a stage, `data`
    Raises UserError where a run has not recorded the metric.
    """
    file, systems = file_of(values), Systems.of(values)
    both = [name for name in systems.encoders if all((at / name / file).exists() for at in (before, after))]
    chosen = [name for name in both if name in about] or [name for name in both if name in systems.tuned] or both
    tables = {name: [io.read_table(at / name / file) for at in (before, after)] for name in chosen}
    if file == QUERIES:
        metric = values["diagnose"]["metric"]
        return _of_queries(tables, metric, level=level, **draw)
    for name, (one, other) in tables.items():
        if len(one) and len(other):
            made = _of_pairs if file == PAIRS else _of_ratings
            return made(name, one, other, level=level, **draw)
    return None


def _of_queries(tables: Mapping[str, list[pd.DataFrame]], metric: str, *, level: float, **draw: int) -> Measured | None:
    """The mean over the systems, of each query."""
    values = []
    for name, (one, other) in tables.items():
        if metric not in one or metric not in other:
            which = "earlier" if metric not in one else "later"
            recorded = [column for column in map(str, one) if column in other and ("@" in column or column == "mrr")]
            raise UserError(
                f"params.yaml: `diagnose.metric` is {metric}, which the {which} run of {name} has not recorded; "
                f"both have {', '.join(recorded)}"
            )
        joined = one.merge(other[["query_id", metric]], on="query_id", suffixes=("", "_after"))
        values.append(joined.set_index("query_id")[[metric, f"{metric}_after", "cluster"]])
    if not values or values[0].empty:
        return None
    shared = values[0].index
    for table in values[1:]:
        shared = shared.intersection(table.index)
    change_Q = np.mean([t.loc[shared, f"{metric}_after"] - t.loc[shared, metric] for t in values], axis=0)
    found = mean_interval(change_Q, values[0].loc[shared, "cluster"].to_numpy(), level=level, **draw)
    return Measured(f"{metric} of {' and '.join(tables)}", len(shared), found, "points")


def _of_ratings(name: str, one: pd.DataFrame, other: pd.DataFrame, *, level: float, **draw: int) -> Measured | None:
    both = set(one["rating_id"]) & set(other["rating_id"]), set(one["target"]) & set(other["target"])
    before, after = (wide(t[t["rating_id"].isin(both[0]) & t["target"].isin(both[1])]) for t in (one, other))
    if before.targets != after.targets or not len(before.label_NT):
        return None
    predictions = {"before": before.prediction_NT, "after": after.prediction_NT}
    resampled = resample_spearman(predictions, after.label_NT, after.group_N, **draw)
    found = resampled.difference("after", "before", level)
    return Measured(f"mean column Spearman of {name}", len(before.label_NT), found, "correlation")


def _of_pairs(name: str, one: pd.DataFrame, other: pd.DataFrame, *, level: float, **draw: int) -> Measured | None:
    joined = other.merge(one[["pair_id", "prediction"]], on="pair_id", suffixes=("", "_before"))
    if joined.empty:
        return None
    sources = {
        str(source): resample_spearman(
            {"before": rows["prediction_before"], "after": rows["prediction"]}, rows["label"], np.arange(len(rows)),
            stratum=number, **draw,
        )
        for number, (source, rows) in enumerate(joined.groupby("source", sort=False))
    }  # fmt: skip
    found = mean_of(sources).difference("after", "before", level)
    return Measured(f"mean Spearman of {name} over {len(sources)} lists", len(joined), found, "correlation")


def outcome(measured: Measured | None, stake: float | None) -> Outcome:
    """stake   points that the step should bring, at most; None where that is not known

    No difference is claimed only where the interval leaves no room for one: below a point, or half of what was at
    stake.
    """
    if measured is None or np.isnan(measured.difference.mean):
        return "not comparable"
    found = measured.difference
    if found.low > 0 and found.mean >= LEAST_EFFECT:
        return "helped"
    if found.high < 0 and found.mean <= -LEAST_EFFECT:
        return "made it worse"
    room = max(LEAST_EFFECT, EXPECTED * (stake or 0.0) / 100)
    return "made no difference" if found.high < room else "not enough data to tell"
