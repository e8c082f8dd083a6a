"""Agreement of ratings on several targets with their labels: Spearman's correlation of each column, and its mean.

Intervals and tests resample whole clusters (groups of rows that share a text), the same ones for all columns. The
correlation is linearised, as in `correlation_lists`, so that a resample is a sum over its clusters.

Shapes: N rows · T columns (targets) · C clusters · B resamples
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from whyrank.measure.correlation import Correlation, Floats, Mean, centred_ranks, columns, mean_defined
from whyrank.measure.correlation_draws import ROUNDING, Draws, swapped, unit
from whyrank.measure.correlation_lists import influence
from whyrank.measure.significance import Ints, flipped, resampled


class Interval(NamedTuple):
    """A mean of correlations with its bounds, -1 to 1, 0 at chance; None where no column is defined.

    Bounds are None with fewer than 2 clusters too. `reason` is that of the first column, where none is defined.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str


class Comparison(NamedTuple):
    """Mean over the columns that both define: a minus b, -2 to 2, its bounds and its two-sided p; None without any."""

    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    n_columns: int
    reason: str


def column_spearman(prediction_NT: npt.ArrayLike, label_NT: npt.ArrayLike) -> list[Correlation]:
    """(T,) correlations, each undefined for its own reason only."""
    return columns(prediction_NT, label_NT, "spearman")


def mean_column_spearman(prediction_NT: npt.ArrayLike, label_NT: npt.ArrayLike, names: Sequence[str]) -> Mean:
    """Mean over the columns that are defined, and the names and reasons of the others."""
    return mean_defined(dict(zip(names, column_spearman(prediction_NT, label_NT), strict=True)))


def mean_interval(
    prediction_NT: npt.ArrayLike,
    label_NT: npt.ArrayLike,
    cluster_N: npt.ArrayLike,
    *,
    resamples: int = 10_000,
    seed: int,
    level: float = 0.95,
) -> Interval:
    """Mean over the defined columns, with percentile bounds that resample clusters with replacement."""
    prediction, label = (np.asarray(part, dtype=np.float64) for part in (prediction_NT, label_NT))
    found = column_spearman(prediction, label)
    kept = [i for i, one in enumerate(found) if one.value is not None]
    if not kept:
        return Interval(None, None, None, found[0].reason if found else "no column")
    value = float(np.mean([found[i].value for i in kept]))
    influence_N = np.mean([influence(prediction[:, i], label[:, i]) for i in kept], axis=0)
    bounds = _bounds(influence_N, numbered(cluster_N), resamples, seed, level)
    low, high = (None, None) if bounds is None else (value + bounds).tolist()
    return Interval(value, low, high, "")


def paired_means(
    a_NT: npt.ArrayLike,
    b_NT: npt.ArrayLike,
    label_NT: npt.ArrayLike,
    cluster_N: npt.ArrayLike,
    *,
    resamples: int = 10_000,
    seed: int,
    level: float = 0.95,
) -> Comparison:
    """Does a rate better than b on the same rows? p swaps the systems within whole clusters, in all columns at once.

    The swaps are those of `correlation_significance.paired_correlations`.
    """
    a, b, label = (np.asarray(part, dtype=np.float64) for part in (a_NT, b_NT, label_NT))
    found = {"a": column_spearman(a, label), "b": column_spearman(b, label)}
    kept = [i for i in range(label.shape[1]) if all(part[i].value is not None for part in found.values())]
    if not kept:
        name = next((name for name, part in found.items() if all(one.value is None for one in part)), "a")
        return Comparison(None, None, None, None, 0, f"{name}: {next(one.reason for one in found[name] if one.reason)}")
    of_a, of_b = (float(np.mean([part[i].value for i in kept])) for part in found.values())
    index_N = numbered(cluster_N)
    pairs = [(influence(a[:, i], label[:, i]), influence(b[:, i], label[:, i])) for i in kept]
    bounds = _bounds(np.mean([one - other for one, other in pairs], axis=0), index_N, resamples, seed, level)
    p_value = _swap_p(a[:, kept], b[:, kept], label[:, kept], index_N, resamples, seed)
    low, high = (None, None) if bounds is None else (of_a - of_b + bounds).tolist()
    return Comparison(of_a - of_b, low, high, p_value, len(kept), "")


def numbered(cluster_N: npt.ArrayLike) -> Ints:
    """(N,) clusters, numbered from 0."""
    _, index_N = np.unique(np.asarray(cluster_N), return_inverse=True)
    return index_N


def _bounds(influence_N: Floats, index_N: Ints, resamples: int, seed: int, level: float) -> Floats | None:
    """(2,) by how much the mean moves at most; None with fewer than 2 clusters."""
    n_clusters = int(index_N.max()) + 1
    if n_clusters < 2:
        return None
    sum_C, size_C = np.bincount(index_N, weights=influence_N), np.bincount(index_N)

    def moved(draw_BC: Draws) -> Floats:
        return sum_C[draw_BC].sum(axis=1) / size_C[draw_BC].sum(axis=1)

    moved_B = resampled(moved, n_clusters, resamples=resamples, seed=seed)
    tail = (1.0 - level) / 2.0
    return np.asarray(np.quantile(moved_B, [tail, 1.0 - tail]), dtype=np.float64)


def _swap_p(a_NT: Floats, b_NT: Floats, label_NT: Floats, index_N: Ints, resamples: int, seed: int) -> float:
    """(1 + #{|swapped| >= |observed|}) / (B + 1) of the sum over the columns."""
    lists = [[unit(centred_ranks(column)) for column in part.T] for part in (a_NT, b_NT, label_NT)]
    statistics = [swapped(one, other, label, index_N) for one, other, label in zip(*lists, strict=True)]
    n_clusters, width = int(index_N.max()) + 1, 16 * len(index_N)

    def total(is_kept_BC: npt.NDArray[np.uint8]) -> Floats:
        return np.asarray(sum(statistic(is_kept_BC) for statistic in statistics), dtype=np.float64)

    total_B = flipped(total, n_clusters, resamples=resamples, seed=seed, width=width)
    observed = sum((one - other) @ label for one, other, label in zip(*lists, strict=True))
    is_less_B = np.abs(total_B) < abs(float(observed)) - ROUNDING
    return float((1 + (~is_less_B).sum()) / (resamples + 1))
