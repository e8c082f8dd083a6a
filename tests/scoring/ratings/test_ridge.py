"""Ridge out of fold: against scikit-learn, and that nothing of a fold's own labels goes into its predictions."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from whyrank.measure.metrics.ratings import snap
from whyrank.scoring.ratings import ridge as rating_ridge
from whyrank.scoring.ratings.ridge import STRENGTHS, chosen, fitted, fitted_rows, out_of_fold, ridge


@pytest.fixture
def task():
    """120 rows in 60 groups and 4 folds; targets: linear, noise, on a grid, constant."""
    random = np.random.default_rng(0)
    feature_NF = random.normal(size=(120, 10)).astype(np.float32)
    group_N = np.repeat(np.arange(60), 2)
    grid_N = random.random(120) < 0.4
    feature_NF[:, 0] = 4 * grid_N + 0.3 * feature_NF[:, 0]
    label_NT = np.stack([feature_NF @ random.normal(size=10), random.random(120), grid_N, np.full(120, 0.25)], axis=1)
    return feature_NF, label_NT.astype(np.float64), group_N % 4, group_N


def kernel(feature_NF):
    return lambda train_N, row_K: feature_NF[row_K] @ feature_NF[row_K].T / np.float32(feature_NF.shape[1])


@pytest.mark.parametrize("strength", [0.3, 3.0])
def test_it_is_the_ridge_of_scikit_learn(task, strength):
    feature_NF, label_NT, *_ = task
    train, rest = slice(0, 90), slice(90, None)
    feature_NF = feature_NF.astype(np.float64)
    product_NN = feature_NF @ feature_NF.T
    found = ridge(product_NN[train, train], label_NT[train], product_NN[rest, train], strength)
    mean_T = label_NT[train].mean(axis=0)
    model = Ridge(alpha=strength, fit_intercept=False).fit(feature_NF[train], label_NT[train] - mean_T)
    np.testing.assert_allclose(found, model.predict(feature_NF[rest]) + mean_T, rtol=0, atol=1e-6)
    assert (found[:, 3] == 0.25).all()


def test_each_target_has_the_strength_that_left_out_groups_ask_for(task):
    feature_NF, label_NT, _, group_N = task
    product_NN = kernel(feature_NF)(np.ones(120, dtype=bool), np.arange(120))
    strength_T, guess_NT = chosen(product_NN, label_NT, group_N)
    assert strength_T[0] < strength_T[3] == max(STRENGTHS)
    assert np.corrcoef(guess_NT[:, 0], label_NT[:, 0])[0, 1] > 0.95
    out = group_N % 4 == 1
    own = ridge(product_NN[~out][:, ~out], label_NT[~out], product_NN[out][:, ~out], strength_T[0])
    np.testing.assert_allclose(guess_NT[out, 0], own[:, 0], rtol=0, atol=1e-5)


def test_targets_of_different_strength_are_fitted_each_with_its_own(task):
    feature_NF, label_NT, *_ = task
    product_NN = kernel(feature_NF)(np.ones(120, dtype=bool), np.arange(120))
    strength_T = np.array([0.3, 30.0, 0.3, 3.0])
    found = fitted(product_NN, label_NT, product_NN[:5], strength_T)
    for i, strength in enumerate(strength_T):
        np.testing.assert_allclose(found[:, i], ridge(product_NN, label_NT, product_NN[:5], strength)[:, i], atol=1e-6)


def test_the_labels_of_a_fold_do_not_touch_what_is_said_of_it(task):
    feature_NF, label_NT, fold_N, group_N = task
    before = out_of_fold(kernel(feature_NF), label_NT, fold_N, group_N)
    other = label_NT.copy()
    other[fold_N == 2] = np.random.default_rng(1).random((30, 4))
    after = out_of_fold(kernel(feature_NF), other, fold_N, group_N)
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one[fold_N == 2], two[fold_N == 2])
        assert not np.allclose(one[fold_N == 1], two[fold_N == 1])


def test_features_are_fitted_on_the_training_rows_of_each_fold_alone(task):
    feature_NF, label_NT, fold_N, group_N = task
    seen = []

    def watched(train_N, row_K):
        seen.append(train_N.copy())
        return kernel(feature_NF)(train_N, row_K)

    out_of_fold(watched, label_NT, fold_N, group_N)
    np.testing.assert_array_equal(seen, [fold_N != fold for fold in range(4)])


def test_what_is_linear_is_found_noise_is_not_and_a_constant_target_gets_constant_predictions(task):
    feature_NF, label_NT, fold_N, group_N = task
    found = out_of_fold(kernel(feature_NF), label_NT, fold_N, group_N).prediction_NT
    assert np.corrcoef(found[:, 0], label_NT[:, 0])[0, 1] > 0.95
    assert abs(np.corrcoef(found[:, 1], label_NT[:, 1])[0, 1]) < 0.35
    assert (found[:, 3] == 0.25).all()


def test_predictions_are_snapped_where_that_helps_in_the_training_part(task):
    feature_NF, label_NT, fold_N, group_N = task
    found = out_of_fold(kernel(feature_NF), label_NT, fold_N, group_N)
    grid = fold_N == 0
    assert set(found.snapped_NT[:, 2]) == {0.0, 1.0}
    expected = snap(found.prediction_NT[grid, 2], label_NT[~grid, 2])
    np.testing.assert_array_equal(found.snapped_NT[grid, 2], expected)
    np.testing.assert_array_equal(found.snapped_NT[:, 3], found.prediction_NT[:, 3])


def test_the_same_twice(task):
    feature_NF, *rest = task
    one, two = (out_of_fold(kernel(feature_NF), *rest) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_single_training_group_is_predicted_by_its_mean_with_the_greatest_strength():
    product_NN, label_NT = np.eye(4, dtype=np.float32), np.array([[0.0], [1.0], [1.0], [0.0]])
    strength_T, guess_NT = chosen(product_NN, label_NT, np.zeros(4))
    assert strength_T.tolist() == [max(STRENGTHS)] and (guess_NT == 0.5).all()


def test_of_very_many_rows_an_even_draw_is_fitted(monkeypatch):
    monkeypatch.setattr(rating_ridge, "MOST_ROWS", 3)
    assert fitted_rows(np.array([0, 1, 1, 1, 1, 1], dtype=bool)).tolist() == [1, 3, 5]
    assert fitted_rows(np.array([0, 1, 1, 1], dtype=bool)).tolist() == [1, 2, 3]


def test_of_a_large_set_no_products_are_made_but_of_rows_fitted_on_or_predicted(task, monkeypatch):
    feature_NF, label_NT, fold_N, group_N = task
    asked = []

    def watched(train_N, row_K):
        asked.append((train_N, row_K))
        return kernel(feature_NF)(train_N, row_K)

    monkeypatch.setattr(rating_ridge, "MOST_ROWS", 40)
    found = out_of_fold(watched, label_NT, fold_N, group_N).prediction_NT
    for fold, (train_N, row_K) in enumerate(asked):
        assert len(row_K) == 40 + 30 and (train_N == (fold_N != fold)).all()
        held_N, kept_M = fold_N == fold, fitted_rows(fold_N != fold)
        assert np.isin(np.flatnonzero(held_N), row_K).all()
        product_NN = kernel(feature_NF)(train_N, np.arange(120))
        inner_MM, label_MT = product_NN[np.ix_(kept_M, kept_M)], label_NT[kept_M]
        strength_T, _ = chosen(inner_MM, label_MT, group_N[kept_M])
        expected = fitted(inner_MM, label_MT, product_NN[np.ix_(held_N, kept_M)], strength_T)
        np.testing.assert_allclose(found[held_N], expected, rtol=0, atol=1e-5)
