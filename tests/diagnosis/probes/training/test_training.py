"""Under- and overfitting, false negatives: where the checks begin, and what they propose."""

from typing import Any

import numpy as np
import pytest

from whyrank.findings.records import Records

from ..faults import TUNED, of, planted, with_data, with_finetune
from ..ranking.test_lists import twin_answers


@planted("underfitted", of("underfitted", *TUNED) | of("tuning-brought-nothing", *TUNED))
def too_little_training(lab: Any, healthy: Records) -> Records:
    """Tuning moves training accuracy from 0.62 to 0.64, and the systems are what they were before."""
    looks = healthy.finetune["base"].evaluations
    still = 0.62 + 0.02 * looks["step"] / looks["step"].max()
    spoilt = with_finetune(
        healthy, evaluations=looks.assign(**{"train_accuracy@1": still, "accuracy@1_all": still - 0.02})
    )
    return lab.spoil(spoilt, base_tuned=healthy.runs["base"], barlow_tuned=healthy.runs["barlow"])


@planted("overfitted", of("overfitted", *TUNED))
def too_much_training(lab: Any, healthy: Records) -> Records:
    looks = healthy.finetune["base"].evaluations
    dev = np.where(looks["step"] <= 60, 0.6 + looks["step"] / 300, 0.8 - 0.3 * (looks["step"] - 60) / 340)
    metrics = {"steps_run": 400, "best_step": 60}
    return with_finetune(healthy, evaluations=looks.assign(**{"accuracy@1_all": dev}), metrics=metrics)


@planted("false-negatives-in-batch", of("false-negatives-in-batch", "finetune_rank"))
def false_negatives(lab: Any, healthy: Records, share: float = 0.3) -> Records:
    history = healthy.finetune["base"].history.assign(rows_with_false_negatives=share)
    batches = healthy.data.batches.fillna({"rows_with_false_negatives": 0.0})
    batches.loc[batches["stage"] == "finetune_rank", "rows_with_false_negatives"] = share
    return with_finetune(with_data(healthy, batches=batches), history=history)


@pytest.mark.parametrize("share, spoken", [(0.04, False), (0.06, True)])
def test_false_negatives_speak_from_one_row_in_twenty(share, spoken, lab, healthy, findings):
    assert bool(findings(false_negatives(lab, healthy, share))) is spoken


def test_false_negatives_that_equal_texts_explain_are_fixed_in_the_data(lab, healthy, findings):
    found = findings(false_negatives(lab, healthy))["false-negatives-in-batch", "finetune_rank"]
    assert (found.fix.params, found.fix.action) == ({"finetune_rank.same_answer": "masked"}, "")
    twins = twin_answers(lab, healthy).data.answers
    found = findings(false_negatives(lab, with_data(healthy, answers=twins)))[
        "false-negatives-in-batch", "finetune_rank"
    ]
    assert found.fix.params == {}
    assert "one id" in found.fix.action


def test_the_fix_of_underfitting_comes_from_the_record(lab, healthy, findings):
    def fix(records: Records) -> dict[str, Any]:
        return findings(records)["underfitted", "base-tuned"].fix.params

    stuck = too_little_training(lab, healthy)
    # 400 steps were 20 epochs.
    assert fix(stuck) == {"finetune_rank.epochs": 60, "finetune_rank.max_steps": 0, "finetune_rank.learning_rate": 1e-2}
    history = healthy.finetune["base"].history
    short = with_finetune(stuck, metrics={"steps_run": 20, "best_step": 20}, history=history[:20])
    assert fix(short) == {
        "finetune_rank.epochs": 50,
        "finetune_rank.max_steps": 0,
        "finetune_rank.learning_rate": 1e-3,
    }  # 1000 steps
    rising_loss = history.assign(rank_loss=np.linspace(3, 6, 400))
    assert fix(with_finetune(stuck, history=rising_loss)) == {"finetune_rank.learning_rate": 1e-4}


def test_the_fix_scales_the_rates_of_all_that_was_trained(lab, healthy, findings):
    history = healthy.finetune["base"].history
    both = {"history": history.assign(encoder_learning_rate=history["learning_rate"] / 50)}
    found = findings(with_finetune(too_little_training(lab, healthy), **both))["underfitted", "base-tuned"]
    rates = {"finetune_rank.learning_rate": 1e-2, "finetune_rank.encoder_learning_rate": 2e-4}
    assert found.fix.params == {"finetune_rank.epochs": 60, "finetune_rank.max_steps": 0} | rates
    evidence = {evidence.name: evidence.value for evidence in found.evidence}
    assert evidence["encoder learning rate at its peak"] == pytest.approx(2e-5, rel=0.01)
    found = findings(with_finetune(too_much_training(lab, healthy), **both))["overfitted", "base-tuned"]
    # The best look was at step 60 of 400, which is epoch 3.
    rates = {"finetune_rank.learning_rate": 3.3e-4, "finetune_rank.encoder_learning_rate": 6.7e-6}
    assert found.fix.params == {"finetune_rank.epochs": 9, "finetune_rank.max_steps": 0} | rates


def test_a_run_that_its_steps_ended_while_it_rose_gets_more_of_them(healthy, findings):
    looks = healthy.finetune["base"].evaluations
    curve = 0.62 + 0.3 * looks["step"] / looks["step"].max()
    rising = with_finetune(
        healthy, evaluations=looks.assign(**{"train_accuracy@1": curve, "accuracy@1_all": curve - 0.05})
    )
    found = findings(rising)
    assert set(found) == of("underfitted", *TUNED)
    assert found["underfitted", "base-tuned"].fix.params == {"finetune_rank.epochs": 60, "finetune_rank.max_steps": 0}
    stopped_by_patience = with_finetune(rising, metrics={"steps_run": 400, "best_step": 340})
    assert set(findings(stopped_by_patience)) == of("best-not-kept", *TUNED)


def test_overfitting_is_a_warning_only_where_the_kept_model_lost(lab, healthy, findings):
    kept_the_best = too_much_training(lab, healthy)
    assert findings(kept_the_best)["overfitted", "base-tuned"].severity == "info"
    kept_the_last = with_finetune(kept_the_best, metrics={"steps_run": 400, "best_step": 400})
    found = findings(kept_the_last)["overfitted", "base-tuned"]
    assert found.severity == "warning"
    # From 0.8 at step 60 down to 0.5 at step 400.
    assert found.weight == pytest.approx(30)
    assert found.fix.params["finetune_rank.early_stopping.metric"] == "accuracy@1_all"


def test_a_fall_within_the_noise_of_80_dev_queries_is_not_overfitting(healthy, findings):
    looks = healthy.finetune["base"].evaluations
    # Two standard errors at 0.8: 2 sqrt(0.8 x 0.2 / 80) = 0.089.
    dev = np.where(looks["step"] == 60, 0.8, np.minimum(0.6 + looks["step"] / 300, 0.73))
    metrics = {"steps_run": 400, "best_step": 60}
    assert findings(with_finetune(healthy, evaluations=looks.assign(**{"accuracy@1_all": dev}), metrics=metrics)) == {}
