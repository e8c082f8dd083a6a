"""Where the user stands in a repository does not matter; outside of one a line says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from whyrank.core import workspace
from whyrank.core.errors import UserError

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize("place", ["docs", "stages", "src/whyrank"])
def test_commands_work_from_a_subfolder(place):
    whole = said(["-m", "whyrank", "scenario"], ROOT)
    assert whole[0] == 0 and "seed-barlow" in whole[1]
    assert said(["-m", "whyrank", "scenario"], ROOT / place) == whole


@pytest.mark.parametrize(
    "command", [["scenario"], ["scenario", "seed-barlow"], ["post-mortem", "ratings"], ["export", "base", "out"]]
)
def test_commands_elsewhere_say_so_in_one_line(command, tmp_path):
    code, out, err = said(["-m", "whyrank", *command], tmp_path)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {tmp_path} is in no repository of whyrank") and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stage", sorted(path.name for path in (ROOT / "stages").glob("*.py")))
def test_a_stage_elsewhere_says_so_in_one_line(stage, tmp_path):
    code, out, err = said([str(ROOT / "stages" / stage), "base"], tmp_path)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {tmp_path} is in no repository of whyrank") and err.count("\n") == 1
