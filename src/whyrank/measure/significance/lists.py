"""Spearman's correlation of several systems over many lists: fast intervals and tests, of one list and of their mean.

`correlation_significance` ranks every resample anew, which takes minutes for seven sets, six systems and 10,000
resamples. Here the correlation is linearised once, so that a resample is a sum over its rows, and all systems share
the resamples.

Shapes: N rows · S systems · P pairs of systems · B resamples · U different values of a list
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from whyrank.measure.metrics.correlation import Correlation, Floats, as_lists, centred_ranks, spearman
from whyrank.measure.significance.draws import ROUNDING, Draws, unit
from whyrank.measure.significance.means import flipped, resampled

Names = tuple[str, str]

# A block of resamples whose counts stay in the processor's cache is several times as fast.
NUMBERS_PER_ROW = 32
# Of a correlation of 1, where Fisher's z is infinite and every resample is 1 as well.
NEARLY_ONE = 1 - 1e-12


class Interval(NamedTuple):
    """A correlation with its bounds, -1 to 1; 0 at chance."""

    value: float
    low: float
    high: float


class Comparison(NamedTuple):
    """Correlation of a minus that of b, -2 to 2, its bounds and its two-sided p."""

    difference: float
    low: float
    high: float
    p_value: float


class Resampled(NamedTuple):
    """The systems on one list, or their mean over several lists.

    found       of every system; None with the reason where it is undefined, and then it is in none of the others
    deviation   (B,) by system: correlation in each resample less that of the list, to first order
    swapped     (B,) by pair of systems: difference of the correlations when rows swap their systems at random
    """

    found: dict[str, Correlation]
    deviation: dict[str, Floats]
    swapped: dict[Names, Floats]

    def interval(self, system: str, level: float) -> Interval | None:
        """Percentile bounds in Fisher's z, where a correlation near 1 is as free to move up as down; None undefined."""
        value = self.found[system].value
        if value is None:
            return None
        inner = min(max(value, -NEARLY_ONE), NEARLY_ONE)
        bounds = np.quantile(self.deviation[system], _tails(level)) / (1 - inner**2)
        low, high = np.tanh(np.arctanh(inner) + bounds)
        return Interval(value, float(low), float(high))

    def comparison(self, a: str, b: str, level: float) -> Comparison | None:
        """a minus b on the same rows, of a pair that was asked for; None where one of the two is undefined."""
        of_a, of_b = self.found[a].value, self.found[b].value
        if of_a is None or of_b is None:
            return None
        difference = of_a - of_b
        low, high = difference + np.quantile(self.deviation[a] - self.deviation[b], _tails(level))
        swapped_B = self.swapped[a, b]
        # Swaps that equal the observed difference on paper may fall short of it by rounding; an undefined one counts.
        is_less_B = np.abs(swapped_B) < abs(difference) - ROUNDING
        p_value = (1 + (~is_less_B).sum()) / (len(swapped_B) + 1)
        return Comparison(difference, float(low), float(high), float(p_value))


def resampled_list(
    predictions: Mapping[str, npt.ArrayLike],
    label_N: npt.ArrayLike,
    pairs: Sequence[Names],
    *,
    resamples: int = 10_000,
    seed: int,
    stratum: int = 0,
) -> Resampled:
    """Spearman's correlation of each system with the labels of one list, resampled over its rows.

    predictions   (N,) by system, each in its own unit;  label_N   (N,) labels
    pairs         systems to compare; a pair of which one is undefined is left out
    stratum       number of the list: lists of different numbers are resampled independently, as their mean needs
    Resamples draw rows with replacement; each moves the correlation by the sum of its rows' `influence`. The linearised
    bootstrap is as wide as the one that ranks anew to a hundredth from some 250 rows on (Davison and Hinkley 1997,
    section 2.7). The swaps are those of `correlation_significance.paired_correlations`. Cost B x N.
    """
    lists = {name: as_lists(part, label_N) for name, part in predictions.items()}
    found = {name: spearman(*both) for name, both in lists.items()}
    defined = [name for name, one in found.items() if one.value is not None]
    kept = [pair for pair in pairs if set(pair) <= set(defined)]
    if not defined:
        return Resampled(found, {}, {})
    label = lists[defined[0]][1]
    influence_NS = np.stack([influence(lists[name][0], label) for name in defined], axis=1)
    draw = {"resamples": resamples, "seed": seed, "stratum": stratum}

    def moved(draw_BN: Draws) -> Floats:
        return _counts(draw_BN) @ influence_NS / len(label)

    deviation_BS = resampled(moved, len(label), width=NUMBERS_PER_ROW * len(label), **draw)
    unit_N = {name: unit(centred_ranks(lists[name][0])) for name in defined}
    swapped_BP = _swapped({pair: (unit_N[pair[0]], unit_N[pair[1]]) for pair in kept}, unit(centred_ranks(label)), draw)
    return Resampled(found, dict(zip(defined, deviation_BS.T, strict=True)), dict(zip(kept, swapped_BP.T, strict=True)))


def mean_of(lists: Mapping[str, Resampled]) -> Resampled:
    """The mean over lists that were resampled independently, by name; of the same systems, pairs and resamples.

    A system is defined where it is in every list; else the reason names the first list where it is not.
    """
    parts = list(lists.values())
    found = {system: _mean_correlation(system, lists) for system in parts[0].found}
    shared = [system for system, one in found.items() if one.value is not None]
    pairs = [pair for pair in parts[0].swapped if set(pair) <= set(shared)]
    deviation = {system: np.mean([part.deviation[system] for part in parts], axis=0) for system in shared}
    swapped = {pair: np.mean([part.swapped[pair] for part in parts], axis=0) for pair in pairs}
    return Resampled(found, deviation, swapped)


def influence(prediction_N: Floats, label_N: Floats) -> Floats:
    """(N,) what one more weight on a row does to Spearman's correlation, times N; of mean 0.

    prediction_N, label_N   (N,) float64, neither constant
    With mid-ranks a, b in shares of N and C, V, W the means of ab, a^2, b^2, the correlation is C / sqrt(V W). A row
    moves each mean by its own product, and by raising the ranks of all rows above it. Cost N log N.
    Croux and Dehon 2010, "Influence functions of the Spearman and Kendall correlation measures".
    """
    a_N, b_N = centred_ranks(prediction_N) / len(label_N), centred_ranks(label_N) / len(label_N)
    covariance, of_a, of_b = (a_N * b_N).mean(), (a_N**2).mean(), (b_N**2).mean()
    own_N = a_N * b_N + _above(prediction_N, b_N) + _above(label_N, a_N)
    a_spread_N = a_N**2 + 2 * _above(prediction_N, a_N)
    b_spread_N = b_N**2 + 2 * _above(label_N, b_N)
    moved_N = (own_N - covariance * (a_spread_N / of_a + b_spread_N / of_b) / 2) / np.sqrt(of_a * of_b)
    centred_N: Floats = moved_N - moved_N.mean()
    return centred_N


def _above(value_N: Floats, term_N: Floats) -> Floats:
    """(N,) sum of a term over the rows of higher value, and half of it over those of equal value, by N."""
    _, index_N = np.unique(value_N, return_inverse=True)
    sum_U = np.bincount(index_N, weights=term_N)
    above_U = sum_U.sum() - np.cumsum(sum_U) + 0.5 * sum_U
    return np.asarray(above_U[index_N] / len(value_N), dtype=np.float64)


def _counts(draw_BN: Draws) -> Floats:
    """(B, N) how often each resample holds each row."""
    n_resamples, n_rows = draw_BN.shape
    place_BN = draw_BN + np.arange(n_resamples, dtype=np.int64)[:, None] * n_rows
    return np.bincount(place_BN.ravel(), minlength=draw_BN.size).reshape(draw_BN.shape).astype(np.float64)


def _swapped(units: Mapping[Names, tuple[Floats, Floats]], label_N: Floats, draw: Mapping[str, int]) -> Floats:
    """(B, P) difference of the correlations of each pair of lists whose rows are swapped at random."""
    if not units:
        return np.empty((draw["resamples"], 0))
    both_N2P = np.stack([np.stack(pair, axis=1) for pair in units.values()], axis=2)
    term_N32P = np.stack([both_N2P, both_N2P**2, both_N2P * label_N[:, None, None]], axis=1)
    step_N3P = term_N32P[:, :, 0] - term_N32P[:, :, 1]
    first_3P, both_3P = term_N32P[:, :, 1].sum(axis=0), term_N32P.sum(axis=(0, 2))

    def correlation(sums_B3P: Floats) -> Floats:
        x_BP, xx_BP, xy_BP = sums_B3P.transpose(1, 0, 2)
        spread_BP = xx_BP - x_BP**2 / len(label_N)
        is_defined_BP = spread_BP > ROUNDING * both_3P[1]
        return np.where(is_defined_BP, xy_BP, np.nan) / np.sqrt(np.where(is_defined_BP, spread_BP, 1.0))

    def statistic(is_kept_BN: npt.NDArray[np.uint8]) -> Floats:
        sums_B3P = (is_kept_BN @ step_N3P.reshape(len(label_N), -1)).reshape(len(is_kept_BN), *first_3P.shape)
        sums_B3P = sums_B3P + first_3P
        return correlation(sums_B3P) - correlation(both_3P - sums_B3P)

    return flipped(statistic, len(label_N), width=NUMBERS_PER_ROW * len(label_N), **draw)


def _mean_correlation(system: str, lists: Mapping[str, Resampled]) -> Correlation:
    values = {name: part.found[system] for name, part in lists.items()}
    missing = next((f"{name}: {one.reason}" for name, one in values.items() if one.value is None), "")
    if missing:
        return Correlation(None, missing)
    return Correlation(float(np.mean([one.value for one in values.values()])))


def _tails(level: float) -> list[float]:
    tail = (1.0 - level) / 2.0
    return [tail, 1.0 - tail]
