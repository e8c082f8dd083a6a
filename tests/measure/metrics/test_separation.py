"""Separation of labels: each statistic with planted structure, with a null, and against scikit-learn."""

import numpy as np
import pytest

from whyrank.measure.metrics import separation
from whyrank.measure.metrics.separation import (
    answer_mixes,
    centroid_distances,
    cluster_size,
    linear_probe_auc,
    query_to_answer_distance,
    within_answer_share,
)


def test_centroid_distances_worked_by_hand_skip_answers_with_one_kind():
    vectors = np.array([[0.0, 0], [2, 0], [1, 3], [9, 9], [5, 0], [5, 4]])
    answers = np.array(["x", "x", "x", "only-questions", "b", "b"])
    result = centroid_distances(vectors, answers, [True, True, False, True, False, True])
    assert result.answer_A.tolist() == ["b", "x"]
    np.testing.assert_allclose(result.distance_A, [4, 3])
    np.testing.assert_allclose(result.question_AD, [[5, 4], [1, 0]])
    np.testing.assert_allclose(result.conversation_AD, [[5, 0], [1, 3]])


def test_centroid_distance_of_two_samples_of_one_cloud_has_the_stated_size():
    rng = np.random.default_rng(0)
    answers = np.repeat(np.arange(200), 9)
    is_question = np.tile([True] * 3 + [False] * 6, 200)
    result = centroid_distances(rng.normal(size=(1800, 16)), answers, is_question)
    assert np.square(result.distance_A).mean() == pytest.approx(16 * (1 / 3 + 1 / 6), rel=0.05)


def test_centroid_distances_without_any_conversation_are_empty():
    assert len(centroid_distances(np.ones((2, 3)), [0, 1], [True, True]).distance_A) == 0


def test_query_to_answer_distance_is_row_by_row():
    np.testing.assert_allclose(
        query_to_answer_distance(np.array([[3.0, 4], [1, 0]]), np.array([[0, 0], [0, 1]])), [5, 2**0.5]
    )


def test_within_share_worked_by_hand():
    # Centroids 1 and 11: within 4 x 1; mean 6, total 36 + 16 + 16 + 36 = 104... each point is 6 or 4 away.
    share, chance = within_answer_share(np.array([[0.0], [2], [10], [12]]), ["a", "a", "b", "b"])
    assert share == pytest.approx(4 / 104)
    assert chance == pytest.approx((4 - 2) / (4 - 1))


def test_within_share_under_permuted_labels_is_its_chance_value_and_low_if_answers_are_planted():
    rng = np.random.default_rng(0)
    answers = np.repeat(np.arange(40), 5)
    planted = 3 * rng.normal(size=(40, 8))[answers] + rng.normal(size=(200, 8))
    assert within_answer_share(planted, answers).share < 0.15
    permuted = [within_answer_share(planted, rng.permutation(answers)).share for _ in range(500)]
    assert np.mean(permuted) == pytest.approx(160 / 199, abs=0.002)


def test_within_share_of_collapsed_vectors_is_nan():
    collapsed = np.tile(np.random.default_rng(0).normal(size=16), (30, 1))
    assert np.isnan(within_answer_share(collapsed, np.arange(30) // 3).share)


def test_cluster_size_worked_by_hand_leaves_out_single_queries():
    result = cluster_size(np.array([[0.0, 0], [7, 7], [4, 0], [2, 6]]), np.array(["a", "single", "a", "a"]))
    np.testing.assert_allclose(result, [(2 * np.sqrt(8) + 4) / 3])  # centroid (2, 2)


def test_cluster_size_follows_the_planted_spread():
    rng = np.random.default_rng(0)
    answers = np.repeat([0, 1], 500)
    sizes = cluster_size(rng.normal(size=(1000, 64)) * np.where(answers, 0.5, 1.0)[:, None], answers)
    np.testing.assert_allclose(sizes, [8.0, 4.0], rtol=0.02)  # sqrt(64) and half of it


def test_probe_finds_a_planted_direction_with_the_auc_of_the_shift():
    rng = np.random.default_rng(0)
    label = rng.random(3000) < 0.4
    vectors = rng.normal(size=(3000, 10))
    vectors[:, 3] += 1.5 * label
    # Two normals 1.5 apart: AUC = Phi(1.5 / sqrt 2) = 0.8556
    assert linear_probe_auc(vectors, label, np.arange(3000), seed=0) == pytest.approx(0.8556, abs=0.015)


def test_probe_of_a_small_case_has_the_value_that_it_had_with_a_discriminant_of_our_own():
    row_N = np.arange(24)
    label_N = row_N % 3 == 0
    vectors = np.stack([row_N % 5, row_N % 7], axis=1) / 10 + 0.3 * label_N[:, None]
    assert linear_probe_auc(vectors, label_N, row_N // 2, seed=0) == pytest.approx(12 / 13)


def test_probe_is_at_one_half_on_noise_at_collapse_and_at_random_labels():
    rng = np.random.default_rng(0)
    aucs = [linear_probe_auc(rng.normal(size=(90, 20)), rng.random(90) < 0.5, np.arange(90), seed=s) for s in range(60)]
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.02)
    collapsed = np.tile(rng.normal(size=20), (90, 1))
    assert linear_probe_auc(collapsed, np.arange(90) % 2, np.arange(90), seed=0) == 0.5


def test_probe_keeps_groups_whole_so_that_duplicates_do_not_leak():
    # 30 random points, each 10 times, with random labels: only a leak between copies could tell the labels.
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(30), 10)
    vectors, label = rng.normal(size=(30, 60))[group], (rng.random(30) < 0.5)[group]
    assert linear_probe_auc(vectors, label, np.arange(300), seed=0) > 0.95
    whole = [
        linear_probe_auc(rng.normal(size=(30, 60))[group], (rng.random(30) < 0.5)[group], group, seed=s)
        for s in range(40)
    ]
    assert np.mean(whole) == pytest.approx(0.5, abs=0.06)


def test_probe_without_both_labels_is_nan():
    assert np.isnan(linear_probe_auc(np.eye(10), np.zeros(10), np.arange(10), seed=0))


def test_folds_share_the_ones_evenly_and_keep_groups_whole():
    group = np.repeat(np.arange(40), 3)
    label = group < 10
    fold = separation._grouped_folds(label, group, 5, seed=0)
    assert all(len(set(fold[group == g])) == 1 for g in range(40))
    assert np.bincount(fold[label]).tolist() == [6] * 5
    assert (fold != separation._grouped_folds(label, group, 5, seed=1)).any()


def test_silhouette_agrees_with_scikit_learn_also_with_a_point_alone():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    points = rng.normal(size=(12, 5))
    splits = [np.arange(12) < 5, np.arange(12) == 3, rng.random(12) < 0.5]
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    ours = separation._silhouette(np.stack([distance] * 3), np.stack(splits).astype(float))
    np.testing.assert_allclose(ours, [metrics.silhouette_score(points, split) for split in splits])


def test_best_split_of_few_points_is_nearly_always_the_best_of_all_splits():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 8, 3))
    points -= points.mean(axis=1, keepdims=True)
    splits = np.array([[code >> i & 1 for i in range(8)] for code in range(1, 128)], dtype=float)
    within = np.zeros((300, 127))
    for side in (splits, 1 - splits):
        means = np.einsum("cn,snd->scd", side, points) / side.sum(axis=1)[:, None]
        within += np.einsum("cn,scn->sc", side, np.square(points[:, None] - means[:, :, None]).sum(axis=3))
    distance = np.linalg.norm(points[:, :, None] - points[:, None], axis=3)
    best = separation._silhouette(distance, splits[within.argmin(axis=1)])
    found, after_one_round = (np.isclose(separation._best_silhouette(points, rounds=r), best).mean() for r in (20, 1))
    assert found > 0.9  # points without structure are the hard case
    assert found > after_one_round


def test_a_step_of_two_means_sends_each_point_to_the_nearer_mean():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(15, 3))
    points -= points.mean(axis=0)
    for n_1 in (1, 4, 14):
        one = np.arange(15) < n_1
        means = points[one].mean(axis=0), points[~one].mean(axis=0)
        nearer = np.linalg.norm(points - means[0], axis=1) <= np.linalg.norm(points - means[1], axis=1)
        split, explained = separation._nearer_mean(one[None, None].astype(float), (points @ points.T)[None])
        np.testing.assert_array_equal(split[0, 0], nearer)
        assert explained[0, 0] == pytest.approx(n_1 * (means[0] ** 2).sum() + (15 - n_1) * (means[1] ** 2).sum())


def test_an_answer_with_two_planted_topics_is_above_its_null_and_healthy_ones_are_not():
    rng = np.random.default_rng(0)
    answers = np.repeat([f"a{i:02}" for i in range(41)], 16)
    vectors = rng.normal(size=(len(answers), 24))
    topic = np.repeat(rng.normal(size=(2, 24)) * 2, 8, axis=0)
    vectors[answers == "a07"] = 10 + topic + 0.5 * rng.normal(size=(16, 24))
    result = answer_mixes(vectors, answers, seed=0)
    above = result.silhouette_A > result.null_95_A
    assert above[result.answer_A == "a07"].all()
    assert result.silhouette_A[result.answer_A == "a07"] > 0.5
    assert above.sum() - 1 <= 6  # 5 % of 40 healthy answers is 2; 6 or more happen once in 70 runs


def test_a_long_single_cloud_is_no_mixture_though_two_means_splits_it():
    rng = np.random.default_rng(1)
    long = rng.normal(size=(40, 8)) * np.array([10.0, 1, 1, 1, 1, 1, 1, 1])
    result = answer_mixes(long, np.zeros(40), seed=0)
    assert result.silhouette_A[0] > 0.4
    assert result.silhouette_A[0] < result.null_95_A[0]


def test_answer_mixes_leaves_out_small_answers_samples_large_ones_and_is_repeatable():
    rng = np.random.default_rng(0)
    answers = np.repeat([3, 1, 2], [3, 4, 200])
    vectors = rng.normal(size=(207, 6))
    result = answer_mixes(vectors, answers, seed=0, draws=20)
    assert result.answer_A.tolist() == [1, 2]
    unsampled = answer_mixes(vectors, answers, seed=0, draws=20, sample=200)
    assert (unsampled.silhouette_A == result.silhouette_A).tolist() == [True, False]
    for ours, again in zip(result, answer_mixes(vectors, answers, seed=0, draws=20), strict=True):
        np.testing.assert_array_equal(ours, again)
    assert (answer_mixes(vectors, answers, seed=1, draws=20).null_95_A != result.null_95_A).all()


def test_coinciding_queries_are_no_mixture():
    result = answer_mixes(np.tile(np.random.default_rng(0).normal(size=9), (6, 1)), np.zeros(6), seed=0, draws=20)
    assert (result.silhouette_A[0], result.null_95_A[0]) == (0.0, 0.0)
