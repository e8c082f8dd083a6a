"""Every check, one fault at a time: it reports the fault that is planted beside its test, and a healthy run nothing."""

import copy
import functools
import importlib
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.diagnosis import registry
from whyrank.diagnosis.examination import Examination
from whyrank.findings.diagnosis import STATUSES
from whyrank.findings.probe import registered
from whyrank.findings.records import Records
from whyrank.preflight.examine import examine as preflight_of
from whyrank.preflight.examine import preflight

from ... import overrides
from ...shipped import SHIPPED
from .faults import PLANTED
from .pretraining.test_pretraining import pretraining_hurts, single_answer_batches
from .ranking.test_collapse import collapse
from .training.test_learning_rate import long_steps

TESTS = Path(__file__).parents[2]
# Any of three signs decides (few steps, a metric that still rises, a baseline ahead), or where an interval lies.
WITHOUT = {"underfitted", "tuning-brought-nothing"}
for room in ("diagnosis/probes", "preflight/probes"):
    for file in sorted((TESTS / room).glob("**/test_*.py")):
        # Importing the tests registers the faults that stand in them.
        name = ".".join(file.relative_to(TESTS).with_suffix("").parts)
        if file != Path(__file__):
            importlib.import_module(f"...{name}", __package__)


def test_no_problem_is_found_in_healthy_records(healthy, findings):
    assert findings(healthy) == {}
    assert preflight(healthy.data) == []


def test_every_check_has_a_planted_fault():
    assert set(PLANTED) == set(registry.codes())


@pytest.fixture(scope="module")
def found(lab, healthy, findings):
    """The findings of a planted fault, by its code; each is examined once, when it is asked for."""
    return functools.cache(lambda code: findings(PLANTED[code][0](lab, healthy)))


# By module, so that the tests of one fault stand beside each other, and in one worker: it is examined once.
@pytest.mark.parametrize("code", PLANTED, scope="module")
def test_a_planted_fault_is_reported_with_what_it_implies_and_nothing_else(code, found):
    assert set(found(code)) == PLANTED[code][1]


@pytest.fixture(scope="module")
def healthy_sides(healthy):
    """On which side of a threshold a healthy run has the number of a check, by code and threshold."""
    told = registry.examine(Examination(healthy, "accuracy@1", 0.95, 200, 0)).outcomes
    sides = {}
    for one in told:
        if one.status == "passed":
            side = np.sign(one.measured.value - one.threshold)
            sides.setdefault((one.code, round(one.threshold, 6)), set()).add(side)
    return {key: side.pop() for key, side in sides.items() if len(side) == 1 and side != {0}}


@pytest.mark.parametrize("code", PLANTED, scope="module")
def test_a_number_that_decides_stands_on_the_other_side_of_its_threshold_than_in_a_healthy_run(
    code, found, healthy_sides
):
    for finding in found(code).values():
        for one in (one for one in finding.evidence if one.threshold is not None):
            assert np.isfinite(one.threshold), one
            healthy = healthy_sides.get((finding.code, round(one.threshold, 6)))
            assert healthy is None or np.sign(one.value - one.threshold) in (0, -healthy), one


@pytest.mark.parametrize("code", PLANTED, scope="module")
def test_a_finding_shows_the_number_that_decides_beside_its_threshold(code, found):
    own = [one for (name, _), one in found(code).items() if name == code]
    shown = any(evidence.threshold is not None for one in own for evidence in one.evidence)
    assert shown != (code in WITHOUT)


@pytest.mark.parametrize("code", [probe.code for probe in registered("preflight")])
def test_preflight_sees_the_faults_of_data_and_batches_without_any_training(code, lab, healthy):
    plant, _ = PLANTED[code]
    data = plant(lab, healthy).data
    if code == "barlow-single-answer-batches":
        data = replace(data, batches=data.batches.assign(distinct_answers=1, rows=5))
    codes = [finding.code for finding in preflight(data)]
    assert codes[:1] == [code] and set(codes) <= {implied for implied, _ in PLANTED[code][1]}


@pytest.mark.parametrize("code", PLANTED, scope="module")
def test_a_finding_is_complete_and_its_fix_is_valid_parameters_or_an_action(code, found):
    for finding in found(code).values():
        assert finding.sentence and finding.cause and finding.reference
        assert finding.fix.params or finding.fix.action
        apply_to_parameters(finding.fix.params)
        # As DVC reads the command that the report shows.
        settings = [word for word in shlex.split(finding.fix.command)[3:] if word != "-S"]
        assert overrides.parsed(settings) == finding.fix.params
        assert all(np.isfinite(evidence.value) for evidence in finding.evidence)
        assert not {evidence.unit for evidence in finding.evidence} & {"share", "share of the rows"}


VALUES = yaml.safe_load((TESTS.parent / "params.yaml").read_text(encoding="utf-8"))
# A fix may set the labels or the range of any source of pairs.
SOURCE = {"name": "", "use": "train", "kind": "classes", "path": "pairs.csv", "labels": {"yes": 1.0, "no": 0.0}}
SCORES = {"name": "", "use": "train", "kind": "scores", "path": "pairs.csv", "range": [0.0, 5.0]}


def apply_to_parameters(fix: dict[str, Any]) -> None:
    """Set a fix in the shipped parameters, which must take it: every key there, every value sound."""
    values = copy.deepcopy(VALUES)
    source = SCORES if any(key.endswith(".range") for key in fix) else SOURCE
    sources = [source | {"name": f"set {number}"} for number in range(4)]
    values["prepare"]["pairs"]["sources"] = sources
    for key, value in fix.items():
        *path, last = key.split(".")
        at: Any = values
        for part in path:
            at = at[int(part)] if part.isdigit() else at[part]
        at[last] = value
    params.check(values)


def test_a_metric_that_no_training_recorded_is_one_line_that_names_those_it_did(healthy, findings):
    with pytest.raises(UserError, match="'ndcg@10', not recorded while tuning; choose one of accuracy@1"):
        findings(healthy, metric="ndcg@10")


@pytest.mark.parametrize("override", [{"finetune_rank.head.knid": "residual"}, {"finetune_rank.epochs": "4"}])
def test_the_check_of_fixes_refuses_an_unknown_key_and_a_wrong_type(override):
    with pytest.raises(ValueError):
        apply_to_parameters(override)


def test_a_cause_stands_before_its_symptoms_names_them_and_gives_them_its_fix(lab, healthy, findings):
    found = findings(single_answer_batches(lab, healthy))
    cause = found["barlow-single-answer-batches", "pretrain_barlow"]
    assert next(iter(found)) == ("barlow-single-answer-batches", "pretrain_barlow")
    assert cause.explains == ("pretraining-hurts",) and cause.as_json()["explains"] == ["pretraining-hurts"]
    for symptom in (found["pretraining-hurts", "barlow-tuned"], found["worse-than-lexical", "barlow"]):
        assert symptom.fix == cause.fix
        assert symptom.cause == f"Explained by `barlow-single-answer-batches`. {cause.cause}"
    assert next(iter(findings(collapse(lab, healthy))))[0] == "collapsed-embeddings"
    steps = findings(long_steps(lab, healthy))
    fixes = {code: finding.fix for (code, system), finding in steps.items() if system == "base-tuned"}
    assert len(fixes) == 3 and len({str(fix) for fix in fixes.values()}) == 1


def test_records_of_the_baselines_alone_are_examined_without_complaint(healthy, findings):
    baselines = {name: healthy.runs[name] for name in ("tfidf", "bm25")}
    assert findings(Records(healthy.data, None, {}, baselines, SHIPPED)) == {}


def test_intervals_have_the_level_that_is_asked_for(lab, healthy, findings):
    narrow, wide = (findings(pretraining_hurts(lab, healthy), level=level)["pretraining-hurts", "barlow-tuned"].interval
                    for level in (0.8, 0.99))  # fmt: skip
    assert wide[0] < narrow[0] < narrow[1] < wide[1] < 0


def test_the_same_records_give_the_same_findings(lab, healthy, findings):
    spoilt = single_answer_batches(lab, healthy)
    # Of a copy nothing is remembered.
    one, other = (findings(records).values() for records in (spoilt, copy.deepcopy(spoilt)))
    assert [finding.as_json() for finding in one] == [finding.as_json() for finding in other]


@pytest.fixture(scope="module")
def looked(healthy):
    """What all checks say of healthy records."""
    return registry.examine(Examination(healthy, "accuracy@1", resamples=300, level=0.95, seed=0))


def test_every_check_says_what_it_looked_at_where_it_finds_nothing(looked, healthy):
    assert {one.code for one in looked.outcomes} == set(registry.codes())
    assert {one.code for one in preflight_of(healthy.data).outcomes} == {one.code for one in registered("preflight")}


def test_what_passed_stands_on_the_right_side_of_its_threshold_with_finite_numbers(looked):
    for one in looked.outcomes:
        assert one.system and one.status in STATUSES
        if one.status == "passed":
            assert one.measured is not None and np.isfinite([one.measured.value, one.threshold]).all(), one
        else:
            assert one.sentence


def test_without_a_run_no_check_claims_that_all_is_well(healthy):
    """Nothing was trained or evaluated: what needs systems does not apply."""
    bare = replace(healthy, barlow=None, finetune={}, runs={})
    told = registry.examine(Examination(bare, "accuracy@1", resamples=100, level=0.95, seed=0)).outcomes
    of_data = {one.code for one in preflight_of(healthy.data).outcomes}
    assert {one.code for one in told if one.status == "passed"} <= of_data
