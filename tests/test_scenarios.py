"""Scenarios: each file is sound, its overrides reach params.yaml as they stand, the verdict says what did not come."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from whyrank import __main__, scenario
from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.diagnosis import registry

from . import overrides

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "scenarios"
SMALL = {
    "name": "small",
    "question": "Does it cost $5, or 'nothing'?",
    "overrides": {"pretrain_barlow.steps": 0},
    "expected": ["hub-answers"],
    "unexpected": ["pretraining-hurts"],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(SMALL))
    return tmp_path


def overridden(values, overrides):
    """`values` with the overrides put in directly; each key has to be there, and `~key` takes it away."""
    changed = copy.deepcopy(values)
    for key, value in overrides.items():
        *path, last = key.removeprefix("~").split(".")
        at = changed
        for part in path:
            at = at[part]
        assert last in at, f"params.yaml has no {key}"
        if key.startswith("~"):
            del at[last]
        else:
            at[last] = value
    return changed


def settings(command):
    """What stands behind each -S."""
    return [command[i + 1] for i, part in enumerate(command) if part == "-S"]


def test_the_scenarios_that_the_results_are_made_with_are_there():
    needed = {"seed-barlow", "seed-barlow-inherited", "seed-barlow-fixed", "sections", "long-text"}
    assert needed <= set(scenario.names(FOLDER))


@pytest.mark.parametrize("name", scenario.names(FOLDER))
def test_a_shipped_scenario_changes_known_parameters_to_values_of_their_type(name, shipped_params):
    shipped = scenario.read(name, FOLDER)
    assert shipped.question.endswith("?")
    assert shipped.overrides
    values = overridden(shipped_params, shipped.overrides)
    assert {key.removeprefix("~").split(".")[0] for key in shipped.overrides} <= set(shipped_params)
    assert all(system.removesuffix("-tuned") in values["inits"] for system in values["systems"] if "-tuned" in system)
    params.check(values)


@pytest.mark.parametrize("name", scenario.names(FOLDER))
def test_a_shipped_scenario_expects_findings_that_a_probe_can_raise(name):
    shipped = scenario.read(name, FOLDER)
    codes = set(registry.codes())
    assert set(shipped.expected) | set(shipped.unexpected) <= codes
    assert not set(shipped.expected) & set(shipped.unexpected)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("seed-barlow-inherited", {"finetune_rank.barlow_head"}),
        # Without the fault there is nothing for preflight to stop on.
        ("seed-barlow-fixed", {"pretrain_barlow.batches", "preflight.stop_on"}),
    ],
)
def test_the_seed_scenarios_differ_in_nothing_but_what_they_ask_about(name, asked):
    seed, variant = (scenario.read(one, FOLDER).overrides for one in ("seed-barlow", name))
    assert {key for key in seed.keys() | variant.keys() if seed.get(key) != variant.get(key)} == asked


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("joint", {"prepare.ratings.layout", "finetune_rank.objectives.ratings.encoders"}),
        ("adaptive", {"prepare.ratings.allocation", "prepare.ratings.head_share"}),
        ("warmup", {"finetune_rank.warmup_ratio"}),
        ("unfreezing", {"finetune_rank.freeze_steps"}),
        ("rate", {"finetune_rank.learning_rate", "finetune_rank.encoder_learning_rate"}),
        ("blocks", {"finetune_rank.objectives.ratings.layer_means"}),
        (
            "class-aware",
            {f"finetune_rank.objectives.ratings.{loss}.weight" for loss in ("mse", "weighted_bce")},
        ),
    ],
)
def test_each_ablation_of_the_ratings_changes_what_one_claim_names_and_nothing_else(name, asked):
    seed, variant = (scenario.read(one, FOLDER).overrides for one in ("ratings-seed", f"ratings-seed-{name}"))
    assert set(seed) == set(variant)
    assert {key for key, value in variant.items() if value != seed[key]} == asked


def applied_by_dvc(command, values):
    """Parameters after the -S settings of a command, as DVC applies them."""
    return overrides.applied(values, settings(command))


@pytest.mark.parametrize("name", scenario.names(FOLDER))
def test_dvc_reads_from_the_command_just_what_the_file_says(name, shipped_params):
    shipped = scenario.read(name, FOLDER)
    command = scenario.command(shipped)
    assert applied_by_dvc(command, shipped_params) == overridden(shipped_params, shipped.overrides)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("prepare.source", "data/raw/sample"),
        ("prepare.source", "/data/my set, second (v2): 50 % {raw}"),
        ("prepare.source", 'it\'s "quoted"'),
        ("prepare.hub", "owner/set"),
        ("prepare.hub", ""),
        ("prepare.hub", "2024"),
        ("pretrain_barlow.steps", 0),
        ("pretrain_barlow.views", ["query-answer"]),
        ("pretrain_barlow.views", ["question-conversation", "query-answer"]),
        ("evaluate.map_cutoffs", [1, 5]),
        ("finetune_rank.learning_rate", 2e-05),
        ("encoder.trust_remote_code", True),
        ("prepare.pairs.sources", []),
        (
            "prepare.pairs.sources",
            [
                {
                    "name": "snli",
                    "use": "train",
                    "labels": {"entailment": 1.0, "neutral": 0.5},
                    "classes": ["a b", "c"],
                },
                {"name": "sts", "use": "test", "range": [0, 5], "labels": "raw"},
            ],
        ),
    ],
)
def test_dvc_reads_any_value_back_as_it_was_written(key, value, shipped_params):
    asked = scenario.Scenario("one", "?", {key: value}, [], [])
    assert applied_by_dvc(scenario.command(asked), shipped_params) == overridden(shipped_params, {key: value})


def test_the_command_names_the_experiment_asks_its_question_and_lets_further_overrides_win(folder):
    command = scenario.command(scenario.read("small", folder), ["pretrain_barlow.steps=3"])
    assert command[:5] == [sys.executable, "-m", "dvc", "exp", "run"]
    assert command[command.index("-n") + 1] == "small"
    # One argument, whatever signs are in it: no shell reads it.
    assert command[command.index("-m", 2) + 1] == SMALL["question"]
    assert settings(command) == ["pretrain_barlow.steps=0", "pretrain_barlow.steps=3"]


def test_names_are_sorted_and_an_unknown_one_is_answered_with_those_that_there_are(folder):
    (folder / "another.yaml").write_text("")
    assert scenario.names(folder) == ["another", "small"]
    with pytest.raises(UserError, match="no scenario 'smal'; there are another, small"):
        scenario.read("smal", folder)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "just a word",
        yaml.safe_dump(SMALL | {"name": "other"}),
        yaml.safe_dump(SMALL | {"overides": {}}),
        yaml.safe_dump({key: value for key, value in SMALL.items() if key != "unexpected"}),
    ],
    ids=["empty", "no mapping", "another name", "unknown key", "missing key"],
)
def test_a_file_with_other_keys_than_a_scenario_has_is_refused(content, tmp_path):
    (tmp_path / "small.yaml").write_text(content)
    with pytest.raises(UserError, match=r"small\.yaml: expected the keys .*, and `name: small`"):
        scenario.read("small", tmp_path)


@pytest.mark.parametrize(
    ("found", "surprises"),
    [
        (["hub-answers"], []),
        (["underfitted", "hub-answers", "hub-answers"], []),
        ([], ["expected hub-answers, which no probe raised"]),
        (["hub-answers", "pretraining-hurts"], ["did not expect pretraining-hurts, which was raised"]),
        (
            ["pretraining-hurts"],
            ["expected hub-answers, which no probe raised", "did not expect pretraining-hurts, which was raised"],
        ),
    ],
)
def test_the_verdict_names_what_is_missing_and_what_is_too_much(folder, found, surprises):
    assert scenario.verdict(scenario.read("small", folder), found) == surprises


@pytest.fixture
def scenario_command(folder, monkeypatch):
    """Call `python -m whyrank scenario …`, with an experiment that ends with `returncode` and finds `codes`.

    changed   whether params.yaml differs from the last commit
    """

    def call(*arguments, returncode=0, codes=(), changed=False):
        findings = folder / "findings.json"
        findings.write_text(json.dumps([{"code": code} for code in codes]))
        monkeypatch.setattr(__main__, "SCENARIOS", folder)
        monkeypatch.setattr(__main__, "FINDINGS", findings)
        monkeypatch.setattr(sys, "argv", ["whyrank", "scenario", *arguments])

        def run(command, **_):
            assert not (changed and "exp" in command), "the experiment runs on changed parameters"
            return subprocess.CompletedProcess(command, int(changed) if command[0] == "git" else returncode)

        monkeypatch.setattr(__main__.subprocess, "run", run)
        __main__.main()

    return call


def test_a_run_in_which_all_came_as_expected_ends_with_0(scenario_command, capsys):
    with pytest.raises(SystemExit) as exit:
        scenario_command("small", codes=["underfitted", "hub-answers", "hub-answers"])
    assert exit.value.code == 0
    assert capsys.readouterr().out == (
        f"\n{SMALL['question']}\nfindings, weightiest first: underfitted, hub-answers\nEverything came as expected.\n"
    )


def test_a_run_with_a_surprise_ends_with_1(scenario_command, capsys):
    with pytest.raises(SystemExit) as exit:
        scenario_command("small")
    assert exit.value.code == 1
    assert capsys.readouterr().out == (
        f"\n{SMALL['question']}\nfindings, weightiest first: none\nexpected hub-answers, which no probe raised\n"
    )


def test_a_run_that_failed_is_not_judged_by_the_findings_of_an_earlier_one(scenario_command):
    with pytest.raises(UserError, match="scenario small: `dvc exp run` failed"):
        scenario_command("small", returncode=1, codes=["hub-answers"])


def test_nothing_runs_on_the_overrides_that_an_earlier_experiment_left(scenario_command):
    with pytest.raises(UserError, match=r"params\.yaml differs from the last commit, .*`git checkout params\.yaml "):
        scenario_command("small", changed=True)


def test_without_a_name_the_scenarios_are_listed_with_their_questions(scenario_command, capsys):
    scenario_command()
    assert capsys.readouterr().out == f"{'small':24} {SMALL['question']}\n"
