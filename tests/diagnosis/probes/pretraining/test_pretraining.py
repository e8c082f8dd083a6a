"""Pretraining: where the checks begin, and what they propose."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from whyrank.findings.records import Records, TrainingRecord
from whyrank.measure.metrics import geometry
from whyrank.preflight.probes.batches import SAFE_PRETRAINING

from ..faults import of, planted, with_data, with_params


def one_answer_per_batch(record: TrainingRecord) -> TrainingRecord:
    history = record.history.assign(distinct_answers=1, rows=5, noise_floor=5**-0.5, mean_diagonal=0.02, invariance=1.1)
    return replace(record, history=history)


# It costs accuracy before and after tuning; before tuning it falls below the floors.
@planted(
    "barlow-single-answer-batches",
    of("barlow-single-answer-batches", "pretrain_barlow")
    | of("pretraining-hurts", "barlow", "barlow-tuned")
    | of("worse-than-lexical", "barlow"),
)
def single_answer_batches(lab: Any, healthy: Records) -> Records:
    """Pretraining removes most of what identifies the answer, and the ranking on top does not recover."""
    barlow, tuned = lab.vectors(0.4) - 0.6 * lab.answer_AD[lab.own_N], lab.vectors(0.42)
    spoilt = lab.spoil(healthy, barlow=lab.run(barlow), barlow_tuned=lab.run(tuned))
    return replace(spoilt, barlow=one_answer_per_batch(healthy.barlow))


@planted("pretraining-overfits", of("pretraining-overfits", "pretrain_barlow") | of("pretraining-hurts", "barlow"))
def learnt_by_heart(lab: Any, healthy: Records) -> Records:
    """Pretraining puts training queries onto their answers, and the others further away; tuning brings them back."""
    is_train_N1 = (healthy.data.queries["split"] == "train").to_numpy()[:, None]
    return lab.spoil(healthy, barlow=lab.run(np.where(is_train_N1, lab.vectors(0.05), lab.vectors(0.43))))


@planted("pretraining-hurts", of("pretraining-hurts", "barlow-tuned") | of("tuning-brought-nothing", "barlow-tuned"))
def pretraining_hurts(lab: Any, healthy: Records) -> Records:
    return lab.spoil(healthy, barlow_tuned=lab.run(lab.vectors(0.40)))


@planted("pretraining-helps", of("pretraining-helps", "barlow-tuned"))
def pretraining_helps(lab: Any, healthy: Records) -> Records:
    return lab.spoil(healthy, barlow_tuned=lab.run(lab.vectors(0.22)))


@planted("scale-mismatch-after-pretraining", of("scale-mismatch-after-pretraining", "barlow-tuned"))
def long_vectors(lab: Any, healthy: Records) -> Records:
    """The pretrained head's vectors are 20 times as long, and the score is a dot product."""
    runs = {name: replace(run, metrics=run.metrics | {"score_kind_cosine": 0.0}) for name, run in healthy.runs.items()}
    # Of unit length, so that their dot products are the cosines that were ranked.
    runs = {
        name: run if run.query_vectors is None else replace(run, query_vectors=geometry.unit_rows(run.query_vectors))
        for name, run in runs.items()
    }
    runs["barlow"] = lab.run(20 * lab.vectors(0.395))
    after = healthy.finetune["barlow"]
    after = replace(after, history=after.history.assign(logit_std=80.0))
    return replace(healthy, runs=runs, finetune=healthy.finetune | {"barlow": after})


def test_where_batches_hold_one_answer_that_is_what_the_fix_of_the_symptom_fixes(lab, healthy, findings):
    fixed = SAFE_PRETRAINING
    found = findings(single_answer_batches(lab, healthy))
    assert found["barlow-single-answer-batches", "pretrain_barlow"].fix.params == fixed
    assert found["pretraining-hurts", "barlow-tuned"].fix.params == fixed
    unknown = findings(pretraining_hurts(lab, healthy))["pretraining-hurts", "barlow-tuned"]
    assert unknown.fix.params == {"pretrain_barlow.steps": 0}


def test_single_answers_are_seen_in_the_history_alone_and_not_where_the_diagonal_left_chance(lab, healthy, findings):
    spoilt = replace(healthy, barlow=one_answer_per_batch(healthy.barlow))
    assert set(findings(spoilt)) == of("barlow-single-answer-batches", "pretrain_barlow")
    # 1 / sqrt(5) = 0.447 is the noise of one feature.
    found_something = spoilt.barlow.history.assign(mean_diagonal=0.46)
    assert findings(replace(spoilt, barlow=replace(spoilt.barlow, history=found_something))) == {}
    two_answers = spoilt.barlow.history.assign(distinct_answers=2)
    assert findings(replace(spoilt, barlow=replace(spoilt.barlow, history=two_answers))) == {}


def test_pretraining_that_was_off_is_not_judged_by_batches_nobody_trained_on(healthy, findings):
    batches = healthy.data.batches.assign(distinct_answers=1)
    off = TrainingRecord({"steps": 0}, healthy.barlow.history.iloc[:0])
    runs = healthy.runs | {"barlow": healthy.runs["base"], "barlow-tuned": healthy.runs["base-tuned"]}
    assert findings(replace(with_data(healthy, batches=batches), barlow=off, runs=runs)) == {}


def test_a_difference_within_luck_is_not_spoken_of(lab, healthy, findings):
    slightly = lab.run(lab.vectors(0.31))
    difference = slightly.queries["accuracy@1"].mean() - healthy.runs["base-tuned"].queries["accuracy@1"].mean()
    assert -0.03 < difference < 0
    assert findings(lab.spoil(healthy, barlow_tuned=slightly)) == {}


def test_logits_of_another_size_do_not_matter_to_the_cosine(lab, healthy, findings):
    spoilt = long_vectors(lab, healthy)
    cosine = {name: replace(run, metrics=run.metrics | {"score_kind_cosine": 1.0}) for name, run in spoilt.runs.items()}
    assert findings(replace(spoilt, runs=cosine)) == {}


@pytest.mark.parametrize("logit_std, spoken", [(9.5, False), (10.5, True), (0.45, False), (0.35, True)])
def test_a_factor_of_five_in_the_spread_of_logits_is_a_mismatch(logit_std, spoken, lab, healthy, findings):
    spoilt = long_vectors(lab, healthy)
    after = spoilt.finetune["barlow"]
    after = replace(after, history=after.history.assign(logit_std=logit_std))  # 2.0 from base
    assert bool(findings(replace(spoilt, finetune=spoilt.finetune | {"barlow": after}))) is spoken


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        ({"kind": "none"}, ""),
        ({"kind": "residual", "hidden": 384, "dropout": 0.1, "output": 8}, ""),
        ({"kind": "experts"}, "`finetune_rank.head.kind` is experts and `pretrain_barlow.head.kind` residual. With"),
        (
            {"kind": "residual", "dropout": 0.1},
            "`finetune_rank.head.hidden` is 768 and `pretrain_barlow.head.hidden` 384. With",
        ),
    ],
)
def test_a_loss_of_pretraining_tells_unlike_heads(heads, said, lab, healthy, findings):
    worse = lab.run(lab.vectors(0.6))
    spoilt = with_params(lab.spoil(healthy, **{"barlow": worse, "barlow-tuned": worse}), finetune_rank__head=heads)
    cause = findings(spoilt)["pretraining-hurts", "barlow-tuned"].cause
    assert said in cause and ("Their heads differ, too" in cause) == bool(said)
    dropped = with_params(spoilt, finetune_rank__head=heads, finetune_rank__barlow_head="drop")
    assert "Their heads differ" not in findings(dropped)["pretraining-hurts", "barlow-tuned"].cause


def test_what_is_learnt_by_heart_is_told_with_both_agreements_and_fixed_as_its_symptom_is(lab, healthy, findings):
    found = findings(learnt_by_heart(lab, healthy))
    overfits = found["pretraining-overfits", "pretrain_barlow"]
    assert overfits.fix.params == found["pretraining-hurts", "barlow"].fix.params == SAFE_PRETRAINING
    train_before, train_after, test_before, test_after = (evidence.value for evidence in overfits.evidence[:4])
    assert train_after > train_before + 0.1 and test_after < test_before
    # A query is its answer's direction plus noise: feature correlation of two queries of one answer is
    # v / (v + noise^2) with v = 1/64, and 1/64 / (1/64 + .4^2) = .09.
    assert test_before == pytest.approx(0.09, abs=0.04)


def test_agreement_that_rises_on_test_texts_too_is_learning_and_not_spoken_of(lab, healthy, findings):
    better = lab.spoil(healthy, barlow=lab.run(lab.vectors(0.1)))
    assert ("pretraining-overfits", "pretrain_barlow") not in findings(better)
