"""Rankings, ties and hubs: where their probes begin to speak, and what they propose."""

import pytest

from whyrank.diagnosis.probes.ranking import lists

from ..planted import ENCODERS, TUNED, head_from_scratch, hub, lexical_task, of, twin_answers, with_finetune


def test_an_untuned_encoder_below_the_floor_is_worth_knowing_and_a_tuned_one_a_warning(lab, healthy, findings):
    found = findings(lexical_task(lab, healthy))
    severities = {system: finding.severity for (_, system), finding in found.items()}
    assert severities == {"base": "info", "barlow": "info", "base-tuned": "warning", "barlow-tuned": "warning"}
    tuned, floor = healthy.runs["base-tuned"], lexical_task(lab, healthy).runs["bm25"]
    cost = 100 * (floor.queries["accuracy@1"].mean() - tuned.queries["accuracy@1"].mean())
    assert found["worse-than-lexical", "base-tuned"].weight == pytest.approx(cost)


def test_a_head_that_starts_from_scratch_is_told_to_start_from_the_encoder(lab, healthy, findings):
    found = findings(head_from_scratch(lab, healthy))
    assert found["worse-than-zero-shot", "base-tuned"].fix.params == {"finetune_rank.head.kind": "residual"}
    assert found["worse-than-zero-shot", "barlow-tuned"].fix.params == {"finetune_rank.barlow_head": "inherit"}


def test_a_run_that_started_from_the_encoder_and_left_it_is_told_to_take_shorter_steps(lab, healthy, findings):
    tuned = lab.run(lab.vectors(0.47))
    found = findings(lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned))
    assert set(found) == of("worse-than-zero-shot", *TUNED)
    # The healthy history has its peak at 1e-3.
    assert found["worse-than-zero-shot", "base-tuned"].fix.params == {
        "finetune_rank.learning_rate": 1e-4,
        "finetune_rank.early_stopping.metric": "accuracy@1_all",
    }


def test_where_the_encoder_was_trained_too_its_steps_are_shortened_as_well(lab, healthy, findings):
    tuned, history = lab.run(lab.vectors(0.47)), healthy.finetune["base"].history
    spoilt = with_finetune(healthy, history=history.assign(encoder_learning_rate=history["learning_rate"] / 50))
    fix = findings(lab.spoil(spoilt, base_tuned=tuned, barlow_tuned=tuned))["worse-than-zero-shot", "base-tuned"].fix
    rates = {key: value for key, value in fix.params.items() if "rate" in key}
    assert rates == {"finetune_rank.learning_rate": 1e-4, "finetune_rank.encoder_learning_rate": 2e-6}


def test_ties_of_a_lexical_floor_are_worth_knowing_and_those_of_an_encoder_a_warning(lab, healthy, findings):
    found = findings(twin_answers(lab, healthy))
    severities = {system: finding.severity for (_, system), finding in found.items()}
    assert severities == dict.fromkeys(("tfidf", "bm25"), "info") | dict.fromkeys(ENCODERS, "warning")
    assert "one id" in found["ties-decide-the-metric", "base"].fix.action


def test_a_few_ties_move_the_metric_less_than_luck_and_are_not_spoken_of(lab, healthy, findings):
    scores = lab.vectors(0.46) @ lab.answer_AD.T
    scores[9::100] = 0.0  # 4 of the 120 test queries share no word with any answer
    assert findings(lab.spoil(healthy, bm25=lab.scored(scores))) == {}


def test_a_hub_is_told_from_a_frequent_right_answer(lab, healthy, findings):
    found = findings(hub(lab, healthy))["hub-answers", "base-tuned"]
    assert found.sentence.startswith("Answer a00")
    assert findings(hub(lab, healthy, pull=0.3)) == {}


def test_a_list_that_holds_only_right_answers_has_no_hub(lab, healthy, findings, monkeypatch):
    # Lists of one, and any skew: what a corpus of ten answers, one of them asked for most, comes to.
    monkeypatch.setattr(lists, "HUB_LIST", 1)
    monkeypatch.setattr(lists, "HUB_SKEW", -10.0)
    assert findings(lab.spoil(healthy, base_tuned=lab.run(lab.vectors(0.0)))).keys() == {
        ("pretraining-hurts", "barlow-tuned")
    }
