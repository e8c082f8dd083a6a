"""What a list shows by chance, over groups, and beyond another list."""

import numpy as np
import pytest
from scipy import stats

from whyrank.measure.metrics.correlation import spearman
from whyrank.measure.significance.independence import beyond, kruskal_p, shuffled_bounds


def test_the_floor_is_that_of_the_normal_approximation():
    random = np.random.default_rng(0)
    value_N, label_N = random.standard_normal(400), random.integers(0, 3, 400)
    low, high = shuffled_bounds(value_N, label_N, shuffles=4000, seed=1)
    assert low == pytest.approx(-1.96 / np.sqrt(399), abs=0.008)
    assert high == pytest.approx(1.96 / np.sqrt(399), abs=0.008)


def test_of_three_rows_the_floor_is_all_that_there_is():
    # Six orders of three labels give Spearman -1, -1/2 (twice), 1/2 (twice) and 1.
    assert shuffled_bounds([0, 1, 2], [5, 6, 7], shuffles=500, seed=0, level=1.0) == pytest.approx((-1, 1))
    assert shuffled_bounds([0, 1, 2], [5, 6, 7], shuffles=4000, seed=0, level=0.4) == pytest.approx((-0.5, 0.5))


def test_the_floor_knows_ranks_only_repeats_itself_and_needs_two_values_on_each_side():
    random = np.random.default_rng(2)
    value_N, label_N = random.random(50), random.random(50)
    floor = shuffled_bounds(value_N, label_N, shuffles=200, seed=3)
    assert floor == shuffled_bounds(np.exp(value_N), label_N, shuffles=200, seed=3)
    assert floor != shuffled_bounds(value_N, label_N, shuffles=200, seed=4)
    assert shuffled_bounds(np.ones(50), label_N, shuffles=200, seed=3) is None


def test_kruskal_by_hand_and_without_groups_to_tell():
    # Ranks 1 to 6, groups of mean rank 2 and 5: H = 12 / 42 (3 (2 - 3.5)^2 + 3 (5 - 3.5)^2) = 27 / 7.
    assert kruskal_p([0, 1, 2, 3, 4, 5], list("aaabbb")) == pytest.approx(stats.chi2.sf(27 / 7, 1))
    assert kruskal_p([0, 1, 2], list("aaa")) is None
    assert kruskal_p([1, 1, 1], list("aab")) is None


def test_groups_that_differ_in_no_order_are_seen_by_kruskal_alone():
    random = np.random.default_rng(5)
    label_N = np.repeat([0.0, 0.5, 1.0], 100)
    value_N = (label_N == 0.5) + 0.5 * random.standard_normal(300)
    assert kruskal_p(value_N, label_N) < 1e-12
    assert abs(spearman(value_N, label_N).value) < 0.1


def test_what_is_beyond_another_list_is_uncorrelated_with_its_ranks_and_gone_where_they_are_the_same():
    random = np.random.default_rng(6)
    known_N, own_N = random.random(200), random.random(200)
    rest_N = beyond(known_N + own_N, known_N)
    assert np.corrcoef(rest_N, stats.rankdata(known_N))[0, 1] == pytest.approx(0, abs=1e-12)
    assert rest_N.mean() == pytest.approx(0, abs=1e-12) and np.abs(rest_N).max() <= 1
    assert spearman(rest_N, own_N).value > 0.9
    np.testing.assert_allclose(beyond(np.exp(known_N), known_N), 0, atol=1e-12)
    np.testing.assert_allclose(beyond(own_N, np.ones(200)), (stats.rankdata(own_N) - 100.5) / 200)


def test_the_correlation_of_the_rest_is_the_semipartial_one():
    random = np.random.default_rng(7)
    x_N, z_N, y_N = random.random((3, 300)) + random.random(300)
    rank = {name: stats.rankdata(part) for name, part in zip("xyz", (x_N, y_N, z_N), strict=True)}
    yx, yz, xz = (np.corrcoef(rank[a], rank[b])[0, 1] for a, b in ("yx", "yz", "xz"))
    expected = (yx - yz * xz) / np.sqrt(1 - xz**2)
    assert np.corrcoef(beyond(x_N, z_N), rank["y"])[0, 1] == pytest.approx(expected)
