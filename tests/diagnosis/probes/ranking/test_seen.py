"""What batches showed, how sharp the softmax was, what tuning brought, and what was kept."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from whyrank.findings.records import Records

from ..faults import TUNED, of, planted, unchanged, with_data, with_finetune, with_history, with_looks, with_params
from .test_representation import types_apart


@planted("batches-not-mixed", of("batches-not-mixed", *TUNED))
def in_order(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, row_gap=0.05)


@planted("rows-never-seen", of("rows-never-seen", *TUNED))
def first_tenth(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, queries_seen=20)


@planted("hard-negatives-are-right", of("hard-negatives-are-right", *TUNED))
def too_hard(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, negatives_near=0.5, negatives_right=0.0)


@planted("temperature-saturates", of("temperature-saturates", *TUNED))
def sharp(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, rank_entropy=0.01, scale=100.0)


@planted("temperature-flattens", of("temperature-flattens", *TUNED))
def dull(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, rank_entropy=0.99, scale=1.0)


@planted("tuning-brought-nothing", of("tuning-brought-nothing", *TUNED))
def as_before(lab: Any, healthy: Records) -> Records:
    return unchanged(lab, healthy)


@planted("no-headroom", of("no-headroom", *TUNED))
def solved(lab: Any, healthy: Records) -> Records:
    table = healthy.data.table("sanity").assign(before=1.0, after=1.0)
    easy = with_data(healthy, tables=healthy.data.tables | {"sanity": table})
    return with_looks(with_history(easy, rank_accuracy=0.98), **{"train_accuracy@1": 0.98})


@planted("source-hurts", of("source-hurts", *TUNED))
def one_type_loses(lab: Any, healthy: Records) -> Records:
    return types_apart(lab, healthy, apart=0.0)


@planted("best-not-kept", of("best-not-kept", *TUNED))
def kept_early(lab: Any, healthy: Records) -> Records:
    return with_finetune(healthy, metrics={"steps_run": 400, "best_step": 20})


@planted("few-evaluations", of("few-evaluations", *TUNED))
def two_looks(lab: Any, healthy: Records) -> Records:
    record = healthy.finetune["base"]
    looks = record.evaluations[record.evaluations["step"].isin([0, 20, 60])]
    metrics = {"steps_run": 60, "best_step": 60}
    return with_finetune(healthy, evaluations=looks, history=record.history[:60], metrics=metrics)


def test_more_evaluations_are_had_whatever_number_of_steps_lay_between_them(lab, healthy, findings):
    assert findings(two_looks(lab, healthy))["few-evaluations", "base-tuned"].fix.params == {
        "finetune_rank.early_stopping.eval_steps": 0,
        "finetune_rank.early_stopping.evaluations": 8,
        "finetune_rank.early_stopping.patience": 3,
    }


def cut_short(healthy: Records, *, every: int = 1, made: int = 3, end: float = 0.62) -> Records:
    """Patience ended training after `made` of 400 steps of 10 of 200 pairs, evaluated `every` step."""
    record = healthy.finetune["base"]
    steps = list(range(0, made + 1, every))
    looks = record.evaluations.head(len(steps)).assign(step=steps, **{"accuracy@1_all": 0.62})
    looks["train_accuracy@1"] = np.linspace(0.62, end, len(steps))
    metrics = {"steps_run": made, "best_step": 0}
    return with_finetune(healthy, evaluations=looks, history=record.history[:made], metrics=metrics)


def test_patience_that_ends_a_training_within_its_first_steps_is_too_short(healthy, findings):
    found = findings(cut_short(healthy))["few-evaluations", "base-tuned"]
    assert found.severity == "warning" and "after 3 of 400 steps" in found.sentence
    assert found.fix.params["finetune_rank.early_stopping.patience"] == 3
    assert found.fix.params["finetune_rank.early_stopping.eval_steps"] == 0


@pytest.mark.parametrize("right", [{"end": 0.4}, {"made": 40, "every": 20}, {"made": 16, "every": 8}])
def test_patience_was_right_where_training_got_worse_or_a_round_was_made(right, healthy, findings):
    told = findings(cut_short(healthy, **right)).get(("few-evaluations", "base-tuned"))
    assert told is None or told.severity == "info"


def test_batches_as_large_as_the_data_have_no_order(healthy, findings):
    assert ("batches-not-mixed", "base-tuned") not in findings(with_history(healthy, row_gap=0.05, rows=150))


def test_a_short_training_is_told_from_rows_that_are_left_out(healthy, findings):
    record = healthy.finetune["base"]
    short = with_finetune(healthy, history=record.history[:5], metrics={"steps_run": 5, "best_step": 400})
    found = findings(short)["rows-never-seen", "base-tuned"]
    assert found.severity == "info" and found.fix.params["finetune_rank.epochs"] == 1.0


def test_batches_that_one_step_sums_count_each_for_itself(healthy, findings):
    # 10 steps of 4 batches of 10 of the 200 training pairs, which make two rounds, from a tenth of them.
    record = healthy.finetune["base"]
    short = with_finetune(healthy, history=record.history[:10].assign(queries_seen=20))
    found = findings(with_params(short, finetune_rank__gradient_accumulation_steps=4))["rows-never-seen", "base-tuned"]
    assert found.severity == "warning" and "though 400 rows were drawn from 200 training pairs" in found.sentence


def test_mined_negatives_that_are_judged_right_speak_at_once(healthy, findings):
    found = findings(with_history(healthy, negatives_near=0.0, negatives_right=0.02))
    assert "2.0 % of the mined negatives are relevant" in found["hard-negatives-are-right", "base-tuned"].sentence


def test_a_softmax_that_is_sure_and_right_is_no_fault(healthy, findings):
    assert ("temperature-saturates", "base-tuned") not in findings(
        with_history(healthy, rank_entropy=0.01, rank_accuracy=0.97)
    )


def test_cosines_at_the_usual_scale_have_no_wrong_temperature_whatever_their_softmax(healthy, findings):
    usual = {"query_norm": 1.0, "scale": 20.0}
    for entropy, code in ((0.01, "temperature-saturates"), (0.99, "temperature-flattens")):
        assert (code, "base-tuned") not in findings(with_history(healthy, rank_entropy=entropy, **usual))
        other = findings(with_history(healthy, rank_entropy=entropy, **usual | {"query_norm": 9.0}))
        assert (code, "base-tuned") in other


def test_scores_that_rank_well_and_cost_more_than_guessing_are_too_sharp(healthy, findings):
    loss = np.linspace(8, 2, 400)
    found = findings(with_history(healthy, rank_loss=loss, rank_expected_loss=loss, scale=100.0, logit_std=10.0))
    assert found["temperature-saturates", "base-tuned"].fix.params == {"finetune_rank.similarity.scale": 20.0}


def test_steps_that_drew_another_objective_say_nothing_of_the_temperature(healthy, findings):
    history = healthy.finetune["base"].history
    ours = [name for name in history if str(name).startswith("rank_") or name in ("scale", "logit_std", "candidates")]
    drawn = history.copy()
    drawn.loc[drawn.index[:30], ours] = np.nan
    codes = {code for code, _ in findings(with_finetune(healthy, history=drawn))}
    assert not codes & {"temperature-saturates", "temperature-flattens"}
    never = history.assign(**dict.fromkeys(ours, np.nan))
    assert not {code for code, _ in findings(with_finetune(healthy, history=never))} & {"temperature-flattens"}


def test_a_flat_softmax_of_scores_that_tell_nothing_apart_is_another_fault(healthy, findings):
    assert ("temperature-flattens", "base-tuned") not in findings(
        with_history(healthy, rank_entropy=0.99, rank_accuracy=0.05)
    )


def test_weights_from_before_training_are_named_as_what_brought_nothing(lab, healthy, findings):
    down = np.linspace(0.6, 0.5, 21)
    falling = with_looks(unchanged(lab, healthy), choice=down, **{"accuracy@1_all": down})
    spoilt = with_finetune(falling, metrics={"steps_run": 400, "best_step": 0})
    found = findings(spoilt)["tuning-brought-nothing", "base-tuned"]
    assert "the one before the first step" in found.cause
    # Early stopping did what it is there for.
    assert found.severity == "info"
    assert findings(as_before(lab, healthy))["tuning-brought-nothing", "base-tuned"].severity == "warning"
    # Dev had been better, and the weights from before were kept all the same.
    turned = with_looks(spoilt, **{"accuracy@1_all": down[::-1]})
    assert findings(turned)["tuning-brought-nothing", "base-tuned"].severity == "warning"


def test_queries_that_pretraining_has_solved_are_not_told_as_too_easy(healthy, findings):
    looks = healthy.finetune["base"].evaluations
    solved_looks = looks.assign(**{"train_accuracy@1": 0.98})
    finetune = healthy.finetune | {"barlow": replace(healthy.finetune["barlow"], evaluations=solved_looks)}
    assert ("no-headroom", "barlow-tuned") not in findings(replace(healthy, finetune=finetune))


def test_the_metric_that_chooses_decides_what_is_the_best_evaluation(healthy, findings):
    early = np.where(healthy.finetune["base"].evaluations["step"] == 20, 0.9, 0.5)
    assert ("best-not-kept", "base-tuned") not in findings(with_looks(kept_early(None, healthy), choice=early))


def test_labels_that_contradict_dev_are_not_told_as_too_few_steps(lab, healthy, findings):
    from ..training.test_training import too_little_training

    stuck = too_little_training(lab, healthy)
    assert ("underfitted", "base-tuned") in findings(stuck)
    table = healthy.data.table("sanity")
    worse = table.assign(after=table["after"].where((table["training"] != "labels") | (table["part"] != "dev"), 0.4))
    data = replace(stuck.data, tables=stuck.data.tables | {"sanity": worse})
    assert ("underfitted", "base-tuned") not in findings(replace(stuck, data=data))
