"""Intervals and tests of a mean over queries, where queries of one cluster (answer) are not independent.

Shapes: Q queries · C clusters · B resamples · M hypotheses
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BLOCK_DRAWS = 2**21


class Interval(NamedTuple):
    """A mean with its bounds, in the unit of the values."""

    mean: float
    low: float
    high: float


class Comparison(NamedTuple):
    """Mean of a minus mean of b over the queries both have, its 95 % interval and its two-sided p."""

    difference: float
    low: float
    high: float
    p_value: float
    n_queries: int
    n_clusters: int


def mean_interval(
    values_Q: npt.ArrayLike, cluster_Q: npt.ArrayLike, *, resamples: int = 10_000, seed: int, level: float = 0.95
) -> Interval:
    """Mean over queries with a percentile bootstrap interval that resamples whole clusters with replacement.

    values_Q    (Q,) one number per query; NaN (no relevant answer) is left out
    cluster_Q   (Q,) cluster of each query, any dtype; np.arange(Q) for the unclustered interval
    A resample's mean is over its queries: ratio of sums, since clusters differ in size.
    The bounds are NaN with fewer than 2 clusters, where spread between clusters is undefined; the mean is NaN
    with no query. Cost B x C draws. Field and Welsh 2007, "Bootstrapping clustered data".
    """
    sum_C, size_C = _cluster_sums(values_Q, cluster_Q)
    low, high = _bootstrap(sum_C, size_C, resamples, seed, level)
    return Interval(_mean(sum_C, size_C), low, high)


def paired_comparison(
    a_Q: npt.ArrayLike, b_Q: npt.ArrayLike, cluster_Q: npt.ArrayLike, *, resamples: int = 10_000, seed: int
) -> Comparison:
    """Is a better than b on the same queries? Difference a - b, clustered 95 % interval, randomisation p.

    a_Q, b_Q    (Q,) per-query values of two systems; a query that is NaN in either is left out of both
    cluster_Q   (Q,) cluster of each query; np.arange(Q) for none
    The p-value flips the sign of whole clusters' differences: (1 + #{|flipped| >= |observed|}) / (B + 1), so it is
    at least 1 / (B + 1), and about 2 ** (1 - C) for few clusters: 5 clusters cannot reach 0.05. With 1 cluster
    it is 1 and the bounds are NaN; with no query difference and p are NaN too.
    Smucker, Allan and Carterette 2007, "A comparison of statistical significance tests for IR evaluation".
    """
    difference_Q = np.asarray(a_Q, dtype=np.float64) - np.asarray(b_Q, dtype=np.float64)
    sum_C, size_C = _cluster_sums(difference_Q, cluster_Q)
    low, high = _bootstrap(sum_C, size_C, resamples, seed, 0.95)
    p_value = _sign_flip_p(sum_C, resamples, seed)
    return Comparison(_mean(sum_C, size_C), low, high, p_value, int(size_C.sum()), len(size_C))


def holm(p_values: npt.ArrayLike) -> Floats:
    """Holm's step-down adjustment of a family of p-values, in the order given.

    p_values   (M,) in [0, 1]; NaN (a comparison with no query) stays NaN and does not count in the family
    Returns (M,), never below the input, monotone in it, at most 1; reject where it is at most alpha.
    Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    p_M = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(p_M))
    order = tested[np.argsort(p_M[tested], kind="stable")]
    adjusted_M = np.full(len(p_M), np.nan)
    adjusted_M[order] = np.minimum(np.maximum.accumulate(p_M[order] * np.arange(len(order), 0, -1)), 1.0)
    return adjusted_M


def _cluster_sums(values_Q: npt.ArrayLike, cluster_Q: npt.ArrayLike) -> tuple[Floats, Ints]:
    """Sum of values (C,) and number of queries (C,) per cluster, NaN left out."""
    values, cluster = np.asarray(values_Q, dtype=np.float64), np.asarray(cluster_Q)
    assert values.shape == cluster.shape, f"{values.shape} values, {cluster.shape} clusters"
    known = ~np.isnan(values)
    names, index = np.unique(cluster[known], return_inverse=True)
    sum_C = np.bincount(index, weights=values[known], minlength=len(names))
    return np.asarray(sum_C, dtype=np.float64), np.bincount(index, minlength=len(names))


def _mean(sum_C: Floats, size_C: Ints) -> float:
    return float(sum_C.sum() / size_C.sum()) if len(size_C) else float("nan")


def _bootstrap(sum_C: Floats, size_C: Ints, resamples: int, seed: int, level: float) -> tuple[float, float]:
    """Percentile bounds of the mean over resampled clusters."""
    n_clusters = len(sum_C)
    if n_clusters < 2:
        return float("nan"), float("nan")
    # Gathering sums beats building (B, C) counts 2 to 1.
    mean_B = resampled(
        lambda draw_BC: sum_C[draw_BC].sum(axis=1) / size_C[draw_BC].sum(axis=1),
        n_clusters,
        resamples=resamples,
        seed=seed,
    )
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(mean_B, [tail, 1.0 - tail])
    return float(low), float(high)


def _sign_flip_p(sum_C: Floats, resamples: int, seed: int) -> float:
    """Two-sided p of the sum under independent sign flips of the clusters."""
    n_clusters = len(sum_C)
    if n_clusters == 0:
        return float("nan")
    sums_B = flipped(
        lambda is_kept_BC: 2.0 * (is_kept_BC @ sum_C) - sum_C.sum(), n_clusters, resamples=resamples, seed=seed
    )
    # Flips that equal the observed sum on paper may fall short of it by rounding.
    enough = abs(sum_C.sum()) - 1e-12 * np.abs(sum_C).sum()
    n_extreme = int((np.abs(sums_B) >= enough).sum())
    return (1 + n_extreme) / (resamples + 1)


def resampled(
    statistic: Callable[[npt.NDArray[np.uint32]], Floats],
    n_clusters: int,
    *,
    resamples: int,
    seed: int,
    width: int = 1,
    stratum: int = 0,
) -> Floats:
    """(resamples,) a statistic of as many clusters as there are, drawn with replacement.

    statistic   takes the clusters drawn (B, C), 0 to C - 1, gives (B,), or (B, …) for several statistics
    width       numbers that the statistic works on per resample where these are more than C; fewer resamples are then
                handed over at a time. The draws are the same for every width.
    stratum     0 or more; different ones are drawn independently of each other
    """
    rng = np.random.default_rng([seed, 0, stratum])

    def block(n: int) -> Floats:
        # uint32 draws are 8 times as fast as int64.
        return statistic(rng.integers(n_clusters, size=(n, n_clusters), dtype=np.uint32))

    return _in_blocks(block, resamples, max(n_clusters, width))


def flipped(
    statistic: Callable[[npt.NDArray[np.uint8]], Floats],
    n_clusters: int,
    *,
    resamples: int,
    seed: int,
    width: int = 1,
    stratum: int = 0,
) -> Floats:
    """(resamples,) a statistic with clusters kept as they are, or flipped, each with probability one half.

    statistic   takes (B, C) uint8, 1 where a cluster is kept, gives (B,), or (B, …) for several statistics
    width, stratum   as for `resampled`, but the draws depend on the width: what a block leaves of a word is not used
    """
    rng = np.random.default_rng([seed, 1, stratum])

    def block(n: int) -> Floats:
        is_kept_BC = np.unpackbits(rng.integers(256, size=(n, -(-n_clusters // 8)), dtype=np.uint8), axis=1)
        return statistic(is_kept_BC[:, :n_clusters])

    return _in_blocks(block, resamples, max(n_clusters, width))


def _in_blocks(statistics: Callable[[int], Floats], resamples: int, n_clusters: int) -> Floats:
    """`resamples` statistics, drawn so many at a time that a block holds about BLOCK_DRAWS draws."""
    step = max(1, BLOCK_DRAWS // n_clusters)
    return np.concatenate([statistics(min(step, resamples - done)) for done in range(0, resamples, step)])
