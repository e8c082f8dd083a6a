"""Systems side by side, whatever the statistic: each with its interval, and the differences that answer a question."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pandas as pd

from whyrank.measure.significance.resampling import holm
from whyrank.measure.significance.statistics import Resampled

Pair = tuple[str, str]
NUMBERS = ("value", "low", "high", "difference", "p", "p_holm", "snapped", "fold_mean", "fold_low", "fold_high")


class Family(NamedTuple):
    """Systems on the same rows, whose comparisons are corrected together.

    about   columns that say which rows these are and how many, such as `type` and `n_queries`
    """

    about: Mapping[str, object]
    resampled: Resampled


def roles(comparisons: Iterable[Pair], systems: Iterable[str], best: Mapping[str, str | None]) -> dict[Pair, str]:
    """What b is to a, of the comparisons between the given systems: its name, or a key of `best`.

    best   the system that stands for `BEST_BASELINE` or `BEST_OTHER`; None where there is none
    """
    named = {(a, best.get(role, role)): role for a, role in comparisons}
    known = set(systems)
    return {(a, b): role for (a, b), role in named.items() if b is not None and {a, b} <= known}


def system_table(
    families: Iterable[Family], columns: list[str], *, level: float, statistics: Iterable[str] | None = None
) -> pd.DataFrame:
    """One row per family and system, and per column of the statistic where these have names.

    columns      of the table: those of `Family.about`, system, value, low, high, `statistic`, reason
    statistics   names of the columns of the statistic; None: the mean over those that are defined
    """
    names = [("", None)] if statistics is None else [(name, i) for i, name in enumerate(statistics)]
    rows = []
    for about, resampled in families:
        for system in resampled.value:
            for name, column in names:
                bounds = dict(zip(("value", "low", "high"), resampled.interval(system, level, column), strict=True))
                reason = resampled.reason[system][column or 0] if resampled.reason[system] else ""
                rows.append({**about, "system": system, "statistic": name, **bounds, "reason": reason})
    return as_table(rows, columns)


def difference_table(
    families: Iterable[Family], named: Mapping[Pair, str], columns: list[str], *, level: float
) -> pd.DataFrame:
    """One row per family and pair of systems: a minus b with its interval, its p, and Holm's p over the family.

    columns   of the table: those of `Family.about`, a, b, role, difference, low, high, p, p_holm, reason
    """
    rows = []
    for about, resampled in families:
        found = [resampled.comparison(a, b, level) for a, b in named]
        adjusted = holm([one.p_value for one in found])
        for ((a, b), role), one, p_holm in zip(named.items(), found, adjusted, strict=True):
            numbers = {"difference": one.difference, "low": one.low, "high": one.high, "p": one.p_value}
            rows.append(
                {**about, "a": a, "b": b, "role": role, **numbers, "p_holm": p_holm, "reason": resampled.why(a, b)}
            )
    return as_table(rows, columns)


def as_table(rows: list[dict[str, object]], columns: list[str]) -> pd.DataFrame:
    """Numbers are floats, also in a table without rows."""
    return pd.DataFrame(rows, columns=columns).astype({name: float for name in NUMBERS if name in columns})
