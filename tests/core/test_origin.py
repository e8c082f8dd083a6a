"""Of which experiment and commit a run is said to be: the same in every clone, and after a commit of its results."""

import subprocess
from pathlib import Path

import pytest

from whyrank.core import origin as origins
from whyrank.core.origin import BESIDE, Origin, origin


@pytest.fixture
def git(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "a")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "a@b")
        monkeypatch.setenv(f"GIT_{who}_DATE", "2024-02-03T10:00:00+0000")

    def run(*arguments):
        return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()

    run("init", "--quiet", "--initial-branch=trunk")
    (tmp_path / "params.yaml").write_text("seed: 1\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/code.py").write_text("1\n")
    run("add", "."), run("commit", "--quiet", "-m", "first")
    return run


def test_the_commit_with_its_date_on_any_branch_and_on_none(git):
    told = Origin("", git("rev-parse", "HEAD")[:8], "2024-02-03", False)
    assert origin() == told
    git("checkout", "--quiet", "-b", "another")
    assert origin() == told
    git("checkout", "--quiet", "--detach")
    assert origin() == told


def test_a_commit_of_the_results_changes_nothing_and_one_of_the_parameters_does(git, tmp_path):
    before = origin()
    (tmp_path / "dvc.lock").write_text("results\n")
    git("add", "."), git("commit", "--quiet", "-m", "results")
    assert origin() == before
    (tmp_path / "params.yaml").write_text("seed: 2\n")
    git("commit", "--quiet", "-am", "another seed")
    assert origin().commit == git("rev-parse", "HEAD")[:8] != before.commit


@pytest.mark.parametrize("file", ["commands/fix.py", "__main__.py"])
def test_code_that_no_stage_calls_is_no_part_of_a_run(file, git, tmp_path):
    before = origin()
    (tmp_path / "src/whyrank" / file).parent.mkdir(parents=True)
    (tmp_path / "src/whyrank" / file).write_text("2\n")
    assert not origin().has_changed
    git("add", "."), git("commit", "--quiet", "-m", "a command")
    assert origin() == before
    (tmp_path / "src/whyrank/core.py").write_text("2\n")
    git("add", "."), git("commit", "--quiet", "-m", "a stage")
    assert origin() != before


def test_no_stage_depends_on_what_is_left_out():
    pipeline = (Path(__file__).parents[2] / "dvc.yaml").read_text(encoding="utf-8")
    assert not any(path.removeprefix(":(exclude)") in pipeline for path in BESIDE)


def test_an_experiment_has_its_own_name_and_the_commit_it_began_from(git, tmp_path, monkeypatch):
    first = git("rev-parse", "HEAD")
    (tmp_path / "src/code.py").write_text("2\n")
    assert origin().has_changed
    git("commit", "--quiet", "-am", "stash of an experiment")
    monkeypatch.setenv("DVC_EXP_NAME", "puffy-daks")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", first)
    assert origin() == Origin("puffy-daks", first[:8], "2024-02-03", False)


def test_nothing_is_said_without_git(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    assert origin() == Origin()


def test_libraries_are_told_without_what_they_were_built_for(monkeypatch):
    monkeypatch.setattr(origins, "version", {"torch": "2.13.0+cpu", "numpy": "2.4.6"}.__getitem__)
    assert origins.versions(["torch", "numpy"]) == {"torch": "2.13.0", "numpy": "2.4.6"}
