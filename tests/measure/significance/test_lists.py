"""The linearised bootstrap of Spearman against the one that ranks anew, jackknife, and the swaps of the slow test."""

import numpy as np
import pytest

from whyrank.measure.metrics.correlation import spearman
from whyrank.measure.significance.lists import influence, mean_of, resampled_list
from whyrank.measure.significance.reranked import correlation_interval, paired_correlations

DRAW = {"resamples": 500, "seed": 3}


def systems(n, noise=(0.5, 1.0), seed=0):
    """Labels of a few levels, as people give them, and predictions with so much noise, some of them tied."""
    random = np.random.default_rng(seed)
    label = np.round(2 * random.standard_normal(n)) / 4
    names = ("a", "b", "c")
    return {
        name: np.round(label + s * random.standard_normal(n), 2) for name, s in zip(names, noise, strict=False)
    }, label


def test_influence_is_what_leaving_a_row_out_takes_away():
    predictions, label = systems(400)
    found = influence(predictions["a"], label)
    whole = spearman(predictions["a"], label).value
    rows = np.arange(400)
    left_out = [spearman(predictions["a"][rows != i], label[rows != i]).value for i in range(40)]
    jackknife = 399 * (whole - np.array(left_out))
    # They differ by terms of the order 1 / N.
    np.testing.assert_allclose(found[:40], jackknife, atol=0.02)
    assert found.mean() == pytest.approx(0, abs=1e-12) and found.std() > 0.3


def test_influence_of_rows_in_perfect_order_is_nothing():
    label = np.arange(20.0)
    np.testing.assert_allclose(influence(label**3, label), 0, atol=1e-12)


@pytest.mark.parametrize(("noise", "n"), [(0.3, 60), (1.0, 60), (0.3, 600), (1.0, 600)])
def test_bounds_are_those_of_the_bootstrap_that_ranks_anew(noise, n):
    predictions, label = systems(n, (noise,))
    fast = resampled_list(predictions, label, [], resamples=2000, seed=1).interval("a", 0.95)
    slow = correlation_interval(predictions["a"], label, np.arange(n), "spearman", resamples=2000, seed=1)
    assert fast.value == slow.value
    width = slow.high - slow.low
    assert fast.low == pytest.approx(slow.low, abs=0.15 * width if n < 100 else 0.05 * width)
    assert fast.high == pytest.approx(slow.high, abs=0.15 * width if n < 100 else 0.05 * width)


def test_difference_and_p_are_those_of_the_paired_test():
    predictions, label = systems(300, (0.8, 0.85))
    fast = resampled_list(predictions, label, [("a", "b")], **DRAW).comparison("a", "b", 0.95)
    slow = paired_correlations(predictions["a"], predictions["b"], label, np.arange(300), "spearman", **DRAW)
    assert fast.difference == slow.difference
    assert fast.p_value == slow.p_value
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), abs=0.1 * (slow.high - slow.low))


def test_a_perfect_order_has_no_room_in_any_resample_and_bounds_never_leave_the_range():
    label = np.arange(30.0)
    exact = resampled_list({"a": label}, label, [], **DRAW).interval("a", 0.95)
    assert exact == pytest.approx((1.0, 1.0, 1.0))
    nearly = label.copy()
    nearly[[3, 4]] = nearly[[4, 3]]
    value, low, high = resampled_list({"a": nearly}, label, [], **DRAW).interval("a", 0.99)
    assert 0 < low < value < high < 1


def test_two_systems_that_order_alike_differ_by_nothing_and_p_is_one():
    predictions, label = systems(50)
    both = {"a": predictions["a"], "b": np.exp(predictions["a"])}
    assert resampled_list(both, label, [("a", "b")], **DRAW).comparison("a", "b", 0.95) == (0, 0, 0, 1)


def test_a_constant_system_is_undefined_with_its_reason_and_leaves_the_others_alone():
    predictions, label = systems(50)
    found = resampled_list(predictions | {"flat": np.ones(50)}, label, [("a", "b"), ("a", "flat")], **DRAW)
    alone = resampled_list(predictions, label, [("a", "b")], **DRAW)
    assert found.interval("flat", 0.95) is None and found.comparison("a", "flat", 0.95) is None
    assert found.found["flat"].reason == "constant predictions"
    assert found.comparison("a", "b", 0.95) == alone.comparison("a", "b", 0.95)
    assert resampled_list(predictions, np.ones(50), [("a", "b")], **DRAW).interval("a", 0.95) is None


def test_the_mean_over_lists_averages_values_and_its_interval_narrows_with_their_number():
    lists = {}
    for number in range(4):
        predictions, label = systems(200, seed=5)  # the same list four times, resampled independently
        lists[f"list-{number}"] = resampled_list(
            predictions, label, [("a", "b")], resamples=4000, seed=1, stratum=number
        )
    one, mean = lists["list-0"], mean_of(lists)
    assert mean.found["a"].value == pytest.approx(one.found["a"].value)
    widths = [np.ptp(part.comparison("a", "b", 0.95)[1:3]) for part in (one, mean)]
    assert widths[1] == pytest.approx(widths[0] / 2, rel=0.06)
    # A difference that is as large on four lists that agree is surer than on one.
    assert mean.comparison("a", "b", 0.95).p_value <= one.comparison("a", "b", 0.95).p_value


def test_a_system_that_is_undefined_on_one_list_has_no_mean_and_the_list_is_named():
    predictions, label = systems(50)
    whole = resampled_list(predictions, label, [("a", "b")], **DRAW)
    flat = resampled_list(predictions | {"b": np.ones(50)}, label, [("a", "b")], stratum=1, **DRAW)
    mean = mean_of({"sts12": whole, "stsb": flat})
    assert mean.found["b"].value is None and mean.found["b"].reason == "stsb: constant predictions"
    assert mean.comparison("a", "b", 0.95) is None and mean.interval("a", 0.95) is not None
