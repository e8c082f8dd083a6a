"""The fix plan: one order, one value of each parameter, nothing that is set already or cannot be set."""

import pytest

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.plan import planned

EPOCHS, RATE = "finetune_rank.epochs", "finetune_rank.learning_rate"
POINTS = (Evidence("difference", -9.0, "points"),)


def finding(code, params=None, severity="warning", layer="training", **options):
    options = {"fix": Fix(params or {}, options.pop("action", ""), options.pop("rows", ""))} | options
    return Finding(code, severity, "base-tuned", f"{code}.", layer=layer, **options)


def test_the_steps_are_the_fixes_of_errors_and_warnings_in_their_order(shipped_params):
    found = [
        finding("rate", {RATE: 5e-5}, "error", weight=CAUSE + 12.0, evidence=POINTS),
        finding("few", {EPOCHS: 9}, weight=3.0),
        finding("low", {RATE: 5e-5}, layer="symptom", explained_by=("rate",), weight=30.0, evidence=POINTS),
        finding("leak", action="delete them", layer="data"),
        finding("type", {"prepare.short_conversation": 99}, "info", "data"),
    ]
    told, plan = planned(found, shipped_params)
    assert [(step.number, step.code, step.fix.params, step.stake) for step in plan.steps] == [
        (1, "rate", {RATE: 5e-5}, 30.0), (2, "few", {EPOCHS: 9}, None), (3, "leak", {}, None)
    ]  # fmt: skip
    assert [one.step for one in told] == [1, 2, 1, 3, 0] and told[4].fix.params
    assert plan.steps[0].command == "dvc exp run -S finetune_rank.learning_rate=5e-05"
    assert plan.steps[2].command == "" and not plan.steps[2].changes_data and not plan.left_out


def test_two_fixes_of_one_parameter_never_stand_in_one_plan(shipped_params):
    shorter, longer = finding("high", {RATE: 1e-5}), finding("low", {RATE: 0.1, EPOCHS: 9}, layer="symptom")
    told, plan = planned([shorter, longer, finding("same", {RATE: 1e-5})], shipped_params)
    assert [step.code for step in plan.steps] == ["high"]
    assert plan.left_out == [("low", f"step 1 sets {RATE} otherwise: run again after it")]
    assert told[1].fix.params == {} and told[1].fix.action == plan.left_out[0].why
    assert told[2].step == 1


def test_a_value_that_is_set_already_is_no_fix(shipped_params):
    epochs = shipped_params["finetune_rank"]["epochs"]
    told, plan = planned(
        [finding("few", {EPOCHS: epochs, RATE: 1e-5}), finding("all", {EPOCHS: epochs})], shipped_params
    )
    assert [step.fix.params for step in plan.steps] == [{RATE: 1e-5}]
    assert told[1].fix.params == {} and "this run has it already" in plan.left_out[0].why


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"finetune_rank.epoch": 3}, "params.yaml has no finetune_rank.epoch"),
        ({EPOCHS: -3}, "is not possible here: "),
        ({"prepare.pairs.sources.9.range": [0, 5]}, "params.yaml has no prepare.pairs.sources.9.range"),
    ],
)
def test_a_fix_that_params_yaml_would_not_take_is_left_out_with_the_reason(params, why, shipped_params):
    told, plan = planned([finding("few", params)], shipped_params)
    assert not plan.steps and why in plan.left_out[0].why
    assert told[0].fix.command == "" and told[0].fix.action


def test_what_a_cause_cannot_do_its_symptom_does_not_do_either(shipped_params):
    found = [
        finding("high", {RATE: 1e-5}),
        finding("other", {RATE: 0.1}),
        finding("low", {RATE: 0.1}, layer="symptom", explained_by=("other",)),
    ]
    told, plan = planned(found, shipped_params)
    assert len(plan.steps) == 1 == len(plan.left_out) and told[2].fix.params == {}


def test_rows_are_copied_and_applied_by_one_line_and_only_one_step_at_a_time(shipped_params):
    values = {**shipped_params, "prepare": {**shipped_params["prepare"], "corrections": "data/corrections/none.csv"}}
    rows = "metrics/prepare/rows_{}.csv"
    found = [finding(code, rows=rows.format(code), layer="labels", action="look") for code in ("wrong", "copies")]
    told, plan = planned(found, values)
    (step,) = plan.steps
    assert step.command == (
        "mkdir -p data/corrections && cp metrics/prepare/rows_wrong.csv data/corrections/wrong-1.csv && "
        "dvc exp run -S prepare.corrections=data/corrections/wrong-1.csv"
    )
    assert step.changes_data and told[0].as_json()["fix"]["command"] == step.command
    assert plan.left_out[0].code == "copies" and "after step 1" in plan.left_out[0].why
    values["prepare"]["corrections"] = "data/corrections/wrong-1.csv"
    assert planned(found[1:], values)[1].steps[0].fix.params == {"prepare.corrections": "data/corrections/copies-2.csv"}


def test_a_plan_is_recorded_with_what_each_step_needs(shipped_params):
    _, plan = planned([finding("few", {EPOCHS: 9}), finding("all", {EPOCHS: 8})], shipped_params)
    recorded = plan.as_json()
    assert recorded["steps"][0] == {
        "step": 1, "code": "few", "systems": ["base-tuned"], "sentence": "few.", "params": {EPOCHS: 9}, "rows": "",
        "action": "", "command": "dvc exp run -S finetune_rank.epochs=9", "changes_data": False, "stake": None,
        "settings": ["finetune_rank.epochs=9"],
    }  # fmt: skip
    assert [one["code"] for one in recorded["left_out"]] == ["all"]
