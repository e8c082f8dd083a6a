"""Statistics of systems with their intervals and differences: means over queries, Spearman's correlations.

To first order each is a mean over rows of one number a row, which is what the bootstrap needs: a metric itself; of a
correlation the value plus the row's influence. Davison and Hinkley 1997, section 2.7 (the linearised bootstrap; as
wide as the one that ranks every resample anew to a hundredth from some 250 rows on).

Shapes: N rows · T columns (metrics, targets) · K terms · C clusters · B resamples
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from whyrank.measure.metrics.correlation import centred_ranks, columns, influence
from whyrank.measure.significance import resampling
from whyrank.measure.significance.resampling import Floats, Interval, bootstrap, numbered, swap, two_sided_p

Pair = tuple[str, str]

# Of the sum of squares: what is left of a variance below this share is rounding.
ROUNDING = 1e-12


class Comparison(NamedTuple):
    """Statistic of a minus that of b with its bounds and its two-sided p; NaN where they are undefined."""

    difference: float
    low: float
    high: float
    p_value: float


class Statistic(NamedTuple):
    """A statistic of one system in T columns.

    value_T    NaN where it is undefined
    reason_T   why it is undefined, else empty
    row_NT     numbers whose mean over rows is the value, to first order
    term_NKT   numbers whose sums over rows give the value exactly, by `of_sums` (B, K, T) -> (B, T)
    """

    value_T: Floats
    reason_T: list[str]
    row_NT: Floats
    term_NKT: Floats
    of_sums: Callable[[Floats], Floats]


class Resampled(NamedTuple):
    """Statistics of several systems on the same resamples.

    value, reason   (T,) by system
    sample          (B, T) by system: the statistic in each resample
    swapped         (B,) by pair: mean difference over the columns that both define when clusters swap their systems
    in_z            a single column is a correlation: its bounds are taken in Fisher's z
    """

    value: dict[str, Floats]
    reason: dict[str, list[str]]
    sample: dict[str, Floats]
    swapped: dict[Pair, Floats]
    in_z: bool

    def interval(self, system: str, level: float, column: int | None = None) -> Interval:
        """Of one column, or of the mean over those that are defined."""
        kept = self._defined(system) if column is None else [column]
        if not kept:
            return Interval(np.nan, np.nan, np.nan)
        sample_B, in_z = self.sample[system][:, kept].mean(axis=1), self.in_z and len(self.value[system][kept]) == 1
        return resampling.interval(float(self.value[system][kept].mean()), sample_B, level, in_z=in_z)

    def difference(self, a: str, b: str, level: float) -> Interval:
        """a minus b on the same rows, over the columns that both define."""
        kept = self._defined(a, b)
        if not kept:
            return Interval(np.nan, np.nan, np.nan)
        difference = float(self.value[a][kept].mean() - self.value[b][kept].mean())
        sample_B = (self.sample[a][:, kept] - self.sample[b][:, kept]).mean(axis=1)
        return resampling.interval(difference, sample_B, level)

    def comparison(self, a: str, b: str, level: float) -> Comparison:
        """`difference` with its p, of a pair that was asked for."""
        found = self.difference(a, b, level)
        p_value = np.nan if np.isnan(found.mean) else two_sided_p(found.mean, self.swapped[a, b])
        return Comparison(*found, p_value)

    def why(self, *systems: str) -> str:
        """Why the first column that no system of several defines is undefined, `system: reason`; "" where one is."""
        if self._defined(*systems):
            return ""
        return next(
            (f"{name}: {part[0]}" for name in systems for part in [self.reason[name]] if part and part[0]), "no column"
        )

    def _defined(self, *systems: str) -> list[int]:
        return [int(i) for i in np.flatnonzero(~np.isnan([self.value[name] for name in systems]).any(axis=0))]


def resample(
    systems: Mapping[str, Statistic],
    cluster_N: npt.ArrayLike,
    pairs: Sequence[Pair] = (),
    /,
    *,
    resamples: int = 10_000,
    seed: int,
    stratum: int = 0,
) -> Resampled:
    """All systems and pairs of them on the same resamples and swaps of clusters.

    cluster_N   (N,) cluster of each row, any dtype; np.arange(N) for none
    pairs       to be compared; one without a column that both define is left out
    stratum     lists of different numbers are resampled independently, as `mean_of` needs
    Cost B x C x (systems + pairs) x T.
    """
    index_N, draw = numbered(cluster_N), {"resamples": resamples, "seed": seed, "stratum": stratum}
    rows = np.concatenate([one.row_NT for one in systems.values()], axis=1)
    sample = np.split(bootstrap(rows, index_N, **draw), len(systems), axis=1)
    first = next(iter(systems.values()))
    value = {name: one.value_T for name, one in systems.items()}
    shared = {pair: ~np.isnan(value[pair[0]] + value[pair[1]]) for pair in pairs}
    kept = {pair: columns for pair, columns in shared.items() if columns.any()}
    terms = [tuple(systems[name].term_NKT[:, :, columns] for name in pair) for pair, columns in kept.items()]
    swapped = swap([(a, b) for a, b in terms], first.of_sums, index_N, **draw)
    return Resampled(
        value,
        {name: one.reason_T for name, one in systems.items()},
        dict(zip(systems, sample, strict=True)),
        dict(zip(kept, swapped, strict=True)),
        first.of_sums is _correlations,
    )


def mean_of(lists: Mapping[str, Resampled]) -> Resampled:
    """The mean over lists that were resampled independently, by name; of the same systems, pairs and resamples.

    A system is defined where it is in every list; else the reason names the first list where it is not.
    """
    parts = list(lists.values())
    value = {name: np.mean([part.value[name] for part in parts], axis=0) for name in parts[0].value}
    reason = {
        name: [next((f"{of}: {part.reason[name][0]}" for of, part in lists.items() if part.reason[name][0]), "")]
        for name in value
    }
    sample = {name: np.mean([part.sample[name] for part in parts], axis=0) for name in value}
    pairs = [pair for pair in parts[0].swapped if all(pair in part.swapped for part in parts)]
    swapped = {pair: np.mean([part.swapped[pair] for part in parts], axis=0) for pair in pairs}
    return Resampled(value, reason, sample, swapped, parts[0].in_z)


def resample_means(
    systems: Mapping[str, npt.ArrayLike], cluster_Q: npt.ArrayLike, pairs: Sequence[Pair] = (), /, **draw: int
) -> Resampled:
    """Means over queries of one number per query, (Q,) or (Q, T) by system; a query that has a NaN is left out of all.

    With no query a mean is NaN.
    """
    values = {
        name: np.asarray(part, dtype=np.float64).reshape(np.size(cluster_Q), -1) for name, part in systems.items()
    }
    known_Q = ~np.isnan(np.concatenate(list(values.values()), axis=1)).any(axis=1)
    kept = {name: means(value_QT[known_Q]) for name, value_QT in values.items()}
    return resample(kept, np.asarray(cluster_Q)[known_Q], pairs, **draw)


def mean_interval(values_Q: npt.ArrayLike, cluster_Q: npt.ArrayLike, *, level: float = 0.95, **draw: int) -> Interval:
    """Mean over queries with a percentile bootstrap interval that resamples whole clusters.

    values_Q    (Q,) one number per query; NaN (no relevant answer) is left out
    cluster_Q   (Q,) cluster of each query, any dtype; np.arange(Q) for the unclustered interval
    """
    return resample_means({"": values_Q}, cluster_Q, **draw).interval("", level)


def resample_spearman(
    systems: Mapping[str, npt.ArrayLike],
    label_NT: npt.ArrayLike,
    cluster_N: npt.ArrayLike,
    pairs: Sequence[Pair] = (),
    /,
    **draw: int,
) -> Resampled:
    """Spearman's correlations of predictions (by system, each in its own unit) with labels; both (N,) or (N, T).

    A correlation is no mean over rows, so there are no differences whose signs could be flipped. What is exchangeable
    between equally good systems is who made which prediction, once both are in one unit: ranks. The p-value swaps the
    ranks of whole clusters in all columns at once; they are not ranked again, since any statistic may be compared with
    itself under exchange. It is approximate where the systems tie differently. Cost T N log N, and that of `resample`.
    """
    return resample({name: correlations(part, label_NT) for name, part in systems.items()}, cluster_N, pairs, **draw)


def means(value_NT: Floats) -> Statistic:
    value_T = value_NT.mean(axis=0) if len(value_NT) else np.full(value_NT.shape[1], np.nan)
    reason_T = ["" if len(value_NT) else "no query"] * len(value_T)
    return Statistic(value_T, reason_T, value_NT, value_NT[:, None] / max(len(value_NT), 1), _means)


def correlations(prediction_NT: npt.ArrayLike, label_NT: npt.ArrayLike) -> Statistic:
    prediction, label = (
        np.asarray(part, dtype=np.float64).reshape(len(np.asarray(part)), -1) for part in (prediction_NT, label_NT)
    )
    found = columns(prediction, label)
    row_NT, term_N3T = np.zeros(label.shape), np.zeros((len(label), 3, label.shape[1]))
    for i, one in enumerate(found):
        if one.value is not None:
            row_NT[:, i] = one.value + influence(prediction[:, i], label[:, i])
            a_N, b_N = (_unit(centred_ranks(part[:, i])) for part in (prediction, label))
            term_N3T[:, :, i] = np.stack([a_N / np.sqrt(len(label)), a_N**2, a_N * b_N], axis=1)
    value_T = np.array([np.nan if one.value is None else one.value for one in found])
    return Statistic(value_T, [one.reason for one in found], row_NT, term_N3T, _correlations)


def _means(sums_B1T: Floats) -> Floats:
    return sums_B1T[:, 0]


def _correlations(sums_B3T: Floats) -> Floats:
    """(B, T) from sums of x / sqrt(N), x^2 and x y, where y has mean 0 and length 1; NaN where all x are equal."""
    x_BT, xx_BT, xy_BT = sums_B3T.transpose(1, 0, 2)
    spread_BT = xx_BT - x_BT**2
    is_defined_BT = spread_BT > ROUNDING
    return np.where(is_defined_BT, xy_BT, np.nan) / np.sqrt(np.where(is_defined_BT, spread_BT, 1.0))


def _unit(centred_N: Floats) -> Floats:
    return centred_N / np.linalg.norm(centred_N)
