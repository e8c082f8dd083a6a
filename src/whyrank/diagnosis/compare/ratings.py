"""Ratings of the systems side by side: mean column Spearman out of fold, each target, and the differences.

Shapes: N rated rows · T targets · F folds
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from whyrank.diagnosis.compare import tables
from whyrank.findings.records import Records
from whyrank.findings.systems import BEST_BASELINE
from whyrank.measure.metrics.correlation import Mean
from whyrank.measure.metrics.ratings import mean_column_spearman
from whyrank.measure.significance.statistics import resample_spearman

Floats = npt.NDArray[np.float64]

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

    @property
    def spearman(self) -> Mean:
        """Mean column Spearman of the predictions."""
        return mean_column_spearman(self.prediction_NT, self.label_NT, self.targets)

    @property
    def value(self) -> float:
        """The same; 0, the value at chance, where no target has one."""
        return self.spearman.value or 0.0


def compare_ratings(records: Records, *, level: float, resamples: int, seed: int) -> Ratings | None:
    """All tables; None where no ratings were recorded."""
    systems = {name: wide(run.ratings) for name, run in records.runs.items() if run.ratings is not None}
    if not systems:
        return None
    first = next(iter(systems.values()))
    assert all(np.array_equal(one.label_NT, first.label_NT) for one in systems.values()), "systems rated other rows"
    roles = _roles(records)
    predictions = {name: one.prediction_NT for name, one in systems.items()}
    resampled = resample_spearman(
        predictions, first.label_NT, first.group_N, list(roles), resamples=resamples, seed=seed
    )
    family = tables.Family({"n_rows": len(first.fold_N)}, resampled)
    means = tables.system_table([family], SYSTEM_COLUMNS[:4], level=level)
    rest = pd.DataFrame(
        [_system_row(name, one) for name, one in systems.items()], columns=["system", *SYSTEM_COLUMNS[4:]]
    )
    columns = tables.system_table(
        [family], ["system", "statistic", *COLUMN_COLUMNS[2:]], level=level, statistics=first.targets
    )
    return Ratings(
        n_rows=len(first.fold_N),
        n_groups=len(np.unique(first.group_N)),
        folds=len(np.unique(first.fold_N)),
        targets=pd.DataFrame(_target_rows(first), columns=TARGET_COLUMNS),
        systems=means.merge(rest, on="system"),
        columns=columns.rename(columns={"statistic": "target"}),
        comparisons=tables.difference_table([family], roles, DIFFERENCE_COLUMNS, level=level),
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


def _roles(records: Records) -> dict[tables.Pair, str]:
    """What b is to a; without pretraining only what starts from the base encoder is compared."""
    systems, runs = records.systems, [name for name, run in records.runs.items() if run.ratings is not None]
    baseline = next((system for system in systems.baselines if system in runs), None)
    left_out = records.pretraining is None
    pairs = [(a, b) for a, b in systems.rating_comparisons() if not (left_out and systems.is_pretrained(a))]
    return tables.roles(pairs, runs, {BEST_BASELINE: baseline})


def _target_rows(one: Rated) -> Iterator[tuple[object, ...]]:
    for name, label_N in zip(one.targets, one.label_NT.T, strict=True):
        shares = (float((label_N < 0.1).mean()), float((label_N > 0.9).mean()))
        yield name, len(label_N), float(label_N.mean()), float(label_N.std()), *shares, len(np.unique(label_N))


def _system_row(name: str, one: Rated) -> tuple[object, ...]:
    """Its name, the snapped value, the mean and the ends of the folds, and the number of undefined columns."""
    snapped = mean_column_spearman(one.snapped_NT, one.label_NT, one.targets)
    known = [value for _, part in by_fold(one) if (value := part.spearman.value) is not None] or [np.nan]
    undefined = len(one.spearman.undefined)
    return name, np.nan if snapped.value is None else snapped.value, np.mean(known), min(known), max(known), undefined
