"""Intervals and p of a mean over columns: against resamples ranked anew, all swaps, and the one-column functions."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from whyrank.measure.metrics.correlation import Correlation
from whyrank.measure.metrics.ratings import column_spearman
from whyrank.measure.significance.column_means import mean_interval, paired_means
from whyrank.measure.significance.reranked import correlation_interval, paired_correlations


def simulated(random, rows, columns, noise=1.0, per_cluster=1):
    """Labels of two to nine grades and predictions that follow them; a cluster shares labels and half the noise."""
    clusters = rows // per_cluster
    label = np.stack([random.integers(0, 2 + i % 8, clusters) / (1 + i % 8) for i in range(columns)], axis=1)
    label, shared = (part.repeat(per_cluster, axis=0) for part in (label, random.normal(size=label.shape)))
    return label + noise * (random.normal(size=label.shape) + shared), label


def mean_value(prediction, label):
    return np.mean([one.value for one in column_spearman(prediction, label) if one.value is not None])


def test_the_interval_is_that_of_resamples_that_are_ranked_anew():
    random = np.random.default_rng(0)
    prediction, label = simulated(random, 600, 4, per_cluster=3)
    label[:, 3] = random.permutation(600) < 20  # a rare target
    prediction[:, 3] += 4 * label[:, 3]
    cluster = np.repeat(np.arange(200), 3)
    anew = []
    for _ in range(1000):
        rows = (3 * random.integers(200, size=200)[:, None] + np.arange(3)).ravel()
        anew.append(mean_value(prediction[rows], label[rows]))
    found = mean_interval(prediction, label, cluster, seed=1)
    low, high = np.quantile(anew, [0.025, 0.975])
    assert found.value == pytest.approx(mean_value(prediction, label), abs=1e-15)
    assert [found.low, found.high] == pytest.approx([low, high], abs=0.1 * (high - low))
    naive = mean_interval(prediction, label, np.arange(600), seed=1)
    assert naive.high - naive.low < 0.9 * (found.high - found.low)


def test_of_one_column_it_is_the_interval_of_the_correlation():
    prediction, label = simulated(np.random.default_rng(0), 800, 1, per_cluster=2)
    cluster = np.repeat(np.arange(400), 2)
    exact = correlation_interval(prediction[:, 0], label[:, 0], cluster, "spearman", resamples=2000, seed=3)
    found = mean_interval(prediction, label, cluster, resamples=2000, seed=3)
    assert found.value == pytest.approx(exact.value, abs=1e-15)
    assert [found.low, found.high] == pytest.approx([exact.low, exact.high], abs=0.06 * (exact.high - exact.low))


def test_targets_that_go_together_make_the_interval_wider_than_independent_ones_do():
    random = np.random.default_rng(0)
    prediction, label = simulated(random, 400, 1)
    copies = mean_interval(prediction.repeat(9, axis=1), label.repeat(9, axis=1), np.arange(400), seed=1)
    alone = mean_interval(prediction, label, np.arange(400), seed=1)
    assert copies[:3] == pytest.approx(alone[:3], abs=1e-12)
    apart = mean_interval(random.normal(size=(400, 9)), random.normal(size=(400, 9)), np.arange(400), seed=1)
    assert (apart.high - apart.low) / (alone.high - alone.low) == pytest.approx(1 / 3, rel=0.25)


def test_the_level_sets_the_width_and_the_seed_the_draws():
    prediction, label = simulated(np.random.default_rng(0), 300, 3)
    wide, narrow = (mean_interval(prediction, label, np.arange(300), seed=1, level=level) for level in (0.95, 0.5))
    ratio = stats.norm.ppf(0.975) / stats.norm.ppf(0.75)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(ratio, rel=0.06)
    again, other = (mean_interval(prediction, label, np.arange(300), seed=seed) for seed in (1, 2))
    assert again == wide != other


def test_the_p_value_is_the_share_of_all_swaps_of_clusters_in_all_columns_at_once():
    random = np.random.default_rng(3)
    cluster = random.permutation(np.repeat(np.arange(7), 3))
    a, label = simulated(random, 21, 3, noise=0.2)
    b = 10 + 3 * random.normal(size=label.shape)  # in another unit
    first, second = (stats.rankdata(part, axis=0) for part in (a, b))

    def difference(is_kept):
        kept = np.array(is_kept)[cluster][:, None] == 1
        mixtures = np.where(kept, first, second), np.where(kept, second, first)
        graded = stats.rankdata(label, axis=0)
        of = [[stats.pearsonr(part[:, i], graded[:, i]).statistic for i in range(3)] for part in mixtures]
        return np.mean(of[0]) - np.mean(of[1])

    observed = mean_value(a, label) - mean_value(b, label)
    exact = np.mean([abs(difference(kept)) >= abs(observed) - 1e-9 for kept in product([0, 1], repeat=7)])
    found = paired_means(a, b, label, cluster, resamples=20_000, seed=0)
    assert found.difference == pytest.approx(observed, abs=1e-12) and found.n_columns == 3
    assert 0.005 < exact < 0.5
    assert found.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))


def test_of_one_column_it_is_the_comparison_of_correlations():
    random = np.random.default_rng(1)
    a, label = simulated(random, 400, 1, per_cluster=2)
    b = a + 0.8 * random.normal(size=a.shape)
    cluster = np.repeat(np.arange(200), 2)
    one = paired_correlations(a[:, 0], b[:, 0], label[:, 0], cluster, "spearman", resamples=4000, seed=0)
    found = paired_means(a, b, label, cluster, resamples=4000, seed=0)
    assert found.difference == pytest.approx(one.difference, abs=1e-12)
    assert [found.low, found.high] == pytest.approx([one.low, one.high], abs=0.1 * (one.high - one.low))
    assert found.p_value == pytest.approx(one.p_value, abs=0.02)


def test_p_is_uniform_and_the_interval_holds_zero_when_the_systems_are_equally_good():
    random = np.random.default_rng(0)
    cluster, found = np.repeat(np.arange(40), 3), []
    for trial in range(150):
        label = random.normal(size=(120, 3)) + random.normal(size=(120, 1))
        a, b = (label + random.normal(size=(40, 3))[cluster] + random.normal(size=label.shape) for _ in range(2))
        found.append(paired_means(a, np.exp(b), label, cluster, resamples=200, seed=trial))
    assert stats.kstest([one.p_value for one in found], "uniform").pvalue > 0.01
    assert 0.90 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 0.985


def test_a_better_system_is_found_and_the_mirror_image_says_so_too():
    random = np.random.default_rng(0)
    a, label = simulated(random, 300, 4, noise=0.3)
    b = label + random.normal(size=label.shape)
    forth = paired_means(a, b, label, np.arange(300), resamples=999, seed=0)
    back = paired_means(b, a, label, np.arange(300), resamples=999, seed=0)
    assert forth.low > 0 and forth.p_value == 1 / 1000
    assert back[:4] == pytest.approx((-forth.difference, -forth.high, -forth.low, forth.p_value))
    same = paired_means(a, 2 * a, label, np.arange(300), resamples=999, seed=0)
    assert same[:4] == pytest.approx((0.0, 0.0, 0.0, 1.0), abs=1e-12)


def test_a_column_that_one_system_leaves_undefined_counts_for_neither():
    random = np.random.default_rng(0)
    a, label = simulated(random, 200, 3)
    b = a + random.normal(size=a.shape)
    a[:, 1] = 0.5
    found = paired_means(a, b, label, np.arange(200), resamples=500, seed=0)
    assert found == paired_means(a[:, ::2], b[:, ::2], label[:, ::2], np.arange(200), resamples=500, seed=0)
    assert found.n_columns == 2
    own = mean_interval(a, label, np.arange(200), resamples=500, seed=0)
    assert own == mean_interval(a[:, ::2], label[:, ::2], np.arange(200), resamples=500, seed=0)


def test_what_is_undefined_has_no_bounds_and_its_reason():
    random = np.random.default_rng(0)
    flat, some, label = np.ones((9, 2)), random.random((9, 2)), random.random((9, 2))
    assert mean_interval(flat, label, np.arange(9), seed=0) == (None, None, None, "constant predictions")
    nothing = (None, None, None, None, 0)
    assert paired_means(some, flat, label, np.arange(9), seed=0) == (*nothing, "b: constant predictions")
    assert paired_means(flat, flat, label, np.arange(9), seed=0) == (*nothing, "a: constant predictions")
    assert paired_means(some, some, flat, np.arange(9), seed=0) == (*nothing, "a: constant labels")
    assert mean_interval(np.empty((9, 0)), np.empty((9, 0)), np.arange(9), seed=0).reason == "no column"


def test_one_cluster_has_no_interval_and_p_one():
    prediction, label = simulated(np.random.default_rng(0), 20, 2)
    value = mean_value(prediction, label)
    assert mean_interval(prediction, label, np.zeros(20), seed=0) == (pytest.approx(value), None, None, "")
    found = paired_means(prediction, label, label, np.zeros(20), resamples=99, seed=0)
    assert (found.low, found.high, found.p_value) == (None, None, 1.0) and isinstance(found.difference, float)


def test_clusters_of_another_length_are_refused():
    prediction, label = simulated(np.random.default_rng(0), 20, 2)
    with pytest.raises(AssertionError, match="clusters"):
        mean_interval(prediction, label, np.arange(19), seed=0)


def test_the_reasons_are_those_of_the_correlation():
    assert column_spearman([[1.0]], [[1.0]]) == [Correlation(None, "fewer than two rows")]
