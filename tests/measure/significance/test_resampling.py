"""Intervals and p-values against closed forms, exact enumeration, scipy and simulated coverage."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from whyrank.measure.significance import resampling
from whyrank.measure.significance.resampling import holm
from whyrank.measure.significance.statistics import mean_interval, resample_means


def compared(a_Q, b_Q, cluster_Q, **draw):
    return resample_means({"a": a_Q, "b": b_Q}, cluster_Q, [("a", "b")], **draw).comparison("a", "b", 0.95)


def test_the_unclustered_interval_is_the_normal_approximation_of_the_mean():
    values_Q = np.random.default_rng(0).normal(3.0, 2.0, 400)
    interval = mean_interval(values_Q, np.arange(400), seed=1)
    half = 1.96 * values_Q.std() / np.sqrt(400)
    assert interval.mean == pytest.approx(values_Q.mean())
    # 10,000 resamples place a 2.5 % point to about 0.03 standard errors.
    assert interval.low == pytest.approx(values_Q.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(values_Q.mean() + half, abs=0.1 * half)


def test_the_level_sets_the_width():
    values_Q = np.random.default_rng(0).normal(size=300)
    wide, narrow = (mean_interval(values_Q, np.arange(300), seed=1, level=level) for level in (0.95, 0.5))
    ratio = stats.norm.ppf(0.975) / stats.norm.ppf(0.75)  # 1.960 / 0.674
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(ratio, rel=0.05)


def test_a_resampled_mean_is_over_queries_so_clusters_weigh_by_size():
    # Clusters of 1 and 3 queries: drawn twice the first gives 0, one of each 3/4 of 1, twice the second 1.
    interval = mean_interval([0.0, 1, 1, 1], ["x", "y", "y", "y"], seed=0)
    assert interval == (0.75, 0.0, 1.0)
    half = mean_interval([0.0, 1, 1, 1], ["x", "y", "y", "y"], seed=0, level=0.4)  # middle half of the draws
    assert (half.low, half.high) == (0.75, 0.75)


def test_duplicated_queries_do_not_narrow_the_clustered_interval():
    values_Q = np.random.default_rng(0).normal(size=200)
    once = mean_interval(values_Q, np.arange(200), seed=1)
    clustered = mean_interval(np.repeat(values_Q, 4), np.repeat(np.arange(200), 4), seed=1)
    naive = mean_interval(np.repeat(values_Q, 4), np.arange(800), seed=1)
    np.testing.assert_allclose(clustered, once)
    assert (clustered.high - clustered.low) / (naive.high - naive.low) == pytest.approx(2.0, rel=0.06)  # sqrt(4)


def test_the_clustered_interval_covers_the_true_mean_as_often_as_it_says_and_the_naive_one_does_not():
    rng = np.random.default_rng(0)
    cluster_Q = np.repeat(np.arange(60), rng.integers(1, 8, 60))
    clustered, naive = 0, 0
    for trial in range(300):
        values_Q = rng.normal(size=60)[cluster_Q] + rng.normal(size=len(cluster_Q))
        low, high = mean_interval(values_Q, cluster_Q, resamples=400, seed=trial)[1:]
        clustered += low <= 0 <= high
        low, high = mean_interval(values_Q, np.arange(len(values_Q)), resamples=400, seed=trial)[1:]
        naive += low <= 0 <= high
    # Binomial noise of 300 trials is 1.3 points; percentile intervals of 60 clusters fall about 1 point short.
    assert 0.90 <= clustered / 300 <= 0.98
    assert naive / 300 < 0.85


def test_the_p_value_matches_all_sign_flips_of_few_clusters():
    rng = np.random.default_rng(3)
    cluster_Q = np.repeat(np.arange(7), 3)
    a_Q, b_Q = rng.normal(0.5, 1, 21), rng.normal(0, 1, 21)
    sum_C = np.bincount(cluster_Q, weights=a_Q - b_Q)
    flipped = [abs(np.dot(signs, sum_C)) for signs in product([-1, 1], repeat=7)]
    exact = np.mean(np.array(flipped) >= abs(sum_C.sum()) - 1e-9)
    comparison = compared(a_Q, b_Q, cluster_Q, resamples=20_000, seed=0)
    assert 0.02 < exact < 0.5
    assert comparison.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))
    assert comparison.difference == pytest.approx((a_Q - b_Q).mean())


def test_the_unclustered_p_value_agrees_with_scipy_permutation_test():
    rng = np.random.default_rng(1)
    a_Q, b_Q = rng.normal(0.25, 1, 80), rng.normal(0, 1, 80)
    theirs = stats.permutation_test(
        (a_Q, b_Q),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9_999,
        rng=np.random.default_rng(0),
    )
    ours = compared(a_Q, b_Q, np.arange(80), resamples=9_999, seed=0)
    assert 0.01 < theirs.pvalue < 0.5
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=0.015)


def test_p_is_uniform_when_the_systems_do_not_differ():
    rng = np.random.default_rng(0)
    cluster_Q = np.repeat(np.arange(30), 3)
    p_values = [
        compared(rng.normal(size=30)[cluster_Q], np.zeros(90), cluster_Q, resamples=200, seed=s).p_value
        for s in range(300)
    ]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_equal_systems_have_p_one_and_the_best_p_is_one_over_resamples_plus_one():
    a_Q = np.random.default_rng(0).random(100)
    same = compared(a_Q, a_Q, np.arange(100), resamples=999, seed=0)
    assert same == (0.0, 0.0, 0.0, 1.0)
    better = compared(a_Q + 1.0, a_Q, np.arange(100), resamples=999, seed=0)
    assert better.p_value == 1 / 1000
    assert better.low == pytest.approx(1.0)


def test_flips_equal_to_the_observed_difference_count_despite_rounding():
    # All clusters differ by 0.1: with 3 clusters 2 of the 8 flips are as extreme, p = 1/4.
    comparison = compared([0.1] * 3, [0.0, 0.0, 0.0], np.arange(3), resamples=20_000, seed=0)
    assert comparison.p_value == pytest.approx(0.25, abs=0.015)


def test_the_unit_of_the_values_does_not_move_the_p_value():
    whole_Q = np.random.default_rng(0).integers(-3, 5, 12).astype(float)  # whole numbers add without rounding
    for unit in (0.1, 0.3, 1e-7):
        p_values = [compared(v, np.zeros(12), np.arange(12), seed=0).p_value for v in (whole_Q, unit * whole_Q)]
        assert p_values[0] == p_values[1]


def test_swapping_the_systems_mirrors_the_comparison():
    rng = np.random.default_rng(0)
    a_Q, b_Q, cluster_Q = rng.random(60), rng.random(60), np.arange(60) // 2
    forth = compared(a_Q, b_Q, cluster_Q, seed=5)
    back = compared(b_Q, a_Q, cluster_Q, seed=5)
    np.testing.assert_allclose(
        [back.difference, back.low, back.high], [-forth.difference, -forth.high, -forth.low], atol=1e-12
    )
    assert back.p_value == forth.p_value


def test_a_query_that_is_nan_in_either_system_is_left_out_of_both():
    a_Q, b_Q = np.array([1.0, np.nan, 3, 4, 5]), np.array([0.0, 1, np.nan, 1, 1])
    comparison = compared(a_Q, b_Q, np.array(["u", "v", "w", "x", "x"]), seed=0)
    assert comparison.difference == pytest.approx((1 + 3 + 4) / 3)


def test_with_fewer_than_two_clusters_the_bounds_are_nan():
    one = compared([1.0, 2.0], [0.0, 0.0], [7, 7], seed=0)
    assert one.difference == 1.5 and one.p_value == 1.0
    assert np.isnan([one.low, one.high]).all()
    none = compared([np.nan], [0.0], [7], seed=0)
    assert np.isnan([none.difference, none.low, none.high, none.p_value]).all()


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    values_Q = np.random.default_rng(0).random(50)
    first, again, other = (mean_interval(values_Q, np.arange(50), resamples=500, seed=s) for s in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("metrics", [1, 3])
def test_the_size_of_a_block_changes_no_resample(monkeypatch, metrics):
    random = np.random.default_rng(0)
    values, cluster_Q = {name: random.random((90, metrics)) for name in "ab"}, np.arange(90) // 2
    whole = resample_means(values, cluster_Q, resamples=333, seed=0)
    monkeypatch.setattr(resampling, "BLOCK_DRAWS", 1000)
    blocked = resample_means(values, cluster_Q, resamples=333, seed=0)
    assert blocked.sample["b"].shape == (333, metrics)
    np.testing.assert_allclose(blocked.sample["b"], whole.sample["b"], rtol=1e-12)


def test_several_systems_and_metrics_share_the_resamples_of_each_alone():
    random = np.random.default_rng(0)
    values, cluster_Q = {name: random.random((90, 3)) for name in "ab"}, np.arange(90) // 2
    both = resample_means(values, cluster_Q, resamples=500, seed=0)
    for name in "ab":
        for i in range(3):
            alone = mean_interval(values[name][:, i], cluster_Q, resamples=500, seed=0)
            assert both.interval(name, 0.95, i) == pytest.approx(alone, abs=1e-12)


def test_holm_worked_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04; the last is lifted to 0.06.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.5, 0.9]), [1.0, 1.0])
    np.testing.assert_allclose(holm([0.02, np.nan, 0.04]), [0.04, np.nan, 0.04])
    assert holm([]).shape == (0,)
