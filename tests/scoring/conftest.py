"""What the blocked evaluation is held against: whole rows, quantised and sorted as the definition says."""

from collections.abc import Callable

import numpy as np
import pytest

from whyrank.measure.metrics import locating
from whyrank.scoring.search import tiles


@pytest.fixture(scope="session")
def by_definition() -> Callable[..., tiles.Found]:
    def found(score_QA: np.ndarray, pairs: tiles.Pairs, keep: int) -> tiles.Found:
        largest_Q1 = np.abs(score_QA).max(axis=1, keepdims=True).astype(np.float64)
        step_Q1 = 2.0**-20 * np.maximum(largest_Q1, np.finfo(np.float32).tiny)
        rounded_QA = np.round(score_QA / step_Q1) * step_Q1
        order_QK = np.argsort(-rounded_QA, axis=1, kind="stable")[:, :keep]
        return tiles.Found(
            *locating.locate(rounded_QA, *pairs),
            rounded_QA[pairs.query_P, pairs.answer_P],
            order_QK,
            np.take_along_axis(rounded_QA, order_QK, axis=1),
        )

    return found


@pytest.fixture(scope="session")
def same() -> Callable[[tiles.Found, tiles.Found], None]:
    def check(one: tiles.Found, two: tiles.Found) -> None:
        for name, of_one, of_two in zip(tiles.Found._fields, one, two, strict=True):
            np.testing.assert_array_equal(of_one, of_two, err_msg=name)

    return check


@pytest.fixture(scope="session")
def make_pairs() -> Callable[[int, int, int], tiles.Pairs]:
    """1 to `most` relevant answers of each query."""

    def make(queries: int, answers: int, most: int) -> tiles.Pairs:
        random = np.random.default_rng(5)
        answer_of = [np.sort(random.choice(answers, 1 + query % most, replace=False)) for query in range(queries)]
        return tiles.Pairs(np.repeat(np.arange(queries), [len(of) for of in answer_of]), np.concatenate(answer_of))

    return make
