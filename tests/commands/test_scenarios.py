"""Scenarios: each file is sound, its overrides reach params.yaml as they stand, the verdict says what did not come."""

import copy
import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from whyrank import __main__
from whyrank.commands import scenario
from whyrank.core import workspace
from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.diagnosis import registry
from whyrank.findings.diagnosis import checks

from .. import overrides

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "scenarios"
SMALL = {
    "name": "small",
    "question": "Does it cost $5, or 'nothing'?",
    "overrides": {"pretrain_barlow.steps": 0},
    "expected": ["hub-answers"],
    "unexpected": ["pretraining-hurts"],
}
APPLY = "`dvc exp apply small` brings all results into the workspace\n"
ENDING = "verdict: All the same.\nchecks: none\nreport: logs/scenario/small/report.html\n"


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
        ("layers", {"finetune_rank.objectives.ratings.layer_means"}),
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


@pytest.mark.parametrize("name", scenario.names(FOLDER))
def test_dvc_reads_from_the_settings_just_what_the_file_says(name, shipped_params):
    shipped = scenario.read(name, FOLDER)
    expected = overridden(shipped_params, shipped.overrides)
    assert overrides.applied(shipped_params, scenario.settings(shipped)) == expected


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
    assert overrides.applied(shipped_params, scenario.settings(asked)) == overridden(shipped_params, {key: value})


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
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("repository")


@pytest.fixture
def scenario_command(folder, root, monkeypatch):
    """Call `python -m whyrank scenario …`, with experiments that find `codes`; gives what they were run with."""

    def call(*arguments, codes=(), fails=False):
        runs = []

        def run(name, question, settings):
            runs.append((name, question, settings))
            if fails:
                raise UserError(f"experiment {name}: `dvc exp run` failed")

        def fetch(name, path, target):
            assert (name, path) == ("small", "metrics/diagnose")
            target.mkdir(parents=True)
            (target / "findings.json").write_text(json.dumps([{"code": code} for code in codes]))
            (target / "verdict.txt").write_text("All the same.\n")
            checks([], []).to_csv(target / "checks.csv", index=False)
            return True

        for name in workspace.FILES:
            shutil.copy(ROOT / name, root)
        monkeypatch.chdir(root)
        monkeypatch.setattr(__main__, "SCENARIOS", folder)
        monkeypatch.setattr(__main__.experiment, "run", run)
        monkeypatch.setattr(__main__.experiment, "fetch", fetch)
        monkeypatch.setattr(sys, "argv", ["whyrank", "scenario", *arguments])
        try:
            __main__.main()
        finally:
            call.runs = runs

    return call


def test_a_run_in_which_all_came_as_expected_ends_with_0(scenario_command, capsys):
    with pytest.raises(SystemExit) as exit:
        scenario_command("small", codes=["underfitted", "hub-answers", "hub-answers"])
    assert exit.value.code == 0
    assert capsys.readouterr().out == (
        f"\n{SMALL['question']}\nfindings, weightiest first: underfitted, hub-answers\n{APPLY}"
        f"Everything came as expected.\n{ENDING}"
    )


def test_a_run_with_a_surprise_ends_with_1(scenario_command, capsys):
    with pytest.raises(SystemExit) as exit:
        scenario_command("small")
    assert exit.value.code == 1
    assert capsys.readouterr().out == (
        f"\n{SMALL['question']}\nfindings, weightiest first: none\n{APPLY}"
        f"expected hub-answers, which no probe raised\n{ENDING}"
    )


def test_further_overrides_come_last_and_win(scenario_command):
    with pytest.raises(SystemExit):
        scenario_command("small", "-S", "pretrain_barlow.steps=3")
    # The question is one argument, whatever signs are in it: no shell reads it.
    settings = ["pretrain_barlow.steps=0", "pretrain_barlow.steps=3"]
    assert scenario_command.runs == [("small", SMALL["question"], settings)]


def test_a_run_that_failed_is_not_judged_by_the_findings_of_an_earlier_one(scenario_command):
    with pytest.raises(SystemExit):
        scenario_command("small", codes=["hub-answers"])
    with pytest.raises(UserError, match="experiment small: `dvc exp run` failed"):
        scenario_command("small", fails=True)


def test_the_report_of_an_earlier_run_is_replaced(scenario_command, root):
    (root / "logs/scenario/small").mkdir(parents=True)
    (root / "logs/scenario/small/earlier.csv").touch()
    with pytest.raises(SystemExit):
        scenario_command("small", codes=["hub-answers"])
    names = {file.name for file in (root / "logs/scenario/small").iterdir()}
    assert names == {"findings.json", "verdict.txt", "checks.csv"}


def test_without_a_name_the_scenarios_are_listed_with_their_questions(scenario_command, capsys):
    scenario_command()
    assert capsys.readouterr().out == f"{'small':24} {SMALL['question']}\n"
