"""Intervals of the rank correlations of many columns at once, over the same resampled clusters.

Shapes: N rows · T columns · C clusters · B resamples
"""

import numpy as np
import numpy.typing as npt

from whyrank.measure.metrics.correlation import Floats, columns
from whyrank.measure.significance.draws import Draws
from whyrank.measure.significance.lists import NEARLY_ONE, influence
from whyrank.measure.significance.means import resampled

# A block of resamples whose counts stay in the processor's cache is several times as fast.
NUMBERS_PER_CLUSTER = 32


def column_intervals(
    prediction_NT: npt.ArrayLike,
    label_NT: npt.ArrayLike,
    cluster_N: npt.ArrayLike,
    *,
    resamples: int = 10_000,
    seed: int,
    level: float = 0.95,
) -> list[tuple[float, float] | None]:
    """(T,) bounds of Spearman's correlation of each column, -1 to 1; None where it is undefined, or with one cluster.

    cluster_N   (N,) cluster of each row, any dtype
    The linearised bootstrap of `correlation_lists`, with percentiles in Fisher's z, over clusters. Cost B x C x T.
    """
    prediction, label = (np.asarray(part, dtype=np.float64) for part in (prediction_NT, label_NT))
    found = columns(prediction, label, "spearman")
    value_D = {i: one.value for i, one in enumerate(found) if one.value is not None}
    _, index_N = np.unique(np.asarray(cluster_N), return_inverse=True)
    n_clusters = int(index_N.max(initial=-1)) + 1
    if n_clusters < 2 or not value_D:
        return [None] * len(found)
    influence_ND = np.stack([influence(prediction[:, i], label[:, i]) for i in value_D], axis=1)
    sum_CD = np.stack([np.bincount(index_N, weights=part) for part in influence_ND.T], axis=1)
    size_C = np.bincount(index_N).astype(np.float64)

    def moved(draw_BC: Draws) -> Floats:
        count_BC = _counts(draw_BC)
        return np.asarray(count_BC @ sum_CD / (count_BC @ size_C)[:, None], dtype=np.float64)

    width = NUMBERS_PER_CLUSTER * n_clusters
    deviation_BD = resampled(moved, n_clusters, resamples=resamples, seed=seed, width=width)
    tail = (1.0 - level) / 2.0
    bounds: list[tuple[float, float] | None] = [None] * len(found)
    for (i, value), (low, high) in zip(
        value_D.items(), np.quantile(deviation_BD, [tail, 1.0 - tail], axis=0).T, strict=True
    ):
        inner = min(max(value, -NEARLY_ONE), NEARLY_ONE)
        one, other = np.tanh(np.arctanh(inner) + np.array([low, high]) / (1 - inner**2))
        bounds[i] = float(one), float(other)
    return bounds


def _counts(draw_BC: Draws) -> Floats:
    """(B, C) how often each resample holds each cluster."""
    n_resamples, n_clusters = draw_BC.shape
    place_BC = draw_BC + np.arange(n_resamples, dtype=np.int64)[:, None] * n_clusters
    return np.bincount(place_BC.ravel(), minlength=draw_BC.size).reshape(draw_BC.shape).astype(np.float64)
