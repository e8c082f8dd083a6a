"""A printed fix names a whole state: it gives the same after the run, after a checkout, and in another clone."""

import hashlib
import json
import re
import shlex
from pathlib import Path

import pytest

from whyrank.core.options.yaml_files import read_yaml

pytestmark = pytest.mark.slow

# The run with the fault: of what it changes the fix itself says nothing.
RUN = [
    "-S",
    "diagnose.level=0.9",
    "-S",
    "finetune_rank.similarity.scale=10",
    "-S",
    "++systems.bm25=0",
    "-S",
    "~systems.bm25",
]


@pytest.fixture(scope="module")
def pasted(ran, tmp_path_factory):
    """The command of a fix, and the clone after it was pasted in each of the three situations."""
    folder = tmp_path_factory.mktemp("pasted")
    after_run = ran.copy(folder / "after-run")
    after_run.done("dvc", "exp", "run", *RUN)
    findings = json.loads((after_run.folder / "metrics/diagnose/findings.json").read_text())
    command = next(one["fix"]["command"] for one in findings if one["fix"]["command"])
    after_checkout = after_run.copy(folder / "after-checkout")
    after_checkout.done("git", "checkout", "params.yaml", "dvc.lock", "metrics")
    ran.done("git", "clone", "--quiet", str(ran.folder), str(folder / "colleague"))
    colleague = type(ran)(folder / "colleague")
    clones = {"after the run": after_run, "after a checkout": after_checkout, "of a colleague": colleague}
    for clone in clones.values():
        clone.done(*shlex.split(command))
    return command, clones


def results(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that stages wrote, by its path; reports without the name of their experiment."""
    (name,) = re.findall(r"Experiment: ([\w-]+)", (folder / "metrics/diagnose/report.md").read_text())
    places = ("data/prepared", "data/runs", "models/base-tuned", "models/barlow-tuned", "metrics")
    files = [file for place in places for file in (folder / place).rglob("*") if file.is_file()]
    # What the first run of all evaluated stays, also where the system is left out.
    files = [file for file in files if "bm25" not in str(file) and file.name != ".gitignore"]
    files = [file for file in files if file != folder / "metrics/diagnose/SHA256SUMS"]
    bare = {file: file.read_bytes().replace(name.encode(), b"") for file in files}
    return {str(file.relative_to(folder)): hashlib.sha256(content).hexdigest() for file, content in bare.items()}


def test_the_command_holds_what_the_run_changed_and_what_fixes_it(pasted):
    command, _ = pasted
    settings = shlex.split(command)[4::2]
    assert settings[:4] == [
        "++systems.bm25=0",
        "~systems.bm25",
        "finetune_rank.similarity.scale=10",
        "diagnose.level=0.9",
    ]
    assert len(settings) > 4


@pytest.mark.parametrize("where", ["after a checkout", "of a colleague"])
def test_it_gives_the_same_parameters_and_the_same_numbers_everywhere(pasted, where):
    _, clones = pasted
    here, there = clones["after the run"].folder, clones[where].folder
    assert read_yaml(str(there / "params.yaml")) == read_yaml(str(here / "params.yaml"))
    mine, theirs = results(here), results(there)
    assert len(mine) > 60
    assert {name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)} == set()
