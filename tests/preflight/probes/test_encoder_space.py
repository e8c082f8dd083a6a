"""How the vectors lie, in records: told as a fault where another reading of them ranks better, else for information."""

from typing import Any

import pytest

from whyrank.findings.records import Records

from ...diagnosis.probes.faults import of, planted
from .healthy_encoder import readings, space
from .test_encoder_weights import outcome, with_encoder

CODES = (
    *("cone", "rogue-dimensions", "unequal-norms", "queries-apart-from-answers"),
    *("half-precision-changes-ranks", "prompt-missing", "prompt-hurts"),
)


@planted("cone", of("cone", "prepare"))
def narrow(lab: Any, healthy: Records, **gains: float) -> Records:
    return with_encoder(healthy, space=space(cosine_answers=0.9), readings=readings(**gains or {"centred": 0.1}))


@planted("rogue-dimensions", of("rogue-dimensions", "prepare"))
def one_feature(lab: Any, healthy: Records, **gains: float) -> Records:
    return with_encoder(healthy, space=space(largest_feature=0.3), readings=readings(**gains or {"standardised": 0.1}))


@planted("unequal-norms", of("unequal-norms", "prepare"))
def normalize_lost(lab: Any, healthy: Records, gain: float = 0.1) -> Records:
    return with_encoder(healthy, space=space(score="dot", longest=4.0), readings=readings(cosine=gain))


@planted("queries-apart-from-answers", of("queries-apart-from-answers", "prepare"))
def apart(lab: Any, healthy: Records, gain: float = 0.1, between: float = -0.3) -> Records:
    return with_encoder(healthy, space=space(cosine_between=between), readings=readings(by_side=gain))


@planted("half-precision-changes-ranks", of("half-precision-changes-ranks", "prepare"))
def few_digits(lab: Any, healthy: Records, gain: float = 0.1, finite: float = 1.0) -> Records:
    return with_encoder(healthy, space=space(finite=finite), readings=readings(float32=gain))


@planted("prompt-missing", of("prompt-missing", "prepare"))
def prompts_left_out(lab: Any, healthy: Records, gain: float = 0.1, way: str = "declared_prompts") -> Records:
    described = space(**{way: "query:  | passage: "})
    return with_encoder(healthy, space=described, readings=readings(**{way: gain}))


@planted("prompt-hurts", of("prompt-hurts", "prepare"))
def unknown_prompt(lab: Any, healthy: Records, gain: float = 0.1, declared: str = " | ") -> Records:
    described = space(used_prompts="Find the invoice: | ", declared_prompts=declared)
    return with_encoder(healthy, space=described, readings=readings(without_prompts=gain))


@pytest.mark.parametrize("code", CODES)
def test_a_healthy_encoder_raises_nothing_and_few_queries_say_nothing(code, healthy, findings):
    records = with_encoder(healthy)
    assert findings(records) == {}
    expected = "not applicable" if code in ("unequal-norms", "prompt-missing", "prompt-hurts") else "passed"
    assert outcome(code, records).status == expected
    assert outcome(code, healthy).status == "not applicable"
    few = with_encoder(healthy, readings=readings().iloc[:10])
    assert outcome(code, few).status == "not enough data"


@pytest.mark.parametrize("plant", [narrow, one_feature])
def test_a_shape_is_for_information_unless_another_reading_or_tfidf_ranks_better(plant, lab, healthy, findings):
    def severities(**gains: float) -> list[str]:
        return [found.severity for found in findings(plant(lab, healthy, **gains)).values()]

    assert severities(dot=0.1) == ["info"]
    assert severities(shared_words=0.2) == ["warning"]
    assert severities() == ["warning"]


@pytest.mark.parametrize("shape", [{"cosine_answers": 0.98}, {"largest_feature": 0.5}])
def test_a_shape_that_no_encoder_of_texts_has_is_a_warning_whatever_it_ranks(shape, healthy, findings):
    assert [one.severity for one in findings(with_encoder(healthy, space=space(**shape))).values()] == ["warning"]


@pytest.mark.parametrize(("gain", "between"), [(0.0, -0.3), (-0.1, -0.3), (0.1, 0.05)])
def test_sides_that_lie_apart_without_a_loss_or_together_are_no_fault(gain, between, lab, healthy, findings):
    assert findings(apart(lab, healthy, gain, between)) == {}


def test_norms_matter_to_dot_products_alone(lab, healthy, findings):
    assert findings(with_encoder(healthy, space=space(longest=9.0), readings=readings(dot=0.1))) == {}
    assert findings(normalize_lost(lab, healthy, -0.1))["unequal-norms", "prepare"].severity == "info"


def test_half_precision_that_ranks_as_well_is_no_fault_and_vectors_that_overflow_are_an_error(lab, healthy, findings):
    assert findings(few_digits(lab, healthy, 0.005)) == {}
    found = findings(few_digits(lab, healthy, 0.3, finite=0.0))["half-precision-changes-ranks", "prepare"]
    assert found.severity == "error" and found.fix.params == {"encoder.precision": "fp32"}


def test_prompts_of_a_family_are_set_and_declared_ones_taken_back(lab, healthy, findings):
    declared = findings(prompts_left_out(lab, healthy))["prompt-missing", "prepare"]
    assert declared.fix.params == {"encoder.prompts": "auto"}
    family = findings(prompts_left_out(lab, healthy, way="family_prompts"))["prompt-missing", "prepare"]
    assert family.fix.params == {"encoder.prompts": {"query": "query: ", "document": "passage: "}}
    assert findings(prompts_left_out(lab, healthy, 0.0)) == {}


def test_prompts_that_cost_nothing_or_are_the_declared_ones_are_no_fault(lab, healthy, findings):
    assert findings(unknown_prompt(lab, healthy))["prompt-hurts", "prepare"].fix.params == {"encoder.prompts": "auto"}
    assert findings(unknown_prompt(lab, healthy, 0.0)) == {}
    assert findings(unknown_prompt(lab, healthy, declared="Find the invoice: | ")) == {}
    family = space(used_prompts="query:  | passage: ", family_prompts="query:  | passage: ")
    assert findings(with_encoder(healthy, space=family, readings=readings(without_prompts=0.1))) == {}
