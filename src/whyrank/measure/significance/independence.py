"""Whether a list has anything to do with the labels beside it: by chance, over all levels, beyond another list.

Shapes: N rows · B shuffles
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from whyrank.measure.metrics.correlation import Floats, as_lists, centred_ranks, why_undefined

# Shuffled labels ranked at a time: 64 lists of 1,000 are half a megabyte.
BLOCK = 64


class Bounds(NamedTuple):
    """Bounds of Spearman's correlation between which a list lies that the labels know nothing of, -1 to 1."""

    low: float
    high: float


def shuffled_bounds(
    value_N: npt.ArrayLike, label_N: npt.ArrayLike, *, shuffles: int, seed: int, level: float = 0.95
) -> Bounds | None:
    """Quantiles of Spearman's correlation with shuffled labels; None where the correlation is undefined.

    value_N, label_N   (N,) real numbers; ties share their rank, as in `correlation.spearman`
    level              share of the shuffles between the bounds, 0 to 1
    About +-1.96 / sqrt(N - 1) at 0.95. Pitman 1937, "Significance tests which may be applied to samples from any
    populations. II. The correlation coefficient test". Cost N B.
    """
    value, label = as_lists(value_N, label_N)
    if why_undefined(value, label):
        return None
    value, label = centred_ranks(value), centred_ranks(label)
    random, size = np.random.default_rng(seed), np.linalg.norm(value) * np.linalg.norm(label)
    drawn = [
        random.permuted(np.broadcast_to(label, (min(BLOCK, shuffles - done), len(label))), axis=1) @ value
        for done in range(0, shuffles, BLOCK)
    ]
    low, high = np.quantile(np.concatenate(drawn) / size, [(1 - level) / 2, (1 + level) / 2])
    return Bounds(float(low), float(high))


def beyond(value_N: npt.ArrayLike, known_N: npt.ArrayLike) -> Floats:
    """(N,) what of the ranks of a list those of another do not say, as a share of N; mean zero, -1 to 1.

    value_N, known_N   (N,) finite real numbers
    The residual of a least-squares line through both lists of ranks. With it a correlation is semipartial, see Cohen
    and Cohen 1975, "Applied multiple regression/correlation analysis", section 3.3.
    """
    value, known = as_lists(value_N, known_N)
    value, known = centred_ranks(value), centred_ranks(known)
    square = known @ known
    return (value - (known @ value / square if square else 0.0) * known) / len(value)


def kruskal_p(value_N: npt.ArrayLike, group_N: npt.ArrayLike) -> float | None:
    """p of the hypothesis that all groups have the same distribution of ranks; uniform from 0 to 1 where it holds.

    value_N   (N,) real numbers;  group_N   (N,) of any one type
    None with fewer than two groups, and for a constant list. It sees any difference between groups, of whatever order;
    a rank correlation sees an order only. Kruskal and Wallis 1952, "Use of ranks in one-criterion variance analysis".
    """
    value, group = np.asarray(value_N, dtype=np.float64), np.asarray(group_N)
    assert value.shape == group.shape and value.ndim == 1, f"{value.shape} values, {group.shape} groups"
    names = np.unique(group)
    if len(names) < 2 or (value == value[0]).all():
        return None
    return float(stats.kruskal(*(value[group == name] for name in names)).pvalue)
