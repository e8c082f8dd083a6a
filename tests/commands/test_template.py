"""What a repository of whyrank starts from: one copy, in the repository, that the wheel brings along."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from whyrank.commands import template
from whyrank.core.errors import UserError

from ..pipeline.conftest import SMALL, write_source

ROOT = Path(__file__).parents[2]


def test_in_a_repository_its_own_files_are_the_template():
    assert template.root() == ROOT


def test_a_package_that_lost_its_files_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(template, "PACKAGE", tmp_path / "src/whyrank")
    monkeypatch.setattr(template, "IN_WHEEL", tmp_path / "src/whyrank/template")
    with pytest.raises(UserError, match="install whyrank again"):
        template.root()


@pytest.fixture
def package(tmp_path, monkeypatch):
    for name in ("core/one.py", "commands/two.py", "template/stages/three.py", "report/page.jinja"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(template, "PACKAGE", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "is_of_stages"),
    [
        ("core/one.py", True),
        ("report/page.jinja", True),
        ("core/new.py", True),
        ("commands/two.py", False),
        ("template/stages/three.py", False),
        ("core/one.pyc", False),
    ],
)
def test_the_digest_is_that_of_the_code_that_stages_run(package, name, is_of_stages):
    before = json.loads(template.code())
    (package / name).write_text("changed")
    after = json.loads(template.code())
    assert before["version"] == after["version"] and (before["sha256"] != after["sha256"]) == is_of_stages


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A folder with the package as a wheel built from the committed and new files of this repository installs it."""
    place = tmp_path_factory.mktemp("wheel")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", ":(exclude)metrics"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        (place / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place / "source" / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", "wheel", "./source"]
    subprocess.run(wheel, cwd=place, check=True, capture_output=True)
    (file,) = (place / "wheel").iterdir()
    subprocess.run([*pip, "install", "--no-deps", "--target", "package", str(file)], cwd=place, check=True)
    return place / "package"


@pytest.fixture
def whyrank(installed, tmp_path):
    """Run the installed command in an empty folder; the process as it ended."""

    def run(*arguments, folder=tmp_path):
        beside = tmp_path.parent / f"{tmp_path.name}-beside"
        surroundings = {"PYTHONPATH": str(installed), "WHYRANK_CACHE": str(beside), "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "-m", "whyrank", *arguments]
        return subprocess.run(command, cwd=folder, env=os.environ | surroundings, capture_output=True, text=True)

    return run


@pytest.mark.slow
def test_the_wheel_brings_the_same_bytes(installed):
    brought = installed / "whyrank/template"
    found = (file for file in brought.rglob("*") if file.is_file() and file.suffix != ".pyc")
    files = {str(file.relative_to(brought)) for file in found}
    stages = {str(file.relative_to(ROOT)) for file in ROOT.glob("stages/*.py")}
    assert files >= {"dvc.yaml", "params.yaml", "params.schema.json", "data/raw/sample/qrels/train.tsv", *stages}
    assert all((brought / name).read_bytes() == (ROOT / name).read_bytes() for name in files)


@pytest.mark.slow
def test_the_installed_command_runs_in_an_empty_folder(whyrank):
    done = whyrank("--version")
    assert done.returncode == 0 and done.stdout.startswith("whyrank ")


@pytest.mark.slow
def test_the_installed_command_starts_a_repository_in_an_empty_folder(whyrank, tmp_path):
    done = whyrank("init", "x", "--sample")
    assert done.returncode == 0, done.stderr
    for name in ("stages/prepare.py", "data/raw/sample/corpus.jsonl"):
        assert (tmp_path / "x" / name).read_bytes() == (ROOT / name).read_bytes()
    brought = json.loads((tmp_path / "x/whyrank.json").read_text())
    assert brought["sha256"] == json.loads(template.code())["sha256"]
    assert whyrank("init", "x", "--upgrade").stdout.startswith("written: nothing")


@pytest.mark.slow
def test_the_installed_command_checks_and_examines_in_an_empty_folder(whyrank, tmp_path, tiny_folder):
    write_source(tmp_path / "data")
    chosen = {key: SMALL[key] for key in SMALL if key.startswith(("prepare.tokens", "evaluate", "encoder", "diagnose"))}
    settings = [part for key, value in chosen.items() for part in ("-S", f"{key}={value}")]
    checked = whyrank("check", "data", "-S", f"encoder.source={tiny_folder}", *settings)
    assert checked.returncode in (0, 3, 4) and "72 queries, 12 answers" in checked.stdout, checked.stderr
    examined = whyrank("examine", str(tiny_folder), "--data", "data", "--out", "made", *settings)
    assert examined.returncode == 0 and "verdict: " in examined.stdout, examined.stderr
    assert (tmp_path / "made/metrics/diagnose/report.html").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"data", "made"}
