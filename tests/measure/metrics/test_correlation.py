"""Correlations by hand, against scipy, and where they do not exist."""

import numpy as np
import pytest
from scipy import stats

from whyrank.measure.metrics.correlation import Correlation, centred_ranks, columns, correlate, mean_defined, spearman


def pearson(prediction_N, label_N):
    return correlate(prediction_N, label_N, "pearson")


SCIPY = {"spearman": stats.spearmanr, "pearson": stats.pearsonr}


def test_worked_by_hand_with_ties():
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3.5, 3.5, less 2.5: -1.5 0 0 1.5 and -1.5 -.5 1 1.
    # Products 2.25 + 1.5 = 3.75; squares 4.5 each.
    prediction, label = [0.1, 0.4, 0.4, 0.9], [0.0, 1 / 3, 1.0, 1.0]
    assert spearman(prediction, label).value == pytest.approx(3.75 / 4.5, abs=1e-15)
    # Less the means 2 and 3: -1 0 1 and -2 0 2 -> 1; -1 0 1 and 1 -2 1 -> 0.
    assert pearson([1, 2, 3], [1, 3, 5]) == (pytest.approx(1.0), "")
    assert pearson([1, 2, 3], [1, -2, 1]).value == pytest.approx(0.0, abs=1e-15)


def test_ranks_by_hand():
    assert centred_ranks(np.array([5.0, -1.0, 5.0, 7.0, 5.0])).tolist() == [0.0, -2.0, 0.0, 2.0, 0.0]
    assert centred_ranks(np.array([3.0, 1.0, 2.0, 0.5])).tolist() == [1.5, -0.5, 0.5, -1.5]


@pytest.mark.parametrize("kind", ["spearman", "pearson"])
@pytest.mark.parametrize("rows", [2, 3, 50, 6000])
def test_columns_equal_scipy_one_by_one(kind, rows):
    random = np.random.default_rng(rows)
    label_NC = random.random((rows, 12))
    label_NC[:, :4] = np.round(4 * label_NC[:, :4]) / 4  # ties in the labels, in the predictions, in both
    prediction_NC = label_NC + random.normal(size=(rows, 12))
    prediction_NC[:, 2:6] = np.round(prediction_NC[:, 2:6])
    prediction_NC[:, 6] = 1e8 + label_NC[:, 6]
    compared = 0
    for column, found in enumerate(columns(prediction_NC, label_NC, kind)):
        lists = prediction_NC[:, column], label_NC[:, column]
        if found.value is None:
            assert any(np.ptp(part) == 0 for part in lists)
            continue
        assert found.value == pytest.approx(SCIPY[kind](*lists).statistic, rel=0, abs=1e-12)
        compared += 1
    assert compared >= 6


@pytest.mark.parametrize("kind", ["spearman", "pearson"])
def test_columns_of_float32_of_whole_numbers_and_in_either_order_of_memory_are_as_good(kind):
    random = np.random.default_rng(0)
    prediction_NC, label_NC = random.random((40, 3)).astype(np.float32), random.integers(0, 5, (40, 3))
    expected = [
        SCIPY[kind](prediction_NC[:, c].astype(np.float64), label_NC[:, c]).statistic for c in range(3)
    ]  # fmt: skip
    for order in "CF":
        found = columns(np.asarray(prediction_NC, order=order), np.asarray(label_NC, order=order), kind)
        np.testing.assert_allclose([one.value for one in found], expected, rtol=0, atol=1e-12)


UNDEFINED = {
    "constant predictions": ([2.0, 2.0, 2.0], [0.0, 0.5, 1.0]),
    "constant labels": ([0.0, 0.5, 1.0], [1.0, 1.0, 1.0]),
    "fewer than two rows": ([0.5], [1.0]),
    "not a number": ([0.0, np.nan, 1.0], [0.0, 0.5, 1.0]),
}


@pytest.mark.parametrize("of", [spearman, pearson])
@pytest.mark.parametrize("reason", UNDEFINED)
def test_what_is_undefined_has_no_value_and_its_reason(of, reason):
    assert of(*UNDEFINED[reason]) == (None, reason)


@pytest.mark.parametrize("of", [spearman, pearson])
def test_the_first_of_several_reasons_is_given_and_no_rows_and_infinities_have_theirs(of):
    assert of([], []) == (None, "fewer than two rows")
    assert of([np.nan], [1.0]) == (None, "fewer than two rows")
    assert of([1.0, 1.0], [np.nan, 1.0]) == (None, "not a number")
    assert of([0.0, np.inf], [0.0, 1.0]) == (None, "not a number")
    assert of([1.0, 1.0], [3.0, 3.0]) == (None, "constant predictions")


def test_an_undefined_column_does_not_touch_the_others():
    random = np.random.default_rng(0)
    prediction_NC, label_NC = random.random((30, 5)), random.random((30, 5))
    alone = columns(prediction_NC, label_NC, "spearman")
    prediction_NC[:, 1], prediction_NC[7, 2], label_NC[:, 4] = 0.5, np.nan, 0.0
    found = columns(prediction_NC, label_NC, "spearman")
    assert [found[c] for c in (0, 3)] == [alone[c] for c in (0, 3)]
    assert [found[c].reason for c in (1, 2, 4)] == ["constant predictions", "not a number", "constant labels"]
    assert columns(np.zeros((5, 0)), np.zeros((5, 0)), "pearson") == []


def test_the_unit_of_the_values_changes_nothing_however_large_or_small():
    random = np.random.default_rng(0)
    prediction, label = random.random(50), random.random(50)
    for kind in (spearman, pearson):
        expected = kind(prediction, label).value
        for unit in (1e-300, 1e-160, 1e160, 1e300, -1e300):
            assert kind(unit * prediction, label).value == pytest.approx(np.sign(unit) * expected, rel=1e-9)


def test_a_perfect_agreement_is_never_above_one():
    random = np.random.default_rng(0)
    for _ in range(200):
        label = random.random(7)
        assert 1 - 1e-12 < pearson(0.1 * label + 3, label).value <= 1.0
        assert spearman(label**3, label).value == 1.0 and spearman(-label, label).value == -1.0


def test_the_mean_is_over_the_defined_ones_and_names_the_others():
    mean = mean_defined(
        {
            "a": Correlation(0.5),
            "b": Correlation(None, "constant labels"),
            "c": Correlation(0.0),
            "d": Correlation(-0.2),
        }
    )
    assert mean == (pytest.approx(0.1), 3, {"b": "constant labels"})
    assert mean_defined({"b": Correlation(None, "not a number")}) == (None, 0, {"b": "not a number"})
    assert mean_defined({}) == (None, 0, {})


def test_at_chance_the_spread_is_one_over_the_root_of_the_rows_less_one():
    random = np.random.default_rng(0)
    values = [one.value for one in columns(random.random((26, 4000)), random.random((26, 4000)), "spearman")]
    assert np.std(values) == pytest.approx(1 / 5, rel=0.04)
    assert np.mean(values) == pytest.approx(0.0, abs=0.01)


def test_lists_of_different_length_are_refused():
    with pytest.raises(AssertionError):
        spearman([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(AssertionError):
        columns(np.zeros((3, 2)), np.zeros((3, 1)), "pearson")
