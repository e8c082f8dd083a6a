"""Geometry of vectors: closed forms, plain pairwise loops, and the values at collapse and at chance."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist

from whyrank.measure.metrics import geometry
from whyrank.measure.metrics.geometry import (
    alignment,
    centred_effective_rank,
    effective_rank,
    feature_std,
    hubness,
    matched_and_permuted_cosine,
    mean_off_pair_cosine,
    project_2d,
    uniformity,
    unit_rows,
)


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=(500, 32)).astype(np.float32)


@pytest.fixture
def collapsed():
    return np.tile(np.random.default_rng(0).normal(size=32).astype(np.float32), (100, 1))


def test_unit_rows_keep_a_zero_row_and_name_a_row_that_is_not_finite():
    np.testing.assert_allclose(unit_rows(np.array([[3.0, 4], [0, 0]])), [[0.6, 0.8], [0, 0]])
    with pytest.raises(ValueError, match="row 1"):
        unit_rows(np.array([[1.0, 0], [np.nan, 0]]))


def test_mean_off_pair_cosine_equals_the_mean_over_all_pairs(noise, collapsed):
    vectors = noise + 0.5
    assert mean_off_pair_cosine(vectors) == pytest.approx(1 - pdist(vectors, "cosine").mean(), abs=1e-7)
    assert mean_off_pair_cosine(np.array([[1.0, 0], [0, 1], [-1, 0]])) == pytest.approx(-1 / 3)  # 0, 0, -1
    assert mean_off_pair_cosine(collapsed) == pytest.approx(1.0)
    assert abs(mean_off_pair_cosine(noise)) < 0.01


def test_feature_std_is_one_for_even_directions_and_zero_at_collapse(noise, collapsed):
    assert feature_std(noise) == pytest.approx(1.0, abs=0.02)
    assert feature_std(collapsed) == pytest.approx(0.0, abs=1e-12)
    # Rows (1,0), (-1,0): stds 1 and 0, mean 1/2, times sqrt 2
    assert feature_std(np.array([[1.0, 0], [-5, 0]])) == pytest.approx(np.sqrt(2) / 2)


@pytest.mark.parametrize("shape", [(300, 20), (10, 20)])
def test_effective_rank_is_the_published_formula_on_the_singular_values(shape):
    vectors = np.random.default_rng(0).normal(size=shape) * np.arange(1, 21) + 3.0
    singular = np.linalg.svd(vectors, compute_uv=False)
    p = singular / singular.sum() + 1e-7
    assert effective_rank(vectors) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-6)


def test_effective_rank_counts_equal_directions_and_is_one_at_collapse(noise, collapsed):
    assert effective_rank(np.eye(8)) == pytest.approx(8, abs=1e-4)
    assert effective_rank(noise) == pytest.approx(32, rel=0.02)
    assert effective_rank(collapsed) == pytest.approx(1, abs=1e-3)
    assert centred_effective_rank(collapsed) == pytest.approx(1, abs=1e-3)


def test_only_the_centred_rank_ignores_a_common_direction(noise):
    shifted = noise + 100.0
    assert centred_effective_rank(shifted) == pytest.approx(centred_effective_rank(noise), rel=1e-3)
    assert effective_rank(shifted) < 0.3 * effective_rank(noise)


def test_alignment_is_two_minus_two_cosines(noise):
    assert alignment(noise, 3 * noise) == pytest.approx(0.0, abs=1e-12)
    assert alignment(noise, -noise) == pytest.approx(4.0)
    assert alignment(noise[:250], noise[250:]) == pytest.approx(2.0, abs=0.1)
    assert alignment(np.array([[2.0, 0]]), np.array([[1.0, 1]])) == pytest.approx(2 - 2 / np.sqrt(2))


def test_uniformity_equals_the_mean_over_all_pairs_whatever_the_block(noise, collapsed, monkeypatch):
    monkeypatch.setattr(geometry, "BLOCK_ROWS", 64)
    expected = np.log(np.exp(-2 * pdist(unit_rows(noise)) ** 2).mean())
    assert uniformity(noise, seed=0) == pytest.approx(expected, rel=1e-9)
    assert uniformity(noise, seed=0) == pytest.approx(-4 * (1 - 2 / 32), rel=0.02)
    assert uniformity(collapsed, seed=0) == pytest.approx(0.0, abs=1e-12)


def test_uniformity_of_a_sample_is_near_that_of_all(noise):
    assert uniformity(noise, sample=200, seed=0) == pytest.approx(uniformity(noise, seed=0), abs=0.05)
    assert uniformity(noise, sample=200, seed=0) != uniformity(noise, sample=200, seed=1)


def test_matched_cosine_stands_above_its_permuted_floor_only_if_pairs_match(noise, collapsed):
    cone = noise + 1.0  # everything shares a direction: the floor is high, the gap is what counts
    matched, permuted = matched_and_permuted_cosine(cone, cone + 0.3 * noise[::-1], seed=0)
    assert matched > permuted + 0.3
    assert permuted == pytest.approx(mean_off_pair_cosine(cone), abs=0.05)
    unrelated = matched_and_permuted_cosine(noise[:250], noise[250:], seed=0)
    assert abs(unrelated.matched - unrelated.permuted) < 0.05
    assert matched_and_permuted_cosine(collapsed, collapsed, seed=0) == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize("n", [2, 3, 10])
def test_no_row_keeps_its_partner_in_the_permuted_floor(n):
    # One-hot rows: any row that kept its own partner would add 1/n.
    for seed in range(20):
        assert matched_and_permuted_cosine(np.eye(n), np.eye(n), seed) == (1.0, 0.0)


def test_hubness_worked_by_hand():
    # Counts 3, 1, 1, 1, 0 of 3 lists: mean 1.2, deviations 1.8, -0.2, -0.2, -0.2, -1.2
    result = hubness(np.array([[0, 1], [0, 2], [0, 3]]), 5)
    m2, m3 = (3.24 + 3 * 0.04 + 1.44) / 5, (5.832 - 3 * 0.008 - 1.728) / 5
    assert result == pytest.approx((m3 / m2**1.5, 1 / 5, 1.0))
    assert hubness(np.array([[0], [1], [2]]), 3) == pytest.approx((0.0, 0.0, 1 / 3))


def test_hubness_of_random_lists_has_the_stated_chance_values():
    rng = np.random.default_rng(0)
    lists_QK = np.argsort(rng.random((2000, 400)), axis=1)[:, :2]
    p = 2 / 400
    result = hubness(lists_QK, 400)
    assert result.skew == pytest.approx((1 - 2 * p) / np.sqrt(2000 * p * (1 - p)), abs=0.3)
    assert result.never == pytest.approx((1 - p) ** 2000, abs=0.01)
    lists_QK = np.stack([np.full(2000, 7), np.where(lists_QK[:, 0] == 7, 8, lists_QK[:, 0])], axis=1)
    assert hubness(lists_QK, 400).largest == 1.0 and hubness(lists_QK, 400).skew > 10


def test_the_projection_finds_the_planted_direction_with_a_fixed_sign():
    rng = np.random.default_rng(0)
    planted, place = np.array([1.0, -3, 0, 0]) / np.sqrt(10), rng.normal(size=400) * 4
    vectors = 5 + place[:, None] * planted + 0.1 * rng.normal(size=(400, 4))
    points = project_2d(vectors)
    # The largest component of the axis is made positive: it is the planted one, turned round.
    np.testing.assert_allclose(points[:, 0], place.mean() - place, atol=0.5)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(project_2d(-vectors), -points, atol=1e-9)


def test_the_projection_is_that_of_scikit_learn_but_for_signs(noise):
    decomposition = pytest.importorskip("sklearn.decomposition")
    theirs = decomposition.PCA(2).fit_transform(noise.astype(np.float64))
    np.testing.assert_allclose(np.abs(project_2d(noise)), np.abs(theirs), atol=1e-6)


def test_skew_is_scipy_on_the_counts():
    lists_QK = np.random.default_rng(0).integers(0, 50, (100, 1))
    counts = np.bincount(lists_QK.ravel(), minlength=50)
    assert hubness(lists_QK, 50).skew == pytest.approx(stats.skew(counts))


def test_the_mean_diagonal_by_hand_and_against_numpy():
    # Feature 0 agrees in full, feature 1 is reversed, feature 2 is constant on one side: (1 - 1 + 0) / 3.
    first = np.array([[0.0, 1.0, 5.0], [1.0, 2.0, 5.0], [2.0, 3.0, 5.0]])
    second = np.array([[10.0, 3.0, 1.0], [20.0, 2.0, 7.0], [30.0, 1.0, 4.0]])
    assert geometry.mean_diagonal(first, second) == pytest.approx(0.0)
    assert geometry.mean_diagonal(first, first) == pytest.approx(2 / 3)
    random = np.random.default_rng(0)
    one, two = random.standard_normal((2, 50, 4))
    expected = np.mean([np.corrcoef(one[:, i], two[:, i])[0, 1] for i in range(4)])
    assert geometry.mean_diagonal(one, two) == pytest.approx(expected)
