"""Intervals and tests of a correlation over rows, where rows of one cluster (group, text) are not independent.

The seeds, the clusters drawn and the levels are those of `significance`, so that a correlation and a mean over the
same clusters are judged on the same resamples.

Shapes: N rows · C clusters · B resamples
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from whyrank.measure.metrics.correlation import CENTRED, Correlation, Floats, Kind, as_lists, correlate
from whyrank.measure.significance.draws import RESAMPLED, ROUNDING, Draws, swapped, unit
from whyrank.measure.significance.means import Ints, flipped, resampled

# Resamples are handed over in blocks whose temporaries of N numbers each stay in the processor's cache.
NUMBERS_PER_ROW = 16


class Interval(NamedTuple):
    """A correlation with its bounds, -1 to 1; 0 at chance.

    Bounds are None where the value is, and with fewer than 2 clusters. `reason` says why the value is None.
    `n_undefined` resamples (all rows drawn had one prediction, or one label) are left out of the bounds.
    """

    value: float | None
    low: float | None
    high: float | None
    reason: str
    n_undefined: int


class Comparison(NamedTuple):
    """Correlation of a minus that of b, -2 to 2, its interval and its two-sided p; None as in `Interval`.

    `reason` begins with the system ("a: constant predictions") whose correlation is undefined.
    """

    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    n_rows: int
    n_clusters: int
    reason: str
    n_undefined: int


def correlation_interval(
    prediction_N: npt.ArrayLike,
    label_N: npt.ArrayLike,
    cluster_N: npt.ArrayLike,
    kind: Kind,
    *,
    resamples: int = 10_000,
    seed: int,
    level: float = 0.95,
) -> Interval:
    """A correlation with a percentile bootstrap interval that resamples whole clusters with replacement.

    prediction_N, label_N   (N,) real numbers
    cluster_N               (N,) cluster of each row, any dtype; np.arange(N) for the unclustered interval
    Every resample is ranked anew, its copies of a row tied. Cost B x N. Field and Welsh 2007.
    """
    prediction, label = as_lists(prediction_N, label_N)
    found = correlate(prediction, label, kind)
    if found.value is None:
        return Interval(None, None, None, found.reason, 0)
    index_N = _clusters(cluster_N, label)
    statistic = RESAMPLED[kind]([prediction], label, index_N)
    low, high, n_undefined = _bounds(lambda draw_BC: statistic(draw_BC)[0], index_N, resamples, seed, level)
    return Interval(found.value, low, high, "", n_undefined)


def paired_correlations(
    a_N: npt.ArrayLike,
    b_N: npt.ArrayLike,
    label_N: npt.ArrayLike,
    cluster_N: npt.ArrayLike,
    kind: Kind,
    *,
    resamples: int = 10_000,
    seed: int,
    level: float = 0.95,
) -> Comparison:
    """Does a agree with the labels better than b on the same rows? Difference, clustered interval, randomisation p.

    a_N, b_N    (N,) predictions of two systems, each in its own unit
    label_N     (N,) labels
    cluster_N   (N,) cluster of each row; np.arange(N) for none
    A correlation is no mean over rows, so there are no differences whose signs could be flipped. What is exchangeable
    if the systems are equally good is who made which prediction, once both are in one unit: the ranks within a system
    (spearman) or its standardised values (pearson). The p-value swaps the systems within whole clusters and correlates
    both mixtures with the labels: (1 + #{|swapped| >= |observed|}) / (B + 1). The ranks are not ranked again, which
    would only cost time: any statistic may be compared with itself under exchange. Putting two systems of different
    shape in one unit makes the p approximate, not exact. With 1 cluster it is 1.
    Smucker, Allan and Carterette 2007.
    """
    (a, label), (b, _) = as_lists(a_N, label_N), as_lists(b_N, label_N)
    index_N = _clusters(cluster_N, label)
    n_clusters = int(index_N.max(initial=-1)) + 1
    found = {"a": correlate(a, label, kind), "b": correlate(b, label, kind)}
    difference = _difference(found["a"], found["b"])
    if difference is None:
        name, one = next((name, one) for name, one in found.items() if one.value is None)
        return Comparison(None, None, None, None, len(label), n_clusters, f"{name}: {one.reason}", 0)
    statistic = RESAMPLED[kind]([a, b], label, index_N)
    low, high, n_undefined = _bounds(lambda draw_BC: np.subtract(*statistic(draw_BC)), index_N, resamples, seed, level)
    a_unit, b_unit, label_unit = (unit(CENTRED[kind](part)) for part in (a, b, label))
    p_value = _swap_p(a_unit, b_unit, label_unit, index_N, resamples, seed)
    return Comparison(difference, low, high, p_value, len(label), n_clusters, "", n_undefined)


def _clusters(cluster_N: npt.ArrayLike, label_N: Floats) -> Ints:
    """(N,) clusters, numbered from 0."""
    _, index_N = np.unique(np.asarray(cluster_N), return_inverse=True)
    assert index_N.shape == label_N.shape, f"{index_N.shape} clusters, {label_N.shape} labels"
    return index_N


def _difference(a: Correlation, b: Correlation) -> float | None:
    return None if a.value is None or b.value is None else a.value - b.value


def _bounds(
    statistic: Callable[[Draws], Floats], index_N: Ints, resamples: int, seed: int, level: float
) -> tuple[float | None, float | None, int]:
    """Percentile bounds of a statistic that is NaN where it is undefined, and how many of its resamples are."""
    n_clusters = int(index_N.max()) + 1
    if n_clusters < 2:
        return None, None, 0
    width = NUMBERS_PER_ROW * len(index_N)
    value_B = resampled(statistic, n_clusters, resamples=resamples, seed=seed, width=width)
    defined = value_B[~np.isnan(value_B)]
    if len(defined) == 0:
        return None, None, resamples
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(defined, [tail, 1.0 - tail])
    return float(low), float(high), resamples - len(defined)


def _swap_p(a_N: Floats, b_N: Floats, label_N: Floats, index_N: Ints, resamples: int, seed: int) -> float:
    """Two-sided p of the difference under independent swaps of the systems; the lists of mean zero and unit length."""
    statistic, n_clusters = swapped(a_N, b_N, label_N, index_N), int(index_N.max()) + 1
    difference_B = flipped(statistic, n_clusters, resamples=resamples, seed=seed)
    # Swaps that equal the observed difference on paper may fall short of it by rounding; an undefined one counts.
    is_less_B = np.abs(difference_B) < abs((a_N - b_N) @ label_N) - ROUNDING
    return float((1 + (~is_less_B).sum()) / (resamples + 1))
