"""What a batch is by the judgements, beside its targets and its loss."""

import numpy as np
import pytest
import scipy.sparse
import torch

from whyrank.training.ranking.coverage import Coverage
from whyrank.training.ranking.hard_negatives import near
from whyrank.training.ranking.judged import figures, judged
from whyrank.training.ranking.losses import ranking_cross_entropy


def batch(size=6, seed=0):
    random = np.random.default_rng(seed)
    query_BD, answer_CD = (torch.as_tensor(random.standard_normal((size, 4)), dtype=torch.float32) for _ in range(2))
    return query_BD, answer_CD, torch.tensor(2.0), np.eye(size, dtype=bool)


def test_the_expected_loss_is_the_cross_entropy_of_right_targets_whatever_the_targets_are():
    query_BD, answer_CD, scale, right_BC = batch()
    own = np.arange(6)
    expected = ranking_cross_entropy(query_BD @ answer_CD.T * scale, torch.as_tensor(own), torch.as_tensor(right_BC))
    for target in (own, np.roll(own, 1)):
        found = judged(right_BC, target, mask=True)
        assert found.own_B.tolist() == own.tolist()
        assert figures(query_BD, answer_CD, scale, found)["rank_expected_loss"] == pytest.approx(
            expected.item(), rel=1e-5
        )


def test_blocks_give_what_one_table_gives_and_other_right_answers_are_left_out():
    query_BD, answer_CD, scale, right_BC = batch()
    right_BC[0, 1] = right_BC[3, 4] = True
    found = judged(right_BC, np.arange(6), mask=True)
    whole, parts = (figures(query_BD, answer_CD, scale, found, table=size) for size in (1000, 7))
    assert parts == pytest.approx(whole)
    expected = ranking_cross_entropy(query_BD @ answer_CD.T * scale, torch.arange(6), torch.as_tensor(right_BC))
    assert whole["rank_expected_loss"] == pytest.approx(expected.item(), rel=1e-5)


def test_equal_scores_are_half_right_and_have_all_the_entropy():
    found = figures(
        torch.zeros(4, 3), torch.ones(4, 3), torch.tensor(1.0), judged(np.eye(4, dtype=bool), np.arange(4), mask=True)
    )
    assert found == pytest.approx({"rank_accuracy": 0.5, "rank_entropy": 1.0, "rank_expected_loss": np.log(4)})


def test_without_a_right_candidate_a_batch_says_nothing():
    found = judged(np.zeros((3, 3), dtype=bool), np.arange(3), mask=True)
    assert found.own_B.tolist() == [-1, -1, -1]
    assert set(figures(torch.ones(3, 2), torch.ones(3, 2), torch.tensor(1.0), found).values()) == {0.0}


def test_queries_are_counted_once_and_a_batch_in_the_order_of_the_data_has_small_gaps(topics):
    train = topics.rows("train")
    coverage = Coverage(topics)
    in_order = coverage.of_batch(train[:8])
    assert in_order["queries_seen"] == 8 and in_order["row_gap"] == pytest.approx(3 / 48)
    assert coverage.of_batch(train[:8])["queries_seen"] == 8
    random = np.random.default_rng(0)
    gaps = [Coverage(topics).of_batch(random.permutation(train)[:16])["row_gap"] for _ in range(50)]
    assert np.mean(gaps) == pytest.approx(1.0, abs=0.1)


def test_mined_negatives_that_score_as_the_right_answer_are_counted():
    query, answer = torch.eye(2), torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.96, 0.0], [0.5, 0.1]])
    right_QA = scipy.sparse.csr_matrix(np.array([[1, 0, 0, 1], [0, 1, 0, 0]]))
    found = near(query, answer, np.array([0, 1]), np.array([0, 1]), np.array([[2, 3], [3, -1]]), right_QA)
    assert found == pytest.approx({"negatives_near": 1 / 3, "negatives_right": 1 / 3})
