"""Intervals and p-values of correlations: resamples ranked anew, all swaps, the jackknife, simulated coverage."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from whyrank.measure.metrics import correlation
from whyrank.measure.metrics.correlation import influence, spearman
from whyrank.measure.significance.statistics import Resampled, mean_of, resample_spearman

DRAW = {"resamples": 500, "seed": 3}


def interval(prediction, label, cluster, level=0.95, **draw):
    return resample_spearman({"a": prediction}, label, cluster, **({"seed": 1} | draw)).interval("a", level)


def compared(a, b, label, cluster, **draw):
    return resample_spearman({"a": a, "b": b}, label, cluster, [("a", "b")], **draw).comparison("a", "b", 0.95)


def mean_value(prediction, label):
    return np.mean([one.value for one in correlation.columns(prediction, label) if one.value is not None])


def ranked_anew(statistic, n_clusters, per_cluster=1, resamples=1000):
    """Bounds of the statistic of rows drawn by hand: whole clusters of neighbouring rows."""
    random = np.random.default_rng(5)
    draws = random.integers(n_clusters, size=(resamples, n_clusters))
    values = [statistic((per_cluster * draw[:, None] + np.arange(per_cluster)).ravel()) for draw in draws]
    return np.quantile(values, [0.025, 0.975])


def simulated(random, rows, columns=1, noise=1.0, per_cluster=1):
    """Labels of two to nine grades and predictions that follow them; a cluster shares labels and half the noise."""
    clusters = rows // per_cluster
    label = np.stack([random.integers(0, 2 + i % 8, clusters) / (1 + i % 8) for i in range(3, columns + 3)], axis=1)
    label, shared = (part.repeat(per_cluster, axis=0) for part in (label, random.normal(size=label.shape)))
    return label + noise * (random.normal(size=label.shape) + shared), label


def systems(n, noise=(0.5, 1.0), seed=0):
    """Labels of a few levels, as people give them, and predictions with so much noise, some of them tied."""
    random = np.random.default_rng(seed)
    label = np.round(2 * random.standard_normal(n)) / 4
    return {
        name: np.round(label + s * random.standard_normal(n), 2) for name, s in zip("abc", noise, strict=False)
    }, label


def test_influence_is_what_leaving_a_row_out_takes_away():
    predictions, label = systems(400)
    found = influence(predictions["a"], label)
    whole = spearman(predictions["a"], label).value
    rows = np.arange(400)
    left_out = [spearman(predictions["a"][rows != i], label[rows != i]).value for i in range(40)]
    # They differ by terms of the order 1 / N.
    np.testing.assert_allclose(found[:40], 399 * (whole - np.array(left_out)), atol=0.02)
    assert found.mean() == pytest.approx(0, abs=1e-12) and found.std() > 0.3


def test_influence_of_rows_in_perfect_order_is_nothing():
    label = np.arange(20.0)
    np.testing.assert_allclose(influence(label**3, label), 0, atol=1e-12)


@pytest.mark.parametrize(("noise", "n"), [(0.3, 60), (1.0, 60), (0.3, 600), (1.0, 600)])
def test_bounds_of_a_list_are_those_of_the_bootstrap_that_ranks_anew(noise, n):
    predictions, label = systems(n, (noise,))
    value, low, high = interval(predictions["a"], label, np.arange(n))
    assert value == spearman(predictions["a"], label).value
    bounds = ranked_anew(lambda rows: spearman(predictions["a"][rows], label[rows]).value, n)
    assert [low, high] == pytest.approx(bounds, abs=(0.2 if n < 100 else 0.08) * np.ptp(bounds))


def test_bounds_of_columns_and_of_their_mean_are_those_of_clusters_ranked_anew():
    random = np.random.default_rng(0)
    prediction, label = simulated(random, 600, 4, per_cluster=3)
    label[:, 3] = random.permutation(600) < 20  # a rare target
    prediction[:, 3] += 4 * label[:, 3]
    found = resample_spearman({"a": prediction}, label, np.arange(600) // 3, seed=1)
    mean = found.interval("a", 0.95)
    bounds = ranked_anew(lambda rows: mean_value(prediction[rows], label[rows]), 200, 3)
    assert mean.mean == pytest.approx(mean_value(prediction, label), abs=1e-15)
    assert mean[1:] == pytest.approx(bounds, abs=0.1 * np.ptp(bounds))
    column = found.interval("a", 0.95, 1)
    bounds = ranked_anew(lambda rows: spearman(prediction[rows, 1], label[rows, 1]).value, 200, 3)
    assert column[1:] == pytest.approx(bounds, abs=0.1 * np.ptp(bounds))
    naive = interval(prediction, label, np.arange(600))
    assert naive.high - naive.low < 0.9 * (mean.high - mean.low)


def test_the_unclustered_interval_is_that_of_fisher():
    random = np.random.default_rng(0)
    label = random.normal(size=800)
    value, low, high = interval(label + random.normal(size=800), label, np.arange(800), resamples=4000)
    half = 1.96 / np.sqrt(797) * np.sqrt(1 + value**2 / 2)  # Bonett and Wright
    centre = np.arctanh(value)
    assert np.arctanh([low, high]) == pytest.approx([centre - half, centre + half], abs=0.2 * half)


def test_the_interval_covers_the_true_correlation_as_often_as_it_says_and_the_naive_one_does_not():
    random = np.random.default_rng(0)
    # Normal variables of correlation 0.9 x 0.6, rows of a cluster near copies. Spearman's is 6/pi arcsin(r/2).
    truth = 6 / np.pi * np.arcsin(0.27)
    cluster_N = np.repeat(np.arange(80), 4)
    clustered, naive = 0, 0
    for trial in range(300):
        label_C = random.normal(size=80)
        prediction_C = 0.6 * label_C + 0.8 * random.normal(size=80)
        label, prediction = (
            np.sqrt(0.9) * part_C[cluster_N] + np.sqrt(0.1) * rest
            for part_C, rest in ((label_C, random.normal(size=320)), (prediction_C, random.normal(size=320)))
        )
        _, low, high = interval(prediction, label, cluster_N, resamples=400, seed=trial)
        clustered += low <= truth <= high
        _, low, high = interval(prediction, label, np.arange(320), resamples=400, seed=trial)
        naive += low <= truth <= high
    # Binomial noise of 300 trials is 1.3 points; percentile intervals of 80 clusters fall a little short.
    assert 0.90 <= clustered / 300 <= 0.98
    assert naive / 300 < 0.80


def test_copied_rows_do_not_narrow_the_clustered_interval():
    prediction, label = simulated(np.random.default_rng(0), 150)
    copies = np.repeat(np.arange(150), 4)
    once = interval(prediction, label, np.arange(150))
    clustered = interval(prediction[copies], label[copies], copies)
    naive = interval(prediction[copies], label[copies], np.arange(600))
    assert clustered == pytest.approx(once, abs=1e-12)
    assert (clustered.high - clustered.low) / (naive.high - naive.low) == pytest.approx(2.0, rel=0.1)  # sqrt(4)


def test_targets_that_go_together_make_the_interval_wider_than_independent_ones_do():
    random = np.random.default_rng(0)
    prediction, label = simulated(random, 400)
    copies = interval(prediction.repeat(9, axis=1), label.repeat(9, axis=1), np.arange(400))
    alone = interval(prediction, label, np.arange(400))
    assert copies == pytest.approx(alone, abs=0.003)  # the bounds of a single column are taken in z
    apart = interval(random.normal(size=(400, 9)), random.normal(size=(400, 9)), np.arange(400))
    assert (apart.high - apart.low) / (alone.high - alone.low) == pytest.approx(1 / 3, rel=0.25)


def test_the_level_sets_the_width_and_the_seed_the_draws():
    prediction, label = simulated(np.random.default_rng(0), 300, 3)
    wide, narrow = (interval(prediction, label, np.arange(300), level) for level in (0.95, 0.5))
    ratio = stats.norm.ppf(0.975) / stats.norm.ppf(0.75)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(ratio, rel=0.06)
    again, other = (interval(prediction, label, np.arange(300), seed=seed) for seed in (1, 2))
    assert again == wide != other


@pytest.mark.parametrize("columns", [1, 3])
def test_the_p_value_is_the_share_of_all_swaps_of_clusters_in_all_columns_at_once(columns):
    random = np.random.default_rng(3)
    cluster = random.permutation(np.repeat(np.arange(7), 3))
    a, label = simulated(random, 21, columns, noise=0.2)
    b = 10 + 3 * random.normal(size=label.shape)  # in another unit
    first, second, graded = (stats.rankdata(part, axis=0) for part in (a, b, label))

    def difference(is_kept):
        kept = np.array(is_kept)[cluster][:, None] == 1
        mixtures = np.where(kept, first, second), np.where(kept, second, first)
        of = [[stats.pearsonr(part[:, i], graded[:, i]).statistic for i in range(columns)] for part in mixtures]
        return np.mean(of[0]) - np.mean(of[1])

    observed = mean_value(a, label) - mean_value(b, label)
    exact = np.mean([abs(difference(kept)) >= abs(observed) - 1e-9 for kept in product([0, 1], repeat=7)])
    found = compared(a, b, label, cluster, resamples=20_000, seed=0)
    assert found.difference == pytest.approx(observed, abs=1e-12)
    assert 0.005 < exact < 0.5
    assert found.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))


@pytest.mark.parametrize("columns", [1, 3])
def test_p_is_uniform_and_the_interval_holds_zero_when_the_systems_are_equally_good(columns):
    random = np.random.default_rng(0)
    cluster, found = np.repeat(np.arange(40), 3), []
    for trial in range(200):
        label = random.normal(size=(120, columns)) + random.normal(size=(120, 1))
        # Both systems err per cluster; the one has another shape.
        a, b = (label + random.normal(size=(40, columns))[cluster] + random.normal(size=label.shape) for _ in range(2))
        found.append(compared(a, np.exp(b), label, cluster, resamples=200, seed=trial))
    assert stats.kstest([one.p_value for one in found], "uniform").pvalue > 0.01
    assert 0.90 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 0.985


def test_a_better_system_is_found_and_the_mirror_image_says_so_too():
    random = np.random.default_rng(0)
    a, label = simulated(random, 300, 4, noise=0.3)
    b = label + random.normal(size=label.shape)
    forth = compared(a, b, label, np.arange(300), resamples=999, seed=0)
    back = compared(b, a, label, np.arange(300), resamples=999, seed=0)
    assert forth.low > 0 and forth.p_value == 1 / 1000
    assert back == pytest.approx((-forth.difference, -forth.high, -forth.low, forth.p_value))


def test_two_systems_that_order_alike_differ_by_nothing_and_p_is_one():
    predictions, label = systems(50)
    assert compared(predictions["a"], np.exp(predictions["a"]), label, np.arange(50), **DRAW) == (0, 0, 0, 1)


def test_a_perfect_order_has_no_room_in_any_resample_and_bounds_never_leave_the_range():
    label = np.arange(30.0)
    assert interval(label, label, np.arange(30)) == pytest.approx((1.0, 1.0, 1.0))
    nearly = label.copy()
    nearly[[3, 4]] = nearly[[4, 3]]
    value, low, high = interval(nearly, label, np.arange(30), 0.99)
    assert 0 < low < value < high < 1


def test_swaps_that_leave_a_system_constant_count_as_extreme():
    assert compared([1, 2], [2, 1], [0, 1], np.arange(2), resamples=1000, seed=0).p_value == 1.0


def test_a_column_that_one_system_leaves_undefined_counts_for_neither():
    random = np.random.default_rng(0)
    a, label = simulated(random, 200, 3)
    b = a + random.normal(size=a.shape)
    a[:, 1] = 0.5
    rows = np.arange(200)
    assert compared(a, b, label, rows, **DRAW) == compared(a[:, ::2], b[:, ::2], label[:, ::2], rows, **DRAW)
    assert interval(a, label, rows) == interval(a[:, ::2], label[:, ::2], rows)
    found = resample_spearman({"a": a, "b": b}, label, rows, **DRAW)
    assert np.isnan(found.interval("a", 0.95, 1)).all() and found.reason["a"] == ["", "constant predictions", ""]
    assert found.why("a", "b") == ""


def test_what_is_undefined_is_nan_with_its_reason_and_leaves_the_others_alone():
    predictions, label = systems(50)
    pairs = [("a", "b"), ("a", "flat"), ("flat", "a")]
    found = resample_spearman(predictions | {"flat": np.ones(50)}, label, np.arange(50), pairs, **DRAW)
    alone = resample_spearman(predictions, label, np.arange(50), pairs[:1], **DRAW)
    assert np.isnan(found.interval("flat", 0.95)).all() and np.isnan(found.comparison("a", "flat", 0.95)).all()
    assert found.why("a", "flat") == found.why("flat", "a") == found.why("flat") == "flat: constant predictions"
    assert found.comparison("a", "b", 0.95) == pytest.approx(alone.comparison("a", "b", 0.95), abs=1e-12)
    flat = resample_spearman(predictions, np.ones(50), np.arange(50), pairs[:1], **DRAW)
    assert flat.why("a", "b") == "a: constant labels"
    assert resample_spearman({"a": [1.0]}, [1.0], [0], **DRAW).why("a") == "a: fewer than two rows"
    empty = np.empty((9, 0))
    assert resample_spearman({"a": empty}, empty, np.arange(9), **DRAW).why("a") == "no column"


def test_one_cluster_has_a_value_no_bounds_and_p_one():
    prediction, label = simulated(np.random.default_rng(0), 20, 2)
    value, low, high = interval(prediction, label, np.zeros(20))
    assert value == pytest.approx(mean_value(prediction, label)) and np.isnan([low, high]).all()
    found = compared(prediction, label, label, np.zeros(20), resamples=99, seed=0)
    assert np.isnan([found.low, found.high]).all() and found.p_value == 1.0 and found.difference < 0


def test_clusters_of_another_length_are_refused():
    prediction, label = simulated(np.random.default_rng(0), 20, 2)
    with pytest.raises(AssertionError, match="clusters"):
        interval(prediction, label, np.arange(19))


def lists(n, **options) -> Resampled:
    predictions, label = systems(n, seed=5)
    return resample_spearman(predictions, label, np.arange(n), [("a", "b")], **options)


def test_the_mean_over_lists_averages_values_and_its_interval_narrows_with_their_number():
    # The same list four times, resampled independently.
    parts = {f"list-{i}": lists(200, resamples=4000, seed=1, stratum=i) for i in range(4)}
    one, mean = parts["list-0"], mean_of(parts)
    assert mean.value["a"] == pytest.approx(one.value["a"])
    widths = [np.ptp(part.comparison("a", "b", 0.95)[1:3]) for part in (one, mean)]
    assert widths[1] == pytest.approx(widths[0] / 2, rel=0.06)
    # A difference that is as large on four lists that agree is surer than on one.
    assert mean.comparison("a", "b", 0.95).p_value <= one.comparison("a", "b", 0.95).p_value


def test_a_system_that_is_undefined_on_one_list_has_no_mean_and_the_list_is_named():
    predictions, label = systems(50)
    pairs = [("a", "b")]
    whole = resample_spearman(predictions, label, np.arange(50), pairs, **DRAW)
    flat = resample_spearman(predictions | {"b": np.ones(50)}, label, np.arange(50), pairs, stratum=1, **DRAW)
    mean = mean_of({"sts12": whole, "stsb": flat})
    assert mean.why("b") == "b: stsb: constant predictions"
    assert np.isnan(mean.comparison("a", "b", 0.95)).all() and mean.interval("a", 0.95).low < mean.value["a"][0]
