"""Correlations of many resamples at once, and of many swaps of two systems.

Shapes: N rows · C clusters · B resamples · S systems · U different values of a list
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from whyrank.measure.metrics.correlation import CENTRED, Floats
from whyrank.measure.significance.means import Ints

# Of the sum of squares: what is left of a variance below this share is rounding.
ROUNDING = 1e-12

Draws = npt.NDArray[np.uint32]


def resampled_spearman(predictions: list[Floats], label_N: Floats, index_N: Ints) -> Callable[[Draws], Floats]:
    """Clusters drawn (B, C) -> (S, B) Spearman's correlation of each system, NaN where it is undefined.

    Nothing is sorted again: the rank of a value follows from how often each smaller one was drawn.
    """
    n_clusters = int(index_N.max()) + 1
    lists = [_Sorted.of(part) for part in (*predictions, label_N)]

    def statistic(draw_BC: Draws) -> Floats:
        count_NB = _counts(draw_BC, n_clusters)[index_N]
        *system_SNB, label_NB = (part.centred_ranks(count_NB) for part in lists)
        times_NB = count_NB * label_NB
        spread_B = np.einsum("nb,nb->b", times_NB, label_NB)
        value_SB = []
        for rank_NB in system_SNB:
            product_B = np.einsum("nb,nb->b", times_NB, rank_NB)
            square_B = np.einsum("nb,nb,nb->b", count_NB, rank_NB, rank_NB) * spread_B
            # Halves of whole numbers: a list of equal values has a spread of exactly zero.
            value_SB.append(_ratio(product_B, square_B, square_B > 0))
        return np.stack(value_SB)

    return statistic


def resampled_pearson(predictions: list[Floats], label_N: Floats, index_N: Ints) -> Callable[[Draws], Floats]:
    """As `resampled_spearman`, from sums over clusters: cost B x C."""
    n_clusters = int(index_N.max()) + 1
    label = unit(CENTRED["pearson"](label_N))
    label_C3 = _sums([np.ones(len(label)), label, label**2], index_N)
    systems = [unit(CENTRED["pearson"](part)) for part in predictions]
    system_SC3 = [_sums([part, part**2, part * label], index_N) for part in systems]

    def statistic(draw_BC: Draws) -> Floats:
        count_BC = _counts(draw_BC, n_clusters).T
        n_B, y_B, yy_B = (count_BC @ label_C3).T
        value_SB = []
        for part_C3 in system_SC3:
            x_B, xx_B, xy_B = (count_BC @ part_C3).T
            x_spread_B, y_spread_B = xx_B - x_B**2 / n_B, yy_B - y_B**2 / n_B
            is_defined_B = (x_spread_B > ROUNDING * xx_B) & (y_spread_B > ROUNDING * yy_B)
            value_SB.append(_ratio(xy_B - x_B * y_B / n_B, x_spread_B * y_spread_B, is_defined_B))
        return np.stack(value_SB)

    return statistic


RESAMPLED = {"spearman": resampled_spearman, "pearson": resampled_pearson}


def swapped(a_N: Floats, b_N: Floats, label_N: Floats, index_N: Ints) -> Callable[[npt.NDArray[np.uint8]], Floats]:
    """Clusters kept (B, C) -> (B,) difference of the correlations of two systems that swap the clusters not kept.

    a_N, b_N, label_N   (N,) of mean zero and unit length. NaN where a mixture of the systems is constant.
    """
    a_C3, b_C3 = (_sums([part, part**2, part * label_N], index_N) for part in (a_N, b_N))
    both_3 = a_C3.sum(axis=0) + b_C3.sum(axis=0)

    def correlation(sums_B3: Floats) -> Floats:
        x_B, xx_B, xy_B = sums_B3.T
        spread_B = xx_B - x_B**2 / len(label_N)
        return _ratio(xy_B, spread_B, spread_B > ROUNDING * both_3[1])

    def statistic(is_kept_BC: npt.NDArray[np.uint8]) -> Floats:
        first_B3 = is_kept_BC @ (a_C3 - b_C3) + b_C3.sum(axis=0)
        return correlation(first_B3) - correlation(both_3 - first_B3)

    return statistic


class _Sorted(NamedTuple):
    """A list as its different values: where each row stands among them."""

    order_N: Ints  # rows, smallest value first
    first_U: Ints  # place in that order of the first row with each value
    value_N: Ints  # number of each row's value

    @classmethod
    def of(cls, list_N: Floats) -> "_Sorted":
        _, value_N, size_U = np.unique(list_N, return_inverse=True, return_counts=True)
        return cls(np.argsort(value_N), np.cumsum(size_U) - size_U, value_N)

    def centred_ranks(self, count_NB: Floats) -> Floats:
        """(N, B) average rank of each row less the mean rank, in resamples that hold each row `count` times."""
        size_UB = np.add.reduceat(count_NB[self.order_N], self.first_U, axis=0)
        up_to_UB = np.cumsum(size_UB, axis=0)
        return (up_to_UB - 0.5 * (size_UB + up_to_UB[-1]))[self.value_N]


def _counts(draw_BC: Draws, n_clusters: int) -> Floats:
    """(C, B) how often each resample holds each cluster."""
    n = len(draw_BC)
    place_BC = draw_BC.astype(np.int64) * n + np.arange(n)[:, None]
    return np.bincount(place_BC.ravel(), minlength=n_clusters * n).reshape(n_clusters, n).astype(np.float64)


def _sums(lists: list[Floats], index_N: Ints) -> Floats:
    """(C, 3) sum of each list over the rows of each cluster."""
    return np.stack([np.bincount(index_N, weights=part) for part in lists], axis=1)


def unit(centred_N: Floats) -> Floats:
    """(N,) brought to unit length."""
    return centred_N / np.linalg.norm(centred_N)


def _ratio(product_B: Floats, square_B: Floats, is_defined_B: npt.NDArray[np.bool_]) -> Floats:
    """The product over the root of the square; NaN where it is undefined."""
    return np.where(is_defined_B, product_B, np.nan) / np.sqrt(np.where(is_defined_B, square_B, 1.0))
