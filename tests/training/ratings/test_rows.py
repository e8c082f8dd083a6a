"""What a ratings training is given: labels on their grid, sides of a target, and how much a row counts."""

from dataclasses import replace

import numpy as np
import pytest

from whyrank.core.options import params
from whyrank.training.ratings import rows as rating_rows


@pytest.fixture
def ratings(options):
    return lambda **changes: (
        options(
            "finetune_rank",
            params.FinetuneRank,
            {f"objectives.ratings.{key.replace('__', '.')}": value for key, value in changes.items()},
        ).objectives.ratings
    )


def test_a_label_gives_its_share_to_its_neighbours_on_the_grid_of_its_own_target():
    # Grids: 0, 1/3, 1 and 0.2, 0.6; the third target is constant.
    label = np.array([[0, 0.2, 0.5], [1 / 3, 0.6, 0.5], [1, 0.2, 0.5], [0, 0.6, 0.5]])
    found = rating_rows.smoothed(label, 0.3)
    first = [0.3 * (0 + 1 / 3) / 2, 0.7 / 3 + 0.3 * (0 + 1 / 3 + 1) / 3, 0.7 + 0.3 * (1 / 3 + 1) / 2]
    assert found[:, 0] == pytest.approx([*first, first[0]])
    assert found[:, 1] == pytest.approx([0.26, 0.54, 0.26, 0.54])
    assert found[:, 2] == pytest.approx([0.5] * 4)
    assert rating_rows.smoothed(label, 0.0) is label


def test_smoothing_keeps_the_order_of_labels_whatever_its_share():
    label = np.random.default_rng(0).choice([0, 0.1, 0.15, 0.7, 1], (60, 3))
    for share in (0.5, 1.0):
        found = rating_rows.smoothed(label, share)
        assert ((found[:, None] - found[None] > 0) == (label[:, None] - label[None] > 0)).all()


def test_the_rows_are_those_of_the_other_folds_and_the_means_are_of_their_labels_as_given(rated, ratings):
    prepared = replace(rated, held_out=1)
    rows = rating_rows.training_rows(prepared, ratings(smoothing=0.5))
    table = rated.ratings[(rated.ratings["use"] == "train") & (rated.ratings["fold"] != 1)]
    assert len(table) == 24 and rows.texts_R2[:, 0].tolist() == table["first"].tolist()
    label = table[["visa", "agree", "rare"]].to_numpy()
    assert rows.mean_T == pytest.approx((label.sum(0) + 0.5) / 25)
    assert rows.label_RT == pytest.approx(rating_rows.smoothed(label, 0.5)) and not (rows.label_RT == label).all()
    assert (rows.weight_RT == 1).all() and rows.pseudo == 0 and rating_rows.count(prepared) == 24


def test_pseudo_labelled_rows_count_by_how_sure_the_model_was_and_leave_means_and_labels_alone(rated, ratings):
    prepared = replace(rated, held_out=1)
    prediction = np.tile([[0.9, 0.5, 0.0]], (8, 1))
    more = rating_rows.with_pseudo_labels(prepared, prediction)
    chosen = ratings(pseudo_labels__weight=0.5)
    rows, bare = (rating_rows.training_rows(one, chosen) for one in (more, prepared))
    assert rows.pseudo == 8 and rating_rows.count(more) == 32
    assert (rows.label_RT[:24] == bare.label_RT).all() and (rows.mean_T == bare.mean_T).all()
    assert rows.label_RT[24:] == pytest.approx(prediction)
    assert rows.weight_RT[24:] == pytest.approx(np.tile([[0.4, 0.0, 0.5]], (8, 1)))
    assert len(more.rated(held_out=True)) == 12 and prepared.ratings["use"].ne(rating_rows.PSEUDO).all()
