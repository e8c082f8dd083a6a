"""One fault at a time: its probe speaks, and no other that the fault does not imply."""

import copy
import shlex
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


# A fix may set the labels or the range of any source of pairs.
SOURCE = {"name": "", "use": "train", "kind": "classes", "path": "pairs.csv", "labels": {"yes": 1.0, "no": 0.0}}


def apply_to_parameters(fix: dict[str, Any]) -> None:
    """Set a fix in the shipped parameters, which must take it: every key there, every value sound."""
    values = copy.deepcopy(SHIPPED)
    sources = [SOURCE | {"name": f"set {number}"} for number in range(4)]
    values["prepare"]["pairs"]["sources"] = sources
    for key, value in fix.items():
        *path, last = key.split(".")
        at: Any = values
        for part in path:
            at = at[int(part)] if part.isdigit() else at[part]
        at[last] = value
    params.check(values)


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
