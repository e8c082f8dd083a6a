"""The running top-k against a stable sort of everything."""

import numpy as np
import pytest

from whyrank.scoring.search.running_topk import Best, answers, keys, values


def held(best):
    """Answers and values, best first."""
    key_QW = np.sort(best.key_QW, axis=1)[:, ::-1]
    return answers(key_QW), values(key_QW)


@pytest.mark.parametrize("size", [1, 7, 40, 200, 1000])
@pytest.mark.parametrize("different", [2, 50, 10**6])
def test_the_largest_values_are_held_whatever_the_blocks_and_of_equal_ones_the_first(size, different):
    random = np.random.default_rng(0)
    value_QA = (random.integers(0, different, (20, 300)) - different // 2).astype(np.float32)
    best = Best(20, 25)
    for rows in (slice(0, 12), slice(12, 20)):
        for first in range(0, 300, size):
            best.add(rows, first, value_QA[rows, first : first + size])
    order_QW = np.argsort(-value_QA, axis=1, kind="stable")[:, :25]
    np.testing.assert_array_equal(held(best)[0], order_QW)
    np.testing.assert_array_equal(held(best)[1], np.take_along_axis(value_QA, order_QW, axis=1))
    np.testing.assert_array_equal(best.least_Q, held(best)[1][:, -1])


def test_fewer_values_than_places_are_all_held():
    best = Best(1, 10)
    best.add(slice(0, 1), 0, np.array([[3.0, -1.0]], dtype=np.float32))
    best.add(slice(0, 1), 2, np.array([[2.0]], dtype=np.float32))
    assert held(best)[0][0, :3].tolist() == [0, 2, 1] and held(best)[1][0, :3].tolist() == [3.0, 2.0, -1.0]
    assert best.least_Q[0] == -np.inf


def test_keys_sort_by_value_and_then_by_place_and_give_both_back():
    value = np.array([np.inf, 3e38, 1.0, 1.0, 1e-45, 0.0, -1e-45, -1.0, -3e38, -np.inf], dtype=np.float32)
    place = np.array([2**32 - 1, 0, 5, 6, 7, 2**32 - 1, 0, 4, 3, 2**32 - 1])
    key = keys(value, place)
    assert (np.diff(key) < 0).all()
    np.testing.assert_array_equal(values(key), value)
    np.testing.assert_array_equal(answers(key), place)
