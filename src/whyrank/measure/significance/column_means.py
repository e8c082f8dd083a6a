"""Intervals and tests of a mean over columns of Spearman's correlations, where rows of one cluster are not independent.

A resample draws clusters (groups of rows), and all columns share it: the targets of a row are not independent either.
`correlation_significance` ranks each resample anew: 20 s for twelve columns of 4,000 rows. Here the correlation is
linearised, as in `correlation_lists`, so that a resample is a sum over its clusters and all columns cost as much as
one.

Shapes: N rows · T columns · C clusters · B resamples
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from whyrank.measure.metrics.correlation import Correlation, Floats, centred_ranks
from whyrank.measure.metrics.ratings import column_spearman
from whyrank.measure.significance.draws import ROUNDING, Draws, unit
from whyrank.measure.significance.lists import influence
from whyrank.measure.significance.means import Ints, flipped, resampled

# Resamples are handed over in blocks whose temporaries stay in the processor's cache.
NUMBERS_PER_CLUSTER = 16


class Interval(NamedTuple):
    """A mean with its bounds, -1 to 1; 0 at chance.

    All three are None where no column is defined; `reason` is then that of the first one. The bounds are None with
    fewer than 2 clusters too.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str


class Comparison(NamedTuple):
    """Mean of a minus that of b over the `n_columns` that both define, -2 to 2; its interval and its two-sided p.

    All are None where there is no such column; `reason` then begins with a system that misses it ("a: constant
    predictions"). The bounds are None with fewer than 2 clusters too, and p is 1.
    """

    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    n_columns: int
    reason: str


def mean_interval(
    prediction_NT: npt.ArrayLike,
    label_NT: npt.ArrayLike,
    cluster_N: npt.ArrayLike,
    *,
    resamples: int = 10_000,
    seed: int,
    level: float = 0.95,
) -> Interval:
    """Mean over the defined columns, with a percentile bootstrap interval that resamples whole clusters.

    prediction_NT, label_NT   (N, T) real numbers
    cluster_N                 (N,) cluster of each row, any dtype; np.arange(N) for the unclustered interval
    A resample moves a correlation by the sum of the `influence` of its rows over their number (Davison and Hinkley
    1997, section 2.7). Cost T N log N + B C. Field and Welsh 2007.
    """
    prediction, label = (np.asarray(part, dtype=np.float64) for part in (prediction_NT, label_NT))
    found = column_spearman(prediction, label)
    kept = _defined(found)
    if not kept:
        return Interval(None, None, None, found[0].reason if found else "no column")
    deviation = _deviation(_influence(prediction, label, kept), cluster_N, resamples, seed)
    return Interval(_mean(found, kept), *_bounds(_mean(found, kept), deviation, level), "")


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
    """Does a rate better than b on the same rows? Difference of the means, clustered interval, randomisation p.

    a_NT, b_NT   (N, T) predictions of two systems, each column in its own unit
    label_NT     (N, T) labels
    cluster_N    (N,) cluster of each row; np.arange(N) for none
    A column that one of the systems leaves undefined counts for neither. The p-value swaps the systems within whole
    clusters and in all columns at once, on ranks, as `correlation_significance.paired_correlations` does in one
    column: (1 + #{|swapped| >= |observed|}) / (B + 1), approximate where the systems tie differently.
    Smucker, Allan and Carterette 2007.
    """
    a, b, label = (np.asarray(part, dtype=np.float64) for part in (a_NT, b_NT, label_NT))
    of_a, of_b = column_spearman(a, label), column_spearman(b, label)
    kept = [i for i in _defined(of_a) if of_b[i].value is not None]
    if not kept:
        return Comparison(None, None, None, None, 0, _why_none(of_a, of_b))
    difference = _mean(of_a, kept) - _mean(of_b, kept)
    influence_N = _influence(a, label, kept) - _influence(b, label, kept)
    low, high = _bounds(difference, _deviation(influence_N, cluster_N, resamples, seed), level)
    p_value = _swap_p(a[:, kept], b[:, kept], label[:, kept], _numbered(cluster_N), resamples, seed)
    return Comparison(difference, low, high, p_value, len(kept), "")


def _defined(found: list[Correlation]) -> list[int]:
    return [i for i, one in enumerate(found) if one.value is not None]


def _mean(found: list[Correlation], kept: list[int]) -> float:
    return float(np.mean([found[i].value for i in kept]))


def _why_none(of_a: list[Correlation], of_b: list[Correlation]) -> str:
    """What the first column lacks."""
    if not of_a:
        return "no column"
    name, first = ("a", of_a[0]) if of_a[0].value is None else ("b", of_b[0])
    return f"{name}: {first.reason}"


def _influence(prediction_NT: Floats, label_NT: Floats, kept: list[int]) -> Floats:
    """(N,) what one more weight on a row does to the mean over some columns, times N."""
    return np.asarray(np.mean([influence(prediction_NT[:, i], label_NT[:, i]) for i in kept], axis=0))


def _numbered(cluster_N: npt.ArrayLike) -> Ints:
    """(N,) clusters, numbered from 0."""
    _, index_N = np.unique(np.asarray(cluster_N), return_inverse=True)
    return index_N


def _deviation(influence_N: Floats, cluster_N: npt.ArrayLike, resamples: int, seed: int) -> Floats:
    """(B,) mean of each resample less that of all rows; of fewer than 2 clusters (0,)."""
    index_N = _numbered(cluster_N)
    assert index_N.shape == influence_N.shape, f"{index_N.shape} clusters, {influence_N.shape} rows"
    sum_C, size_C = np.bincount(index_N, weights=influence_N), np.bincount(index_N)
    if len(sum_C) < 2:
        return np.empty(0)

    def moved(draw_BC: Draws) -> Floats:
        return np.asarray(sum_C[draw_BC].sum(axis=1) / size_C[draw_BC].sum(axis=1))

    width = NUMBERS_PER_CLUSTER * len(sum_C)
    return resampled(moved, len(sum_C), resamples=resamples, seed=seed, width=width)


def _bounds(value: float, deviation_B: Floats, level: float) -> tuple[float | None, float | None]:
    if len(deviation_B) == 0:
        return None, None
    tail = (1.0 - level) / 2.0
    low, high = value + np.quantile(deviation_B, [tail, 1.0 - tail])
    return float(low), float(high)


def _swap_p(a_NT: Floats, b_NT: Floats, label_NT: Floats, index_N: Ints, resamples: int, seed: int) -> float:
    """Two-sided p of the mean difference under independent swaps of the systems."""
    a, b, label = (_unit_ranks(part) for part in (a_NT, b_NT, label_NT))
    a_C3T, b_C3T = (_sums(np.stack([part, part**2, part * label], axis=1), index_N) for part in (a, b))
    both_3T = (a_C3T + b_C3T).sum(axis=0)
    step_CD, start_3T = (a_C3T - b_C3T).reshape(len(a_C3T), -1), b_C3T.sum(axis=0)

    def correlation(sums_B3T: Floats) -> Floats:
        x_BT, xx_BT, xy_BT = sums_B3T.transpose(1, 0, 2)
        spread_BT = xx_BT - x_BT**2 / len(label)
        is_defined_BT = spread_BT > ROUNDING * both_3T[1]
        return np.where(is_defined_BT, xy_BT, np.nan) / np.sqrt(np.where(is_defined_BT, spread_BT, 1.0))

    def statistic(is_kept_BC: npt.NDArray[np.uint8]) -> Floats:
        first_B3T = (is_kept_BC @ step_CD).reshape(-1, *start_3T.shape) + start_3T
        return (correlation(first_B3T) - correlation(both_3T - first_B3T)).mean(axis=1)

    difference_B = flipped(
        statistic, len(a_C3T), resamples=resamples, seed=seed, width=NUMBERS_PER_CLUSTER * len(a_C3T)
    )
    # Swaps that equal the observed difference on paper may fall short of it by rounding; an undefined one counts.
    is_less_B = np.abs(difference_B) < abs(((a - b) * label).sum(axis=0).mean()) - ROUNDING
    return float((1 + (~is_less_B).sum()) / (resamples + 1))


def _unit_ranks(value_NT: Floats) -> Floats:
    """(N, T) ranks within each column, of mean zero and unit length."""
    return np.stack([unit(centred_ranks(value_N)) for value_N in value_NT.T], axis=1)


def _sums(term_N3T: Floats, index_N: Ints) -> Floats:
    """(C, 3, T) sums over the rows of each cluster."""
    sums = np.zeros((int(index_N.max()) + 1, *term_N3T.shape[1:]))
    np.add.at(sums, index_N, term_N3T)
    return sums
