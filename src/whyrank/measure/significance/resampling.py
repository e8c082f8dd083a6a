"""How sure a figure is: one clustered bootstrap, one swap test, and Holm's correction.

A resample draws whole clusters (answers, groups of rows) with replacement; a swap exchanges two systems within whole
clusters. The same seed draws the same clusters for every statistic of the same rows, so that figures can be compared.

Shapes: N rows · C clusters · K numbers of a row · B resamples · P pairs of systems · M hypotheses
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BLOCK_DRAWS = 2**21
# A block of resamples whose counts stay in the processor's cache is several times as fast.
NUMBERS_PER_CLUSTER = 32
# Of the largest swapped difference: swaps nearer than this to the observed one equal it on paper.
ROUNDING = 1e-10
# A correlation of 1 has an infinite z, and is 1 in every resample.
NEARLY_ONE = 1 - 1e-12


class Interval(NamedTuple):
    """A statistic with its bounds, in its own unit; NaN where they are undefined."""

    mean: float
    low: float
    high: float


def numbered(cluster_N: npt.ArrayLike) -> Ints:
    """(N,) clusters of any dtype, numbered from 0."""
    return np.unique(np.asarray(cluster_N), return_inverse=True)[1]


def sums_by_cluster(row_NK: Floats, index_N: Ints) -> Floats:
    """(C, K) sums over the rows of each cluster."""
    order_N = np.argsort(index_N, kind="stable")
    first_C = np.flatnonzero(np.diff(index_N[order_N], prepend=-1))
    return np.add.reduceat(row_NK[order_N], first_C, axis=0) if len(first_C) else row_NK


def bootstrap(row_NK: Floats, index_N: Ints, *, resamples: int, seed: int, stratum: int = 0) -> Floats:
    """(B, K) means over the rows of resampled clusters; NaN with fewer than 2 clusters, which have no spread.

    stratum   different ones are drawn independently of each other
    A mean is a ratio of sums, since clusters differ in size. Cost B x C x K.
    Field and Welsh 2007, "Bootstrapping clustered data".
    """
    assert len(row_NK) == len(index_N), f"{len(index_N)} clusters, {len(row_NK)} rows"
    # The last column counts rows.
    sum_CL = sums_by_cluster(np.column_stack([row_NK, np.ones(len(row_NK))]), index_N)
    n_clusters, width = len(sum_CL), 1 if row_NK.shape[1] == 1 else NUMBERS_PER_CLUSTER
    if n_clusters < 2:
        return np.full((resamples, row_NK.shape[1]), np.nan)
    random = np.random.default_rng([seed, 0, stratum])

    def means(n: int) -> Floats:
        # uint32 draws are 8 times as fast as int64. Gathering the sums of one number beats counting 2 to 1.
        draw_BC = random.integers(n_clusters, size=(n, n_clusters), dtype=np.uint32)
        if width == 1:
            sum_BL = np.stack([part_C[draw_BC].sum(axis=1) for part_C in sum_CL.T], axis=1)
        else:
            place_BC = draw_BC + np.arange(n, dtype=np.int64)[:, None] * n_clusters
            count_BC = np.bincount(place_BC.ravel(), minlength=draw_BC.size).reshape(draw_BC.shape)
            sum_BL = count_BC.astype(np.float64) @ sum_CL
        return sum_BL[:, :-1] / sum_BL[:, -1:]

    step = max(1, BLOCK_DRAWS // (width * n_clusters))
    return np.concatenate([means(min(step, resamples - done)) for done in range(0, resamples, step)])


def swap(
    pairs: Sequence[tuple[Floats, Floats]],
    of_sums: Callable[[Floats], Floats],
    index_N: Ints,
    *,
    resamples: int,
    seed: int,
    stratum: int = 0,
) -> list[Floats]:
    """(B,) for each pair of systems: difference of their statistics when clusters swap their systems at random.

    pairs     for each system of a pair (N, K, T): K numbers of each row in each of T columns
    of_sums   sums of these over the rows (B, K, T) -> (B, T) statistics; NaN where one is undefined
    Each cluster is kept or swapped with probability one half, in all columns at once. A difference is the mean over
    the columns. Smucker, Allan and Carterette 2007, "A comparison of statistical significance tests for IR evaluation".
    """
    if not pairs:
        return []
    shapes = [a.shape[1:] for a, _ in pairs]
    a_CD, b_CD = (
        sums_by_cluster(np.concatenate([pair[side].reshape(len(index_N), -1) for pair in pairs], axis=1), index_N)
        for side in (0, 1)
    )
    step_CD, start_D, both_D = a_CD - b_CD, b_CD.sum(axis=0), a_CD.sum(axis=0) + b_CD.sum(axis=0)
    ends = np.cumsum([n * columns for n, columns in shapes])[:-1]

    def differences(is_kept_BC: npt.NDArray[np.uint8]) -> Iterator[Floats]:
        first_BD = is_kept_BC @ step_CD + start_D
        for one, other, shape in zip(
            np.split(first_BD, ends, axis=1), np.split(both_D - first_BD, ends, axis=1), shapes, strict=True
        ):
            yield (of_sums(one.reshape(-1, *shape)) - of_sums(other.reshape(-1, *shape))).mean(axis=1)

    blocks = [
        list(differences(kept)) for kept in _kept(len(step_CD), resamples, np.random.default_rng([seed, 1, stratum]))
    ]
    return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]


def _kept(n_clusters: int, resamples: int, random: np.random.Generator) -> Iterator[npt.NDArray[np.uint8]]:
    """(b, C) 1 where a cluster is kept, in blocks of resamples."""
    step, part = (max(1, BLOCK_DRAWS // (width * max(n_clusters, 1))) for width in (1, NUMBERS_PER_CLUSTER))
    for done in range(0, resamples, step):
        size = (min(step, resamples - done), -(-n_clusters // 8))
        bits = random.integers(256, size=size, dtype=np.uint8)
        for start in range(0, len(bits), part):
            yield np.unpackbits(bits[start : start + part], axis=1)[:, :n_clusters]


def interval(value: float, sample_B: Floats, level: float, *, in_z: bool = False) -> Interval:
    """Percentile bounds of a statistic.

    sample_B   (B,) the statistic in each resample
    in_z       in Fisher's z, where a correlation near 1 is as free to move up as down; bounds then stay within -1 and 1
    """
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    if np.isnan(value) or np.isnan(sample_B).any():
        return Interval(value, float("nan"), float("nan"))
    if in_z:
        inner = min(max(value, -NEARLY_ONE), NEARLY_ONE)
        low, high = np.tanh(np.arctanh(inner) + np.quantile(sample_B - value, tails) / (1 - inner**2))
    else:
        low, high = np.quantile(sample_B, tails)
    return Interval(value, float(low), float(high))


def two_sided_p(difference: float, swapped_B: Floats) -> float:
    """Share of the swaps that are as extreme: (1 + #{|swapped| >= |observed|}) / (B + 1), never below 1 / (B + 1).

    About 2 ** (1 - C) at best: 5 clusters cannot reach 0.05, and of 1 cluster p is 1. An undefined swap counts as
    extreme.
    """
    size_B = np.abs(swapped_B)
    is_less_B = size_B < abs(difference) - ROUNDING * np.nanmax(size_B, initial=0.0)
    return float((1 + (~is_less_B).sum()) / (len(size_B) + 1))


def holm(p_values: npt.ArrayLike) -> Floats:
    """Holm's step-down adjustment of a family of p-values, in the order given.

    p_values   (M,) in [0, 1]; NaN (an undefined comparison) stays NaN and does not count in the family
    Returns (M,), never below the input, monotone in it, at most 1; reject where it is at most alpha.
    Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    p_M = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(p_M))
    order = tested[np.argsort(p_M[tested], kind="stable")]
    adjusted_M = np.full(len(p_M), np.nan)
    adjusted_M[order] = np.minimum(np.maximum.accumulate(p_M[order] * np.arange(len(order), 0, -1)), 1.0)
    return adjusted_M
