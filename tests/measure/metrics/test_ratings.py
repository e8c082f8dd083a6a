"""Mean column Spearman by hand and against scipy, what is left out of it, and predictions snapped to labels."""

import numpy as np
import pytest
from scipy import stats

from whyrank.measure.metrics.correlation import columns
from whyrank.measure.metrics.ratings import mean_column_spearman, per_fold, snap, snap_helps, snap_where_it_helps

# One column per case, five rows. Ranks less 3, products and squares by hand:
#   swapped  predictions -2 -1 0 1 2, labels -1 -2 0 2 1 -> products 2 2 0 2 2 = 8 of 10
#   tied     labels 0 0 .5 1 1 have ranks 1.5 1.5 3 4.5 4.5 -> -1.5 -1.5 0 1.5 1.5 (squares 9), predictions
#            .1 .1 .1 .4 .5 have 2 2 2 4 5 -> -1 -1 -1 1 2 (squares 8); products 1.5 + 1.5 + 0 + 1.5 + 3 = 7.5
#   reversed -1
#   same_label, same_guess: undefined
NAMES = ["swapped", "tied", "reversed", "same_label", "same_guess"]
PREDICTION = np.array(
    [
        [0.1, 0.1, 5, 0.1, 0.5],
        [0.2, 0.1, 4, 0.2, 0.5],
        [0.3, 0.1, 3, 0.3, 0.5],
        [0.4, 0.4, 2, 0.4, 0.5],
        [0.5, 0.5, 1, 0.5, 0.5],
    ]
)
LABEL = np.array(
    [[0.2, 0, 0, 1, 0], [0.1, 0, 0.2, 1, 0.2], [0.3, 0.5, 0.3, 1, 0.3], [0.5, 1, 0.4, 1, 0.4], [0.4, 1, 1, 1, 1]]
)
BY_HAND = [0.8, 7.5 / np.sqrt(8 * 9), -1.0, None, None]


def test_a_table_worked_by_hand_with_ties_and_with_columns_that_have_no_correlation():
    found = columns(PREDICTION, LABEL)
    assert [one.value for one in found[:3]] == pytest.approx(BY_HAND[:3], abs=1e-15)
    assert [one.reason for one in found] == ["", "", "", "constant labels", "constant predictions"]
    mean = mean_column_spearman(PREDICTION, LABEL, NAMES)
    assert mean.value == pytest.approx(sum(BY_HAND[:3]) / 3, abs=1e-15) and mean.n_defined == 3
    assert mean.undefined == {"same_label": "constant labels", "same_guess": "constant predictions"}


def test_columns_equal_scipy_with_and_without_ties():
    random = np.random.default_rng(0)
    label = np.round(random.random((500, 6)) * np.array([1, 2, 4, 20, 1e3, 1e6])) / np.array([1, 2, 4, 20, 1e3, 1e6])
    prediction = label + random.normal(size=label.shape)
    prediction[:, ::2] = prediction[:, ::2].round(1)
    expected = [stats.spearmanr(one, other).statistic for one, other in zip(prediction.T, label.T, strict=True)]
    assert [one.value for one in columns(prediction, label)] == pytest.approx(expected, abs=1e-12)
    assert mean_column_spearman(prediction, label, list("abcdef")).value == pytest.approx(np.mean(expected), abs=1e-12)


def test_constant_predictions_in_all_columns_are_no_system_at_chance():
    mean = mean_column_spearman(np.zeros((4, 2)), np.random.default_rng(0).random((4, 2)), ["a", "b"])
    assert mean == (None, 0, {"a": "constant predictions", "b": "constant predictions"})


def test_a_column_may_be_undefined_in_one_fold_alone():
    fold = np.array([1, 0, 1, 0, 1, 0])
    label = np.array([[0, 0.0], [0, 0.1], [0.5, 0.2], [0, 0.3], [1, 0.4], [0, 0.5]])  # the first is constant in fold 0
    prediction = np.random.default_rng(0).random((6, 2))
    found = per_fold(prediction, label, fold, ["rare", "plain"])
    assert list(found) == [0, 1]
    assert found[0].undefined == {"rare": "constant labels"} and found[1].undefined == {}
    for number, mean in found.items():
        assert mean == mean_column_spearman(prediction[fold == number], label[fold == number], ["rare", "plain"])


def test_snapping_by_hand_gives_the_shares_of_the_training_labels_in_the_order_of_the_predictions():
    # Half of the training labels are 0, a quarter each .5 and 1.
    assert snap([0.4, 0.1, 0.2, 0.9], [0, 0, 0.5, 1]).tolist() == [0.5, 0, 0, 1]
    assert snap([4, 1, 2, 9, 3, 0, 8, 7], [0, 0, 0.5, 1]).tolist() == [0.5, 0, 0, 1, 0, 0, 1, 0.5]
    # Ranks 1, 2.5, 2.5, 4: the middle two are quantile .5 both.
    assert snap([0.1, 0.2, 0.2, 0.3], [0, 0, 1, 1]).tolist() == [0, 1, 1, 1]
    assert snap([3.0, 3.0, 3.0], [0, 0.5, 1]).tolist() == [0.5, 0.5, 0.5]
    assert snap([], [0.5]).tolist() == []


def test_snapped_predictions_are_labels_never_change_places_and_need_no_unit():
    random = np.random.default_rng(0)
    prediction, label = random.normal(size=300), random.integers(0, 5, 900) / 4
    snapped = snap(prediction, label)
    assert set(snapped) == set(label)
    assert (np.diff(snapped[np.argsort(prediction)]) >= 0).all()
    assert snap(np.exp(prediction), label).tolist() == snapped.tolist()
    shares = [np.mean(snapped == value) for value in np.unique(label)]
    assert shares == pytest.approx([np.mean(label == value) for value in np.unique(label)], abs=1 / 300)


def test_snapping_raises_the_correlation_of_a_target_on_a_grid_and_not_of_noise_on_a_continuous_one():
    random = np.random.default_rng(0)
    grid = (random.random(1000) < 0.2).astype(float)
    near = grid + 0.3 * random.random(1000)  # all ones above all zeros, in an order of their own
    assert snap_helps(near, grid)
    raised = stats.spearmanr(snap(near, grid), grid).statistic
    assert raised == 1.0 > stats.spearmanr(near, grid).statistic
    vague = grid + 5 * random.normal(size=1000)
    assert not snap_helps(vague, grid)


def test_of_several_columns_those_are_snapped_that_known_rows_ask_for():
    random = np.random.default_rng(0)
    grid = (random.random((1000, 2)) < 0.2).astype(float)
    known = np.stack([grid[:, 0] + 0.3 * random.random(1000), grid[:, 1] + 5 * random.normal(size=1000)], axis=1)
    prediction = random.normal(size=(40, 2))
    snapped, helps = snap_where_it_helps(prediction, grid, known, grid)
    assert helps.tolist() == [True, False]
    assert snapped[:, 0].tolist() == snap(prediction[:, 0], grid[:, 0]).tolist()
    assert snapped[:, 1].tolist() == prediction[:, 1].tolist()


@pytest.mark.parametrize(
    ("prediction", "label"), [([1, 1, 1], [0, 0, 1]), ([1, 2, 3], [1, 1, 1]), ([1, 2, 3], [0, 0, 0])]
)
def test_snapping_does_not_help_where_there_is_no_correlation(prediction, label):
    assert not snap_helps(prediction, label)


def test_snapping_does_not_help_where_it_makes_the_predictions_constant():
    label = np.zeros(9)
    label[4] = 1.0  # the middle one: the only 1 in nine goes to the highest prediction
    assert np.ptp(snap(np.array([1.0, *[2.0] * 8]), label)) == 0
    assert not snap_helps(np.array([1.0, *[2.0] * 8]), label)
