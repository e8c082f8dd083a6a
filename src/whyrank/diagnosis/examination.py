"""What a probe of trained systems is given: the records, and how to tell a difference from chance."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import pandas as pd

from whyrank.diagnosis.compare.pairs import Similarity, compare_similarity, of_list
from whyrank.diagnosis.compare.ranking import best_system, comparisons, per_query
from whyrank.diagnosis.compare.ratings import Rated, Ratings, compare_ratings
from whyrank.diagnosis.report import numbers
from whyrank.findings.finding import Evidence
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.records import DataRecords, Records
from whyrank.findings.systems import Systems
from whyrank.measure.significance.resampling import Interval
from whyrank.measure.significance.statistics import mean_interval, resample_spearman

# One point. With thousands of queries a tenth of a point is significant and no reason to change anything:
# report effect sizes (Ihemelandu and Ekstrand 2023, arXiv:2305.02461).
LEAST_EFFECT = 0.01
# A loss of so much has to be outside of the interval before a check says that there is none.
EXCLUDED = 0.02


@dataclass(frozen=True, eq=False)
class Examination:
    """metric      column of `RunRecord.queries` that decides, for instance `accuracy@1`
    resamples   bootstrap draws
    level       of the intervals, 0 to 1
    """

    records: Records
    metric: str
    level: float
    resamples: int
    seed: int

    @property
    def draws(self) -> dict[str, Any]:
        """How differences are told from chance, as the functions of `compare` take it."""
        return {"level": self.level, "resamples": self.resamples, "seed": self.seed}

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """Differences of rankings. Raises UserError for a metric that was not recorded."""
        return comparisons(self.records, self.metric, **self.draws)

    @cached_property
    def similarity(self) -> Similarity:
        return compare_similarity(self.records, **self.draws)

    @cached_property
    def ratings(self) -> Ratings | None:
        return compare_ratings(self.records, **self.draws)

    @property
    def data(self) -> DataRecords:
        return self.records.data

    @property
    def systems(self) -> Systems:
        return self.records.systems

    def similarity_difference(self, a: str, b: str, name: str = "") -> Interval | None:
        """Spearman's correlation of a minus that of b on a list of test pairs; None where it is undefined.

        name   of the list; "" is the one that speaks for all
        """
        return _row(of_list(self.similarity, name or self.similarity.headline), a, b)

    def rating_difference(self, a: str, b: str) -> Interval | None:
        """Mean column Spearman of a minus that of b; None where it is undefined or one of them rated nothing."""
        return None if self.ratings is None else _row(self.ratings.comparisons, a, b)

    def rating_gain(self, one: Rated, other: Rated) -> Interval | None:
        """Mean column Spearman of one minus the other, of the same rows; None where it is undefined."""
        both = {"one": one.prediction_NT, "other": other.prediction_NT}
        draw = {"resamples": self.resamples, "seed": self.seed}
        found = resample_spearman(both, one.label_NT, one.group_N, **draw).difference("one", "other", self.level)
        return None if np.isnan(found.low) else found

    def mean(self, system: str) -> float:
        return float(per_query(self.records.runs[system], self.metric).mean())

    def values(self, *systems: str) -> Iterator[Evidence]:
        return (Evidence(f"{self.metric} of {system}", self.mean(system)) for system in systems)

    def best_tuned(self) -> str | None:
        """The better of the tuned systems, by the mean over all test queries; None where none was evaluated."""
        return best_system(self.records, self.metric, self.systems.tuned)

    def difference(self, a: str, b: str) -> Interval | None:
        """Mean of a minus mean of b on the same queries, clustered by answer; None where one was not evaluated."""
        if (value_Q := self.gains(a, b)) is None:
            return None
        return self.interval(value_Q, self.records.runs[a].queries["cluster"].to_numpy())

    def gains(self, a: str, b: str) -> np.ndarray | None:
        """(Q,) float64, a minus b for each test query of a; None where one was not evaluated."""
        runs = self.records.runs
        if a not in runs or b not in runs:
            return None
        other = per_query(runs[b], self.metric).set_axis(runs[b].queries["query_id"])
        mine = per_query(runs[a], self.metric).to_numpy()
        return np.asarray(mine - other.loc[runs[a].queries["query_id"]].to_numpy())

    def contrast(self, value_Q: npt.ArrayLike, in_first_Q: npt.ArrayLike, cluster_Q: npt.ArrayLike) -> Interval:
        """Mean over the first group of queries minus mean over the rest, where answers may have queries in both.

        Each query enters with its influence on the difference (x - group mean) / group share, so that one clustered
        bootstrap serves both groups: the linearised bootstrap, Davison and Hinkley 1997, section 2.7.
        Both groups have queries.
        """
        value_Q, first_Q = np.asarray(value_Q, dtype=np.float64), np.asarray(in_first_Q, dtype=bool)
        one, other, share = value_Q[first_Q].mean(), value_Q[~first_Q].mean(), first_Q.mean()
        influence_Q = np.where(first_Q, (value_Q - one) / share, (other - value_Q) / (1 - share))
        return self.interval(one - other + influence_Q, cluster_Q)

    def interval(self, value_Q: npt.ArrayLike, cluster_Q: npt.ArrayLike) -> Interval:
        return mean_interval(value_Q, cluster_Q, **self.draws)

    def doubt(self, rows: pd.DataFrame, a: str, b: str) -> str:
        """What to add to a difference that the correction for all comparisons takes the significance from, as the
        verdict does; empty where it does not, or where the two are not among the comparisons.

        rows   of a table of differences, one for each pair of systems
        """
        found = rows[(rows["a"] == a) & (rows["b"] == b)]
        unsure = [p for p in found["p_holm"] if not numbers.is_sure(p, self.level)]
        return f", {numbers.not_sure(unsure[0])}" if unsure else ""

    def spoken(self, a: str, b: str, difference: Interval) -> str:
        """`−12.0 points of accuracy@1 [−15.9, −8.1]` of two rankings, with its doubt."""
        table = self.comparisons
        return spoken(difference, self.metric) + self.doubt(table[table["type"] == "all"], a, b)


def _row(comparisons: pd.DataFrame, a: str, b: str) -> Interval | None:
    rows = comparisons[(comparisons["a"] == a) & (comparisons["b"] == b) & comparisons["difference"].notna()]
    return next((Interval(*row) for row in rows[["difference", "low", "high"]].itertuples(index=False)), None)


def is_lower(difference: Interval | None) -> TypeGuard[Interval]:
    """Significantly below zero, and by a point or more; False for an interval that is undefined."""
    return difference is not None and difference.high < 0 and difference.mean <= -LEAST_EFFECT


def is_higher(difference: Interval | None) -> TypeGuard[Interval]:
    return difference is not None and difference.low > 0 and difference.mean >= LEAST_EFFECT


def points(difference: Interval) -> tuple[float, float]:
    """The bounds of a difference of metrics in points (hundredths)."""
    return 100 * difference.low, 100 * difference.high


def without_loss(system: str, difference: Interval | None, what: str, needs: str) -> Outcome:
    """What is said of a difference that is not significantly below zero: whether a loss can be excluded.

    what    the metric;  needs   in words, what was missing where there is no difference
    """
    if difference is None:
        return not_applicable(system, needs)
    if np.isnan(difference.low):
        return too_little(system, "all test rows are of one answer or group: there is no interval")
    measured = Evidence(f"difference in {what}", 100 * difference.mean, "points")
    if difference.low >= -EXCLUDED:
        return passed(system, measured, -100 * LEAST_EFFECT)
    low = numbers.points(difference.low)
    return too_little(system, f"no significant loss, and one of {low} points is not excluded", measured)


def paired(
    difference: Interval, values: Iterable[Evidence], *more: Evidence, name: str = "difference"
) -> dict[str, Any]:
    """`evidence`, `interval` and `weight` of a finding about a difference of metrics, in points.

    values, more   evidence that stands before the difference, and behind it
    """
    threshold = 100 * LEAST_EFFECT if is_higher(difference) else -100 * LEAST_EFFECT if is_lower(difference) else None
    evidence = (*values, Evidence(name, 100 * difference.mean, "points", threshold), *more)
    return {"evidence": evidence, "interval": points(difference), "weight": abs(100 * difference.mean)}


def spoken(difference: Interval, metric: str) -> str:
    """`−12.0 points of accuracy@1 [−15.9, −8.1]`"""
    bounds = numbers.interval(difference.low, difference.high, numbers.points)
    return f"{numbers.points(difference.mean)} points of {metric} {bounds}"
