"""A loss beside its own arithmetic, and beside the ranking that it should improve."""

from typing import Any

import numpy as np
import pytest

from whyrank.findings.records import Records

from ..faults import TUNED, flat, of, planted, with_history


@planted("first-loss-off", of("first-loss-off", *TUNED))
def shifted_targets(lab: Any, healthy: Records) -> Records:
    """Each query is trained towards the answer of the one before it."""
    return with_history(healthy, targets_right=0.1)


@planted("impossible-loss", of("impossible-loss", *TUNED))
def below_zero(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, similarity_loss=-0.5)


@planted("loss-without-learning", of("loss-without-learning", *TUNED))
def loss_alone(lab: Any, healthy: Records) -> Records:
    return flat(with_history(healthy, rank_accuracy=0.6), 0.62, 0.62)


@pytest.mark.parametrize(
    ("factor", "cause"), [(-1.0, "sign of the loss is flipped"), (10.0, "sum in place of a mean"), (0.5, "0.5 times")]
)
def test_a_loss_that_is_not_the_cross_entropy_of_the_right_answers_says_how_it_differs(
    factor, cause, healthy, findings
):
    loss = healthy.finetune["base"].history["rank_loss"]
    found = findings(with_history(healthy, rank_loss=factor * loss, rank_expected_loss=loss))[
        "first-loss-off", "base-tuned"
    ]
    assert cause in found.cause and found.severity == "error"


def test_a_training_pass_that_ranks_far_worse_than_the_evaluation_of_the_same_weights_is_wrong(healthy, findings):
    found = findings(with_history(healthy, rank_accuracy=0.1))["first-loss-off", "base-tuned"]
    assert "evaluation of the same weights finds it for 62 %" in found.sentence
    # 50 rows are too few to tell 0.5 from 0.62.
    assert ("first-loss-off", "base-tuned") not in findings(with_history(healthy, rank_accuracy=0.5))


def test_copies_of_the_right_answer_in_a_batch_are_no_fault_of_the_training_pass(healthy, findings):
    low = {"rank_accuracy": 0.3, "update_block_5": 0.0}
    assert ("first-loss-off", "base-tuned") in findings(with_history(healthy, **low, rows=64))
    copies = with_history(healthy, **low, rows=64, rows_with_false_negatives=0.5)
    assert ("first-loss-off", "base-tuned") not in findings(copies)


def test_long_first_steps_are_no_fault_of_the_training_pass(healthy, findings):
    """After a step that changed the weights, the evaluation before it says nothing."""
    accuracy = np.where(np.arange(400) == 0, 0.6, 0.02)
    assert ("first-loss-off", "base-tuned") not in findings(
        with_history(healthy, rank_accuracy=accuracy, update_block_5=0.1)
    )


def test_a_loss_below_what_its_errors_cost_is_impossible(healthy, findings):
    # 40 % of the rows are wrong: at least 0.4 ln 2 = 0.28.
    spoilt = with_history(healthy, rank_accuracy=0.6, rank_loss=0.2, rank_expected_loss=0.2)
    assert findings(spoilt)["impossible-loss", "base-tuned"].severity == "error"


def test_a_loss_that_hardly_fell_owes_no_ranking(healthy, findings):
    still = {"rank_loss": 3.0, "rank_expected_loss": 3.0, "rank_accuracy": 0.6}
    assert ("loss-without-learning", "base-tuned") not in findings(flat(with_history(healthy, **still), 0.62, 0.62))


def test_training_queries_that_improve_are_learning(healthy, findings):
    assert ("loss-without-learning", "base-tuned") not in findings(
        flat(with_history(healthy, rank_accuracy=0.6), 0.62, 0.7)
    )
