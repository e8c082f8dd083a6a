"""Systems below a simpler one: where the checks begin, and what they propose."""

from dataclasses import replace
from typing import Any

import pytest

from whyrank.findings.records import Records

from ..faults import TUNED, of, planted, with_finetune


@planted("worse-than-lexical", of("worse-than-lexical", "base", "barlow", *TUNED))
def lexical_task(lab: Any, healthy: Records) -> Records:
    return lab.spoil(healthy, bm25=lab.scored(lab.vectors(0.15) @ lab.answer_AD.T))


@planted("worse-than-zero-shot", of("worse-than-zero-shot", *TUNED))
def head_from_scratch(lab: Any, healthy: Records) -> Records:
    tuned = lab.run(lab.vectors(0.47))
    finetune = {init: lab.finetune(start=0.03, end=0.55) for init in ("base", "barlow")}
    return replace(lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned), finetune=finetune)


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
    # One entry for both, with what each of them needs.
    both = {"finetune_rank.barlow_head": "inherit", "finetune_rank.head.kind": "residual"}
    assert found["worse-than-zero-shot", "barlow-tuned"].fix.params == both


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
