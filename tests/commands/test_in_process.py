"""Stages in one process: which of them run, that linked outputs stay as they were, and what a fix runs."""

import json
import textwrap
from pathlib import Path

import pytest

from whyrank.commands import in_process
from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.core.options.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
STAGES = ["prepare", "pretrain_barlow", "finetune_rank", "evaluate", "diagnose"]


@pytest.mark.parametrize(
    ("changed", "first"),
    [
        (["prepare.corrections"], "prepare"),
        (["pretrain_barlow.batches"], "prepare"),
        (["pretrain_barlow.learning_rate"], "pretrain_barlow"),
        (["finetune_rank.learning_rate"], "finetune_rank"),
        (["finetune_rank.learning_rate", "pretrain_barlow.learning_rate"], "pretrain_barlow"),
        (["diagnose.level"], "diagnose"),
        (["seed"], "prepare"),
    ],
)
def test_a_change_begins_at_the_first_stage_that_depends_on_it(changed, first):
    assert in_process.first_stage(changed, ROOT) == first


def test_a_change_that_no_stage_depends_on_is_refused():
    with pytest.raises(UserError, match=r"no stage depends on nowhere\.at_all"):
        in_process.first_stage(["nowhere.at_all"], ROOT)


def test_the_plan_has_all_stages_or_those_that_read_what_is_new(shipped_params):
    whole = in_process.plan(shipped_params, ROOT)
    assert [name for name, _ in whole] == ["prepare", "pretrain_barlow", *["finetune_rank"] * 2, *["evaluate"] * 9,
                                           "diagnose"]  # fmt: skip
    tuned = [("evaluate", name) for name, own in shipped_params["systems"].items() if own["role"] == "tuned"]
    tuned.append(("evaluate", "fusion"))  # of all encoders, the tuned ones among them
    trained = [("finetune_rank", init) for init in shipped_params["inits"]]
    assert in_process.plan(shipped_params, ROOT, "finetune_rank", diagnosed=False) == [*trained, *tuned]
    scored = [
        argument for name, argument in in_process.plan(shipped_params, ROOT, "pretrain_barlow") if name == "evaluate"
    ]
    trained = [name for name, own in shipped_params["systems"].items() if own["role"] in ("pretrained", "tuned")]
    assert scored == [*trained, "fusion"]


@pytest.fixture
def toy(tmp_path):
    """A repository whose stages add a line to what they read, with params of three sections."""
    root = tmp_path / "root"
    (root / "stages").mkdir(parents=True)
    (root / "data/corrections").mkdir(parents=True)
    entries = {name: {"params": [name]} for name in STAGES}
    (root / "dvc.yaml").write_text(json.dumps({"stages": entries}))
    code = """
    import sys
    from pathlib import Path
    from whyrank.core import io
    from whyrank.core.errors import UserError
    from whyrank.core.options.yaml_files import read_yaml

    def main():
        value = read_yaml("params.yaml")["{name}"]
        before = Path("out.txt").read_text() if Path("out.txt").exists() else ""
        io.write_text("out.txt", before + " ".join(["{name}", *sys.argv[1:], str(value)]) + "\\n")
        if value in ("preflight: refused", "torn"):
            raise UserError(value)
    """
    for name in STAGES:
        (root / "stages" / f"{name}.py").write_text(textwrap.dedent(code).replace("{name}", name))
    return root


def toy_values(**changes):
    return dict.fromkeys(STAGES, 1) | changes


def test_stages_run_in_the_folder_with_their_argument_and_go_on_after_preflight(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, told = tmp_path / "run", []
    in_process.arrange(folder, toy, toy_values(prepare="preflight: refused"))
    steps = [("prepare", ""), ("evaluate", "one"), ("diagnose", "")]
    assert in_process.run(folder, toy, steps, told.append) == "preflight: refused"
    assert (folder / "out.txt").read_text() == "prepare preflight: refused\nevaluate one 1\ndiagnose 1\n"
    assert told == ["prepare", "evaluate one", "diagnose"] and not (tmp_path / "out.txt").exists()


def test_what_any_other_stage_refuses_ends_the_run(toy, tmp_path):
    in_process.arrange(tmp_path / "run", toy, toy_values(prepare="torn"))
    with pytest.raises(UserError, match="torn"):
        in_process.run(tmp_path / "run", toy, [("prepare", ""), ("diagnose", "")], lambda _: None)
    assert "diagnose" not in (tmp_path / "run/out.txt").read_text()


def test_a_fix_runs_in_a_linked_copy_and_the_run_that_it_starts_from_stays(toy, tmp_path, monkeypatch):
    start, after = tmp_path / "start", tmp_path / "after"
    in_process.arrange(start, toy, toy_values(systems={}, inits=["a"]))
    in_process.run(start, toy, [("prepare", "")], lambda _: None)
    io.write_text(start / "metrics/diagnose/verdict.txt", "broken\n")
    fixes = in_process.Fixes(toy, start, after, lambda _: None)
    fixes.run("name", "does it help?", ["finetune_rank=2.5"])
    assert (after / "out.txt").read_text() == "prepare 1\nfinetune_rank a 2.5\n"
    assert (start / "out.txt").read_text() == "prepare 1\n"
    assert read_yaml(str(start / "params.yaml"))["finetune_rank"] == 1
    # What was said of the run before is not said of this one.
    assert not fixes.fetch("name", "metrics/diagnose", tmp_path / "diagnose")
    assert fixes.fetch("name", "params.yaml", tmp_path / "got/params.yaml")
    assert read_yaml(str(tmp_path / "got/params.yaml"))["finetune_rank"] == 2.5
