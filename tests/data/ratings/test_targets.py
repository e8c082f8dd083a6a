"""The distribution of each target's labels."""

import numpy as np
import pytest

from whyrank.data.ratings.targets import constant_folds, target_table

FOLD = np.array([0, 0, 1, 1, 2, 2, 2, 2])


def test_a_target_is_described_by_hand_computed_figures():
    label_N = np.array([0.0, 0.05, 0.5, 0.5, 0.5, 0.95, 1.0, 1.0])
    row = target_table(["t"], label_N[:, None], FOLD).iloc[0]
    assert (row["n"], row["distinct"], row["constant_folds"]) == (8, 5, 1)
    assert row["mean"] == pytest.approx(4.5 / 8)
    assert row["std"] == pytest.approx(np.sqrt(np.mean((label_N - 4.5 / 8) ** 2)))
    assert (row["near_0"], row["near_1"], row["mode_share"]) == (2 / 8, 3 / 8, 3 / 8)
    assert row["rare_share"] == pytest.approx(3.5 / 8)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([0, 1, 0, 1, 0, 1, 0, 1], 0),
        ([1, 1, 0, 1, 0, 1, 0, 1], 1),  # held out of fold 0
        ([0, 0, 0, 0, 0, 0, 0, 1], 3),  # held out of 0 and 1; fold 2 leaves one value to train on
        ([1, 1, 1, 1, 1, 1, 1, 1], 3),
    ],
)
def test_folds_are_constant_where_held_out_or_training_rows_have_one_value(labels, expected):
    assert constant_folds(np.array(labels, dtype=float), FOLD) == expected
