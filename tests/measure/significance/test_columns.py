"""Intervals of many columns at once: those of the bootstrap that ranks every resample anew."""

import numpy as np
import pytest

from whyrank.measure.significance.columns import column_intervals
from whyrank.measure.significance.reranked import correlation_interval


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    cluster_N = np.arange(600) // 3
    label_NT = random.random((600, 3)) + 0.3 * random.random(200)[cluster_N][:, None]
    label_NT[:, 1] = np.round(3 * label_NT[:, 1]) / 3
    return label_NT + random.standard_normal(label_NT.shape) * [0.3, 0.6, 3.0], label_NT, cluster_N


def test_bounds_are_those_of_the_bootstrap_that_ranks_anew(rows):
    prediction_NT, label_NT, cluster_N = rows
    found = column_intervals(*rows, resamples=2000, seed=0)
    for t, (low, high) in enumerate(found):
        exact = correlation_interval(prediction_NT[:, t], label_NT[:, t], cluster_N, "spearman", resamples=2000, seed=0)
        assert (low, high) == pytest.approx((exact.low, exact.high), abs=0.01)


def test_an_undefined_column_has_none_and_leaves_the_others_alone(rows):
    prediction_NT, label_NT, cluster_N = rows
    flat_NT = prediction_NT.copy()
    flat_NT[:, 1] = 1.0
    found = column_intervals(flat_NT, label_NT, cluster_N, resamples=100, seed=0)
    whole = column_intervals(*rows, resamples=100, seed=0)
    assert found == [whole[0], None, whole[2]]


def test_one_cluster_has_no_bounds(rows):
    assert column_intervals(*rows[:2], np.zeros(600), resamples=10, seed=0) == [None] * 3


def test_rows_of_a_cluster_that_repeat_each_other_widen_the_bounds(rows):
    thrice = [np.repeat(part, 3, axis=0) for part in rows[:2]]
    alone = column_intervals(*thrice, np.arange(1800), resamples=500, seed=0)
    together = column_intervals(*thrice, np.repeat(np.arange(600), 3), resamples=500, seed=0)
    for (low, high), (wide_low, wide_high) in zip(alone, together, strict=True):
        assert wide_high - wide_low == pytest.approx(np.sqrt(3) * (high - low), rel=0.15)
