"""What the layer reads of the frozen blocks: by hand, in the spread of the training rows alone."""

import numpy as np
import pytest
import torch

from whyrank.training.ratings.layer_features import LayerFeatures

TEXTS, BLOCKS, WIDTH, START = 40, 3, 4, 5
MEAN_NKD = torch.randn(TEXTS, BLOCKS, WIDTH, generator=torch.Generator().manual_seed(0)) * 7 + 2


def features(texts_R2, mean_NKD=MEAN_NKD):
    return LayerFeatures(np.arange(START, START + TEXTS), mean_NKD, texts_R2)


def rows(layout, count):
    first_B = START + np.arange(count)
    second_B = START + 20 + np.arange(count) if layout == "separate" else np.full(count, -1)
    return np.stack([first_B, second_B], axis=1)


@pytest.mark.parametrize(("layout", "width"), [("joint", 12), ("separate", 48)])
def test_the_features_of_the_rows_trained_on_have_mean_0_and_the_spread_of_a_unit_vector(layout, width):
    one = features(rows(layout, 20))
    found_BF = one(rows(layout, 20))
    assert found_BF.shape == (20, width) and one.width == width and found_BF.dtype == torch.float32
    torch.testing.assert_close(found_BF.mean(0), torch.zeros(width), atol=1e-6, rtol=0)
    # 1 / sqrt(D) each.
    torch.testing.assert_close(found_BF.std(0, correction=0), torch.full((width,), 0.5), atol=1e-5, rtol=0)


def test_of_two_texts_it_reads_both_their_difference_and_their_product():
    one, (row,) = features(rows("separate", 20)), rows("separate", 20)[3:4]
    u, v = MEAN_NKD[row[0] - START].flatten(), MEAN_NKD[row[1] - START].flatten()
    torch.testing.assert_close(one.of_rows(row[None])[0], torch.cat([u, v, (u - v).abs(), u * v]))


def test_rows_that_are_not_trained_on_change_nothing():
    other_NKD = MEAN_NKD.clone()
    other_NKD[10:20] = 1e3
    one, other = features(rows("joint", 10)), features(rows("joint", 10), other_NKD)
    assert torch.equal(one(rows("joint", 10)), other(rows("joint", 10)))


def test_mean_and_spread_do_not_depend_on_how_many_rows_are_put_together_at_once(monkeypatch):
    whole = features(rows("separate", 20))
    monkeypatch.setattr("whyrank.training.ratings.layer_features.ROWS", 3)
    torch.testing.assert_close(features(rows("separate", 20))(rows("separate", 5)), whole(rows("separate", 5)))


def test_a_feature_that_is_the_same_in_all_rows_trained_on_is_0_in_others_too():
    same_NKD = MEAN_NKD.clone()
    same_NKD[:20, 0, 0] = 3.1
    found_BF = features(rows("joint", 20), same_NKD)(rows("joint", 40))
    assert (found_BF[:, 0] == 0).all() and found_BF.isfinite().all()
