"""One fault at a time: its probe speaks, and no other that the fault does not imply."""

import dataclasses
import shlex
import typing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from whyrank.core.options import params
from whyrank.diagnosis.registry import PROBES
from whyrank.findings.records import Records
from whyrank.preflight.examine import PREFLIGHT, preflight

from ... import overrides
from ...shipped import SHIPPED
from .planted import PLANTED, collapse, pretraining_hurts, single_answer_batches


def test_all_probes_are_silent_on_healthy_records(healthy, findings):
    assert findings(healthy) == {}
    assert preflight(healthy.data) == []


def test_every_probe_has_a_planted_fault():
    assert set(PLANTED) == set(PREFLIGHT) | set(PROBES)


@pytest.fixture(scope="module")
def spoken(lab, healthy, findings):
    """The findings of each planted fault, by code."""
    return {code: findings(plant(lab, healthy)) for code, (plant, _) in PLANTED.items()}


@pytest.mark.parametrize("code", PLANTED)
def test_a_planted_fault_is_named_with_what_it_implies_and_nothing_else(code, spoken):
    assert set(spoken[code]) == PLANTED[code][1]


@pytest.mark.parametrize("code", PREFLIGHT)
def test_preflight_sees_the_faults_of_data_and_batches_without_any_training(code, lab, healthy):
    plant, _ = PLANTED[code]
    data = plant(lab, healthy).data
    if code == "barlow-single-answer-batches":
        data = replace(data, batches=data.batches.assign(distinct_answers=1, rows=5))
    assert [finding.code for finding in preflight(data)] == [code]


@pytest.mark.parametrize("code", PLANTED)
def test_the_fix_of_every_finding_is_a_set_of_valid_parameters_or_an_action(code, spoken):
    for finding in spoken[code].values():
        assert finding.fix.params or finding.fix.action
        apply_to_parameters(finding.fix.params)
        # As DVC reads the command that the report shows.
        settings = [word for word in shlex.split(finding.fix.command)[3:] if word != "-S"]
        assert overrides.parsed(settings) == finding.fix.params
        assert all(np.isfinite(evidence.value) for evidence in finding.evidence)


SECTIONS = {
    "encoder": params.Encoder,
    "prepare": params.Prepare,
    "pretrain_barlow": params.PretrainBarlow,
    "finetune_rank": params.FinetuneRank,
}


def apply_to_parameters(overrides: dict[str, Any]) -> None:
    """Set the overrides in parameters of the right types; core.params refuses an unknown key or a wrong value."""
    for name, kind in SECTIONS.items():
        section = valid_section(kind)
        for key, value in overrides.items():
            first, *path = key.split(".")
            assert first in SECTIONS, key
            if first == name:
                inner = section
                for part in path[:-1]:
                    inner = entry(inner, int(part)) if part.isdigit() else inner[part]
                inner[path[-1]] = value
        params.section({name: section}, name, kind)


def entry(sources: list[dict[str, Any]], number: int) -> dict[str, Any]:
    """An entry of the one list of sections that there is, made where it is missing."""
    sources += [valid_section(params.PairSource) for _ in range(len(sources), number + 1)]
    return sources[number]


def valid_section(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: valid_value(hints[field.name]) for field in dataclasses.fields(kind)}


def valid_value(hint: Any) -> Any:
    if dataclasses.is_dataclass(hint):
        return valid_section(hint)
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)[0]
    if typing.get_origin(hint) is typing.Union:
        return {} if typing.get_origin(typing.get_args(hint)[0]) is dict else []
    if typing.get_origin(hint) is dict:
        return {}
    return {int: 1, float: 0.5, str: "text", bool: False}.get(hint, [])


@pytest.mark.parametrize("override", [{"finetune_rank.head.knid": "residual"}, {"finetune_rank.epochs": "4"}])
def test_the_check_of_fixes_refuses_an_unknown_key_and_a_wrong_type(override):
    with pytest.raises(ValueError):
        apply_to_parameters(override)


def test_a_known_cause_stands_before_its_symptoms(lab, healthy, findings):
    assert next(iter(findings(single_answer_batches(lab, healthy)))) == (
        "barlow-single-answer-batches",
        "pretrain_barlow",
    )
    assert next(iter(findings(collapse(lab, healthy))))[0] == "collapsed-embeddings"


def test_records_of_the_floors_alone_are_examined_without_complaint(healthy, findings):
    floors = {name: healthy.runs[name] for name in ("tfidf", "bm25")}
    assert findings(Records(healthy.data, None, {}, floors, SHIPPED)) == {}


def test_intervals_have_the_level_that_is_asked_for(lab, healthy, findings):
    narrow, wide = (findings(pretraining_hurts(lab, healthy), level=level)["pretraining-hurts", "barlow-tuned"].interval
                    for level in (0.8, 0.99))  # fmt: skip
    assert wide[0] < narrow[0] < narrow[1] < wide[1] < 0


def test_the_same_records_give_the_same_findings(lab, healthy, findings):
    spoilt = single_answer_batches(lab, healthy)
    assert [f.as_json() for f in findings(spoilt).values()] == [f.as_json() for f in findings(spoilt).values()]
