"""Ratings of the systems side by side: mean column Spearman out of fold, each target, and the differences.

Shapes: N rated rows · T targets · F folds
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from whyrank.diagnosis.compare.ranking import FLOOR, LEXICAL, PAIRS
from whyrank.findings.records import Records
from whyrank.measure.metrics.ratings import column_spearman, mean_column_spearman
from whyrank.measure.significance.column_means import mean_interval, paired_means
from whyrank.measure.significance.columns import column_intervals
from whyrank.measure.significance.means import holm

Floats = npt.NDArray[np.float64]

# Beside those of ranking: a ridge on the frozen encoder is a floor of its own.
RATED_PAIRS = (*PAIRS, ("barlow-tuned", "base"), ("barlow", FLOOR))

TARGET_COLUMNS = ["target", "n", "mean", "std", "near_0", "near_1", "distinct"]
SYSTEM_COLUMNS = ["system", "value", "low", "high", "snapped", "fold_mean", "fold_low", "fold_high", "undefined"]
COLUMN_COLUMNS = ["system", "target", "value", "low", "high", "reason"]
DIFFERENCE_COLUMNS = ["a", "b", "role", "difference", "low", "high", "p", "p_holm", "n_rows", "reason"]


class Ratings(NamedTuple):
    """n_rows, n_groups, folds   of what was rated: the group is what intervals resample
    targets      target, n, mean, std, near_0, near_1 (shares of labels below .1, above .9), distinct (labels)
    systems      system, value (mean over the defined columns of Spearman's correlation over all rows, each rated out of
                 fold; 0 at chance), low, high, snapped (the same of the snapped predictions), fold_mean, fold_low,
                 fold_high (of the means of single folds), undefined (number of columns)
    columns      system, target, value, low, high, reason (why the correlation is undefined, else empty)
    comparisons  a, b, role (as in `compare.comparisons`), difference, low, high, p, p_holm, n_rows, reason
    is_first     ratings were trained and ranking was not: they are what the run is about
    """

    n_rows: int
    n_groups: int
    folds: int
    targets: pd.DataFrame
    systems: pd.DataFrame
    columns: pd.DataFrame
    comparisons: pd.DataFrame
    is_first: bool


class Rated(NamedTuple):
    """One system's ratings, rows in the order of their ids: fold_N, group_N, names of T targets, and (N, T) arrays."""

    fold_N: npt.NDArray[np.int64]
    group_N: npt.NDArray[np.generic]
    targets: list[str]
    label_NT: Floats
    prediction_NT: Floats
    snapped_NT: Floats


def compare_ratings(records: Records, *, level: float, resamples: int, seed: int) -> Ratings | None:
    """All tables; None where no ratings were recorded."""
    draws = {"resamples": resamples, "seed": seed}
    systems = {name: wide(run.ratings) for name, run in records.runs.items() if run.ratings is not None}
    if not systems:
        return None
    first = next(iter(systems.values()))
    assert all(np.array_equal(one.label_NT, first.label_NT) for one in systems.values()), "systems rated other rows"
    columns = [row for name, one in systems.items() for row in _column_rows(name, one, level, draws)]
    return Ratings(
        n_rows=len(first.fold_N),
        n_groups=len(np.unique(first.group_N)),
        folds=len(np.unique(first.fold_N)),
        targets=pd.DataFrame(_target_rows(first), columns=TARGET_COLUMNS),
        systems=_table([_system_row(name, one, level, draws) for name, one in systems.items()], SYSTEM_COLUMNS),
        columns=_table(columns, COLUMN_COLUMNS),
        comparisons=_comparisons(systems, _roles(records), level, draws),
        is_first=any(record.is_for_ratings for record in records.finetune.values()),
    )


def wide(ratings: pd.DataFrame) -> Rated:
    """A long table of ratings (`RunRecord.ratings`) by row and target, in the order in which targets first appear."""
    place = {target: i for i, target in enumerate(dict.fromkeys(ratings["target"]))}
    ordered = ratings.assign(place=ratings["target"].map(place)).sort_values(["rating_id", "place"], kind="stable")
    assert len(ordered) == len(place) * ordered["rating_id"].nunique(), "a row lacks a target"
    rows = ordered.iloc[:: len(place)]
    label_NT, prediction_NT, snapped_NT = (
        ordered[name].to_numpy(dtype=np.float64).reshape(-1, len(place))
        for name in ("label", "prediction", "snapped" if "snapped" in ordered else "prediction")
    )
    fold_N, group_N = rows["fold"].to_numpy(dtype=np.int64), rows["group"].to_numpy()
    return Rated(fold_N, group_N, list(place), label_NT, prediction_NT, snapped_NT)


def by_fold(one: Rated) -> Iterator[tuple[int, Rated]]:
    """The rows of each fold by themselves."""
    for fold in np.unique(one.fold_N):
        rows = one.fold_N == fold
        yield int(fold), Rated(
            one.fold_N[rows], one.group_N[rows], one.targets,
            one.label_NT[rows], one.prediction_NT[rows], one.snapped_NT[rows],
        )  # fmt: skip


def undefined(rated: Ratings) -> list[str]:
    """Each correlation that does not exist, with its reason: `base-tuned on style: constant predictions`."""
    rows = rated.columns[rated.columns["reason"] != ""]
    return [f"{row.system} on {row.target}: {row.reason}" for row in rows.itertuples()]


def _roles(records: Records) -> dict[tuple[str, str], str]:
    """What b is to a; without pretraining only what starts from the base encoder is compared."""
    runs = {name for name, run in records.runs.items() if run.ratings is not None}
    floor = next((system for system in LEXICAL if system in runs), "")
    is_pretrained = records.barlow is not None and len(records.barlow.history) > 0
    named = {(a, floor if role == FLOOR else role): role for a, role in RATED_PAIRS}
    return {
        pair: role for pair, role in named.items() if set(pair) <= runs and (is_pretrained or "barlow" not in pair[0])
    }


def _target_rows(one: Rated) -> Iterator[tuple[object, ...]]:
    for name, label_N in zip(one.targets, one.label_NT.T, strict=True):
        shares = (float((label_N < 0.1).mean()), float((label_N > 0.9).mean()))
        yield name, len(label_N), float(label_N.mean()), float(label_N.std()), *shares, len(np.unique(label_N))


def _system_row(name: str, one: Rated, level: float, draws: Mapping[str, int]) -> tuple[object, ...]:
    found = mean_interval(one.prediction_NT, one.label_NT, one.group_N, level=level, **draws)
    snapped = mean_column_spearman(one.snapped_NT, one.label_NT, one.targets)
    folds = [mean_column_spearman(part.prediction_NT, part.label_NT, part.targets).value for _, part in by_fold(one)]
    known = [value for value in folds if value is not None]
    over_folds = (np.mean(known), min(known), max(known)) if known else (None, None, None)
    undefined = sum(one.value is None for one in column_spearman(one.prediction_NT, one.label_NT))
    return name, found.value, found.low, found.high, snapped.value, *over_folds, undefined


def _column_rows(name: str, one: Rated, level: float, draws: Mapping[str, int]) -> Iterator[tuple[object, ...]]:
    found = column_spearman(one.prediction_NT, one.label_NT)
    bounds = column_intervals(one.prediction_NT, one.label_NT, one.group_N, level=level, **draws)
    for target, value, interval in zip(one.targets, found, bounds, strict=True):
        yield name, target, value.value, *(interval or (None, None)), value.reason


def _comparisons(
    systems: Mapping[str, Rated], roles: Mapping[tuple[str, str], str], level: float, draws: Mapping[str, int]
) -> pd.DataFrame:
    rows: list[tuple[object, ...]] = []
    for (a, b), role in roles.items():
        one, other = systems[a], systems[b]
        both = (one.prediction_NT, other.prediction_NT)
        found = paired_means(*both, one.label_NT, one.group_N, level=level, **draws)
        bounds = (found.difference, found.low, found.high, found.p_value)
        rows.append((a, b, role, *bounds, len(one.fold_N), _named(found.reason, a, b)))
    table = _table(rows, [name for name in DIFFERENCE_COLUMNS if name != "p_holm"])
    table.insert(DIFFERENCE_COLUMNS.index("p_holm"), "p_holm", holm(table["p"].to_numpy(dtype=float)))
    return table


def _named(reason: str, a: str, b: str) -> str:
    """A reason that begins with the letter of a system begins with its name."""
    letter, colon, rest = reason.partition(": ")
    names = {"a": a, "b": b}
    return f"{names.get(letter, letter)}: {rest}" if colon else reason


def _table(rows: list[tuple[object, ...]], columns: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=columns)
    numbers = ("value", "low", "high", "snapped", "fold_mean", "fold_low", "fold_high", "difference", "p")
    return table.astype({name: float for name in numbers if name in table})
