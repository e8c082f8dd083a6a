"""Intervals and p-values of correlations: against rows drawn by hand, all swaps, and simulated coverage."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from whyrank.measure.metrics.correlation import correlate
from whyrank.measure.significance import reranked as correlation_significance
from whyrank.measure.significance.draws import RESAMPLED
from whyrank.measure.significance.reranked import correlation_interval, paired_correlations

KINDS = ["spearman", "pearson"]


def simulated(random, rows, noise=1.0):
    """Labels of five grades and predictions that follow them."""
    label = random.integers(0, 5, rows) / 4
    return label + noise * random.normal(size=rows), label


@pytest.mark.parametrize("kind", KINDS)
def test_a_resample_has_the_correlation_of_the_rows_drawn(kind):
    random = np.random.default_rng(0)
    index_N = random.permutation(np.repeat(np.arange(9), random.integers(1, 4, 9)))
    a, label = simulated(random, len(index_N))
    b = np.round(2 * a)
    draw_BC = random.integers(9, size=(60, 9), dtype=np.uint32)
    draw_BC[0] = 3  # one cluster only
    value_SB = RESAMPLED[kind]([a, b], label, index_N)(draw_BC)
    undefined = 0
    for value_B, prediction in zip(value_SB, (a, b), strict=True):
        for value, draw_C in zip(value_B, draw_BC, strict=True):
            rows = np.concatenate([np.flatnonzero(index_N == cluster) for cluster in draw_C])
            expected = correlate(prediction[rows], label[rows], kind)
            if expected.value is None:
                assert np.isnan(value), expected
                undefined += 1
            else:
                assert value == pytest.approx(expected.value, abs=1e-12)
    assert undefined < 10


@pytest.mark.parametrize("kind", KINDS)
def test_a_resample_of_one_value_is_undefined_despite_rounding(kind):
    random = np.random.default_rng(0)
    index_N = np.repeat(np.arange(50), 3)
    prediction, label = 0.9 + 0.1 * random.random(50)[index_N], random.random(150)
    draw_BC = np.repeat(np.arange(50, dtype=np.uint32)[:, None], 50, axis=1)
    assert np.isnan(RESAMPLED[kind]([prediction], label, index_N)(draw_BC)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_unclustered_interval_is_that_of_fisher(kind):
    random = np.random.default_rng(0)
    label = random.normal(size=800)
    prediction = label + random.normal(size=800)
    interval = correlation_interval(prediction, label, np.arange(800), kind, resamples=4000, seed=1)
    centre = np.arctanh(interval.value)
    half = 1.96 / np.sqrt(797) * (1.0 if kind == "pearson" else np.sqrt(1 + interval.value**2 / 2))  # Bonett and Wright
    assert np.arctanh([interval.low, interval.high]) == pytest.approx([centre - half, centre + half], abs=0.2 * half)
    assert (interval.reason, interval.n_undefined) == ("", 0)
    assert interval.value == correlate(prediction, label, kind).value


@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_covers_the_true_correlation_as_often_as_it_says_and_the_naive_one_does_not(kind):
    random = np.random.default_rng(0)
    # Normal variables of correlation 0.9 x 0.6, rows of a cluster near copies. Spearman's is 6/pi arcsin(r/2).
    truth = 0.54 if kind == "pearson" else 6 / np.pi * np.arcsin(0.27)
    cluster_N = np.repeat(np.arange(80), 4)
    clustered, naive = 0, 0
    for trial in range(300):
        label_C = random.normal(size=80)
        prediction_C = 0.6 * label_C + 0.8 * random.normal(size=80)
        label, prediction = (
            np.sqrt(0.9) * part_C[cluster_N] + np.sqrt(0.1) * rest
            for part_C, rest in ((label_C, random.normal(size=320)), (prediction_C, random.normal(size=320)))
        )
        interval = correlation_interval(prediction, label, cluster_N, kind, resamples=400, seed=trial)
        clustered += interval.low <= truth <= interval.high
        interval = correlation_interval(prediction, label, np.arange(320), kind, resamples=400, seed=trial)
        naive += interval.low <= truth <= interval.high
    # Binomial noise of 300 trials is 1.3 points; percentile intervals of 80 clusters fall a little short.
    assert 0.90 <= clustered / 300 <= 0.98
    assert naive / 300 < 0.80


@pytest.mark.parametrize("kind", KINDS)
def test_copied_rows_do_not_narrow_the_clustered_interval(kind):
    random = np.random.default_rng(0)
    prediction, label = simulated(random, 150)
    once = correlation_interval(prediction, label, np.arange(150), kind, resamples=2000, seed=1)
    copies = np.repeat(np.arange(150), 4)
    clustered = correlation_interval(prediction[copies], label[copies], copies, kind, resamples=2000, seed=1)
    naive = correlation_interval(prediction[copies], label[copies], np.arange(600), kind, resamples=2000, seed=1)
    assert clustered[:3] == pytest.approx(once[:3], abs=1e-12)
    assert (clustered.high - clustered.low) / (naive.high - naive.low) == pytest.approx(2.0, rel=0.1)  # sqrt(4)


def test_the_level_sets_the_width_the_seed_the_draws_and_the_block_nothing(monkeypatch):
    prediction, label = simulated(np.random.default_rng(0), 200)

    def interval(**options):
        return correlation_interval(prediction, label, np.arange(200), "spearman", **{"seed": 1} | options)

    wide, narrow = interval(), interval(level=0.5)
    ratio = stats.norm.ppf(0.975) / stats.norm.ppf(0.75)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(ratio, rel=0.06)
    assert interval() == wide != interval(seed=2)
    monkeypatch.setattr(correlation_significance, "NUMBERS_PER_ROW", 500)
    assert interval() == wide


@pytest.mark.parametrize("kind", KINDS)
def test_the_p_value_is_the_share_of_all_swaps_that_are_as_extreme(kind):
    random = np.random.default_rng(2)
    index_N = np.repeat(np.arange(8), 3)
    a, label = simulated(random, 24, noise=0.4)
    b = 10 + 3 * (label + 1.5 * random.normal(size=24))  # in another unit
    unit = stats.rankdata if kind == "spearman" else stats.zscore
    first, second = unit(a), unit(b)

    def difference(is_kept):
        kept = np.array(is_kept)[index_N] == 1
        mixtures = np.where(kept, first, second), np.where(kept, second, first)
        graded = stats.rankdata(label) if kind == "spearman" else label
        return np.subtract(*(stats.pearsonr(mixture, graded).statistic for mixture in mixtures))

    observed = difference([1] * 8)
    exact = np.mean([abs(difference(kept)) >= abs(observed) - 1e-9 for kept in product([0, 1], repeat=8)])
    comparison = paired_correlations(a, b, label, index_N, kind, resamples=20_000, seed=0)
    assert comparison.difference == pytest.approx(observed, abs=1e-12)
    assert 0.01 < exact < 0.5
    assert comparison.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))
    assert (comparison.n_rows, comparison.n_clusters, comparison.reason) == (24, 8, "")


@pytest.mark.parametrize("kind", KINDS)
def test_p_is_uniform_and_the_interval_holds_zero_when_the_systems_are_equally_good(kind):
    random = np.random.default_rng(0)
    cluster_N = np.repeat(np.arange(40), 3)
    found = []
    for trial in range(300):
        label = random.normal(size=120)
        # Both systems err per cluster; the one has another unit, and for the ranks another shape.
        a, b = (label + random.normal(size=40)[cluster_N] + random.normal(size=120) for _ in range(2))
        b = np.exp(b) if kind == "spearman" else 100 * b
        found.append(paired_correlations(a, b, label, cluster_N, kind, resamples=300, seed=trial))
    assert stats.kstest([one.p_value for one in found], "uniform").pvalue > 0.01
    assert 0.90 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 0.98


@pytest.mark.parametrize("kind", KINDS)
def test_a_better_system_is_found_and_the_mirror_image_says_so_too(kind):
    random = np.random.default_rng(0)
    a, label = simulated(random, 300, noise=0.3)
    b = label + random.normal(size=300)
    forth = paired_correlations(a, b, label, np.arange(300), kind, resamples=999, seed=0)
    back = paired_correlations(b, a, label, np.arange(300), kind, resamples=999, seed=0)
    assert forth.low > 0 and forth.p_value == 1 / 1000
    assert (back.difference, back.low, back.high) == pytest.approx((-forth.difference, -forth.high, -forth.low))
    assert back.p_value == forth.p_value


@pytest.mark.parametrize("kind", KINDS)
def test_equal_systems_have_p_one(kind):
    a, label = simulated(np.random.default_rng(0), 60)
    same = paired_correlations(a, 2 * a, label, np.arange(60), kind, resamples=999, seed=0)
    assert same[:4] == pytest.approx((0.0, 0.0, 0.0, 1.0), abs=1e-12)


def test_what_is_undefined_has_no_bounds_and_its_reason():
    label, flat = [0.0, 0.5, 1.0], [1.0, 1.0, 1.0]
    assert correlation_interval(flat, label, np.arange(3), "spearman", seed=0) == (
        None, None, None, "constant predictions", 0,
    )  # fmt: skip
    comparison = paired_correlations(label, flat, label, np.arange(3), "spearman", seed=0)
    assert comparison == (None, None, None, None, 3, 3, "b: constant predictions", 0)
    assert paired_correlations(label, label, flat, np.arange(3), "pearson", seed=0).reason == "a: constant labels"
    assert paired_correlations([], [], [], [], "pearson", seed=0).reason == "a: fewer than two rows"


@pytest.mark.parametrize("kind", KINDS)
def test_one_cluster_has_a_value_no_bounds_and_p_one(kind):
    a, label = simulated(np.random.default_rng(0), 20)
    interval = correlation_interval(a, label, np.zeros(20), kind, seed=0)
    assert interval.value is not None and interval[1:] == (None, None, "", 0)
    comparison = paired_correlations(a, -a, label, np.zeros(20), kind, resamples=99, seed=0)
    assert (comparison.low, comparison.high, comparison.p_value) == (None, None, 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_resamples_without_a_correlation_are_left_out_and_counted(kind):
    # Of 2 rows, half of the resamples hold one row twice.
    interval = correlation_interval([0.1, 0.3], [0.1, 0.7], ["x", "y"], kind, resamples=1000, seed=0)
    assert interval[:3] == pytest.approx((1.0, 1.0, 1.0))
    assert 430 < interval.n_undefined < 570
    # Swapping one of two rows gives both systems one value throughout: such swaps count as extreme.
    comparison = paired_correlations([1, 2], [2, 1], [0, 1], np.arange(2), kind, resamples=1000, seed=0)
    assert comparison.p_value == 1.0 and comparison.difference == pytest.approx(2.0)
