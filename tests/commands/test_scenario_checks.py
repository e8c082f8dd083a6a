"""A scenario file is checked as params.yaml is, and runs no command of its author's unless the user agrees."""

import sys
from pathlib import Path

import pytest

from whyrank.commands import scenario_checks
from whyrank.core.errors import UserError
from whyrank.core.options.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
FILE = Path("scenarios/mine.yaml")
KNOWN = ["hub-answers", "underfitted"]


@pytest.fixture(autouse=True)
def shipped(monkeypatch):
    """In the repository, with the params.yaml of the workspace."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(scenario_checks, "starting_params", lambda: read_yaml("params.yaml"))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"pretrain_barlow.step": 1}, "`pretrain_barlow.step` is unknown; did you mean `pretrain_barlow.steps`?"),
        ({"pretrain.steps": 1}, "`pretrain.steps` is unknown; "),
        ({"sed": 1}, "`sed` is unknown; did you mean `seed`?"),
        ({"~systems.tf-idf": 0}, "`systems.tf-idf` is unknown; did you mean `systems.tfidf`?"),
        ({"pretrain_barlow.steps": "many"}, "`pretrain_barlow.steps` is 'many'; it takes an integer"),
        ({"pretrain_barlow.steps": -1}, "`pretrain_barlow.steps` is -1; it takes an integer"),
        ({"finetune_rank.learning_rate": "1e-4 "}, "`finetune_rank.learning_rate` is '1e-4 '; it takes a number"),
        ({"encoder.trust_remote_code": "yes"}, "`encoder.trust_remote_code` is 'yes'; it takes true or false"),
        ({"prepare.split.by": "question"}, "`prepare.split.by` is 'question'; it takes one of query, answer"),
        ({"seed.x": 1}, "`seed.x` is unknown"),
        ({"": 1}, "`` is unknown"),
        ({"finetune_rank": 3}, "`finetune_rank` is 3; it takes a section"),
        ({"launch": ""}, "`launch` is ''; it takes text that is not empty"),
        ({"launch": ["rm"]}, "`launch` is ['rm']; it takes text"),
        ({"~seed": 0}, "`seed` is missing"),
        ({"systems.tfidf.kind": "bm26"}, "`systems.tfidf.kind` is 'bm26'; it takes one of"),
        ({"systems.x y": {}}, "`systems.x y` is unknown"),
        ({"seed": None}, "`seed` is None; it takes"),
        ({"seed": float("nan")}, "`seed` is nan; it takes"),
    ],
)
def test_an_override_that_params_would_not_take_is_one_line_with_the_file(changes, line):
    with pytest.raises(UserError) as raised:
        scenario_checks.check(FILE, changes, [], KNOWN)
    (found,) = raised.value.args
    line = line.replace("an integer", "a whole number")
    assert found.startswith(f"scenarios/mine.yaml: {line}") and "\n" not in found


def test_a_code_that_no_check_raises_is_named_with_the_one_that_was_meant():
    with pytest.raises(
        UserError, match=r"^scenarios/mine\.yaml: `hub-answer` is unknown; did you mean `hub-answers`\?$"
    ):
        scenario_checks.check(FILE, {"seed": 1}, ["underfitted", "hub-answer"], KNOWN)


def test_every_fault_has_a_line():
    changes = {"pretrain_barlow.steps": -1, "finetune_rank.epochs": "x", "encoder.precision": "fp8"}
    with pytest.raises(UserError) as raised:
        scenario_checks.check(FILE, changes, [], KNOWN)
    assert len(raised.value.args) == 3


def test_a_sound_scenario_passes():
    assert scenario_checks.check(FILE, {"seed": 8, "~systems.bm25": 0, "launch": "torchrun"}, KNOWN, KNOWN) is None


def test_a_section_is_merged_into_that_of_params_as_dvc_does_it():
    assert (
        scenario_checks.check(FILE, {"finetune_rank.lora": {"rank": 8}, "finetune_rank.train": "all"}, [], []) is None
    )


class Answers:
    def __init__(self, is_terminal):
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


LAUNCH = {"launch": "rm -rf ~; python", "seed": 8}


@pytest.mark.parametrize(
    "changes",
    [LAUNCH, {"encoder.trust_remote_code": True}, {"++launch": "rm"}, {"encoder": {"trust_remote_code": True}}],
)
def test_what_runs_code_is_refused_where_nobody_can_be_asked(changes, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Answers(False))
    with pytest.raises(UserError, match=r"^scenarios/mine\.yaml runs what it names: .*; read it, .* add --yes$"):
        scenario_checks.ask_leave(FILE, changes, is_given=False)
    scenario_checks.ask_leave(FILE, changes, is_given=True)


@pytest.mark.parametrize(
    ("answer", "runs"), [("y", True), (" YES ", True), ("", False), ("n", False), ("maybe", False)]
)
def test_the_user_sees_what_it_runs_and_decides(answer, runs, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Answers(True))
    monkeypatch.setattr("builtins.input", lambda _: answer)
    if runs:
        scenario_checks.ask_leave(FILE, LAUNCH, is_given=False)
    else:
        with pytest.raises(UserError, match=r"^scenarios/mine\.yaml: not run$"):
            scenario_checks.ask_leave(FILE, LAUNCH, is_given=False)
    assert "rm -rf ~; python" in capsys.readouterr().err


@pytest.mark.parametrize("changes", [{}, {"seed": 8}, {"launch": "python"}, {"encoder.trust_remote_code": False}])
def test_nobody_is_asked_about_what_runs_no_code(changes, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Answers(False))
    scenario_checks.ask_leave(FILE, changes, is_given=False)
