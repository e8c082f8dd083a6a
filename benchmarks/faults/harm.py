"""Whether a fault did harm in a case: what was lost, or misreported, beyond its 95 % interval."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from benchmarks.faults.truth import Measure

# Of reciprocal rank or correlation: what a person would not care about, however sure it is.
SMALLEST = 0.02
Z = 1.96


class Difference(NamedTuple):
    value: float
    low: float
    high: float

    @property
    def is_loss(self) -> bool:
        return self.high < 0 and self.value <= -SMALLEST

    @property
    def is_gain(self) -> bool:
        return self.low > 0 and self.value >= SMALLEST


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> Difference:
    """one - other: over the units of both, paired; where fewer than half are common, of their means."""
    common = sorted(one.keys() & other.keys())
    if len(common) * 2 >= max(len(one), len(other)):
        value, error = clustered([(one[unit][0] - other[unit][0], other[unit][1]) for unit in common])
    else:
        (first, own), (second, its) = clustered(one.values()), clustered(other.values())
        value, error = first - second, float(np.hypot(own, its))
    return Difference(value, value - Z * error, value + Z * error)


def clustered(units: Iterable[tuple[float, str]]) -> tuple[float, float]:
    """Mean and its standard error, units of a cluster taken together."""
    units = list(units)
    if not units:
        return 0.0, 0.0
    mean = float(np.mean([value for value, _ in units]))
    sums: dict[str, float] = defaultdict(float)
    for value, cluster in units:
        sums[cluster] += value - mean
    clusters = len(sums)
    factor = clusters / (clusters - 1) if clusters > 1 else 1.0
    return mean, float(np.sqrt(factor * sum(total**2 for total in sums.values()))) / len(units)


def mean(units: Mapping[str, Any]) -> float:
    return float(np.mean([value for value, _ in units.values()])) if units else 0.0


def best_tuned(measure: Measure) -> str:
    tuned = [name for name in measure if name.endswith("-tuned")]
    return max(tuned, key=lambda name: mean(measure[name]), default="")


def harms(true: Measure, recorded: Measure, healthy_true: Measure, healthy_recorded: Measure) -> dict[str, list[float]]:
    """By what was harmed: the difference with its interval; empty where nothing was.

    lost               the best tuned system is worse on clean data than that of the healthy run
    recorded:<system>  its figure is below that of the healthy run
    inflated:<system>  its figure is above what it is worth on clean data, and above that of the healthy run
    deflated:<system>  its figure is below what it is worth on clean data
    """
    found: dict[str, Difference] = {}
    own, healthy = best_tuned(true), best_tuned(healthy_true)
    if own and healthy and (lost := difference(true[own], healthy_true[healthy])).is_loss:
        found["lost"] = lost
    for name in recorded.keys() & healthy_recorded.keys():
        against = difference(recorded[name], healthy_recorded[name])
        worth = true.get(name, healthy_recorded[name] if name in ("tfidf", "bm25") else None)
        beyond = difference(recorded[name], worth) if worth is not None else against
        usual = mean(healthy_recorded[name]) - mean(healthy_true.get(name, healthy_recorded[name]))
        if against.is_loss:
            found[f"recorded:{name}"] = against
        if beyond.is_gain and against.is_gain and beyond.low > usual:
            found[f"inflated:{name}"] = beyond
        if beyond.is_loss and beyond.high < usual - SMALLEST:
            found[f"deflated:{name}"] = beyond
    return {name: [round(number, 4) for number in one] for name, one in found.items()}
