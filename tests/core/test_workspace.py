"""Where the user stands in a repository does not matter; outside of one a line says so."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from whyrank.core import command as ending
from whyrank.core import workspace
from whyrank.core.errors import UserError

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / "src/whyrank/__main__.py"


@pytest.fixture
def repository(tmp_path):
    for name in workspace.FILES:
        (tmp_path / name).touch()
    (tmp_path / "docs/deep").mkdir(parents=True)
    (tmp_path / "docs/dvc.yaml").touch()  # of another pipeline, without parameters of ours
    return tmp_path


@pytest.mark.parametrize("place", [".", "docs", "docs/deep"])
def test_it_is_found_from_any_folder_in_it(repository, place, monkeypatch):
    monkeypatch.chdir(repository / place)
    workspace.enter()
    assert Path.cwd() == repository


def test_outside_of_one_a_line_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"in no repository of whyrank: .* has dvc\.yaml and params\.yaml"):
        workspace.enter()


def said(command, folder):
    surroundings = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=surroundings, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def ended(monkeypatch, capsys):
    """What a script says and how it ends, run in this process, whose end and handlers are left as they are."""
    monkeypatch.setitem(sys.modules, "whyrank.core.ctrl_c", ModuleType("ctrl_c"))
    monkeypatch.setattr(ending, "ended", [])

    def run(script, *arguments):
        monkeypatch.setattr(sys, "argv", [str(script), *arguments])
        capsys.readouterr()
        try:
            runpy.run_path(str(script), run_name="__main__")
            code = 0
        except SystemExit as error:
            code = error.code
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("place", ["docs", "stages", "src/whyrank"])
def test_commands_work_from_a_subfolder(place, ended, monkeypatch):
    monkeypatch.chdir(ROOT)
    whole = ended(COMMAND, "scenario")
    assert whole[0] == 0 and "seed-barlow" in whole[1]
    monkeypatch.chdir(place)
    assert ended(COMMAND, "scenario") == whole


@pytest.mark.parametrize(
    "command", [["scenario"], ["scenario", "seed-barlow"], ["post-mortem", "ratings"], ["export", "base", "out"]]
)
def test_commands_elsewhere_say_so_in_one_line(command, ended, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_told_in_one_line(ended(COMMAND, *command), tmp_path)


@pytest.mark.parametrize("stage", sorted(path.name for path in (ROOT / "stages").glob("*.py")))
def test_a_stage_elsewhere_says_so_in_one_line(stage, ended, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_told_in_one_line(ended(ROOT / "stages" / stage, "base"), tmp_path)


@pytest.mark.parametrize("command", [["-m", "whyrank", "scenario"], [str(ROOT / "stages/evaluate.py"), "base"]])
def test_a_process_elsewhere_says_so_in_one_line(command, tmp_path):
    assert_told_in_one_line(said(command, tmp_path), tmp_path)


def assert_told_in_one_line(done, folder):
    code, out, err = done
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {folder} is in no repository of whyrank") and err.count("\n") == 1
    assert list(folder.iterdir()) == []
