"""Where a stage stands among those that DVC runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from whyrank.core import place
from whyrank.core.options.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("stage", "argument", "told"),
    [
        ("prepare", "", "prepare (1 of 14)"),
        ("finetune_rank", "barlow", "finetune_rank barlow (4 of 14)"),
        ("evaluate", "base", "evaluate base (7 of 14)"),
        ("diagnose", "", "diagnose (14 of 14)"),
        # Its own line says what is wrong.
        ("evaluate", "nosuch", "evaluate nosuch"),
    ],
)
def test_the_shipped_pipeline_is_counted_as_dvc_runs_it(stage, argument, told, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert place.place(stage, argument) == told
    assert place.of_script(f"/somewhere/stages/{stage}.py", [argument] if argument else []) == told


def test_files_that_say_nothing_are_left_to_what_reads_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).touch()
    assert place.place("prepare") == "prepare"


def test_dvc_has_the_same_stages_in_the_same_order():
    listed = subprocess.run(
        [sys.executable, "-m", "dvc", "stage", "list", "--name-only"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    names = place.stages(read_yaml(str(ROOT / "dvc.yaml")), read_yaml(str(ROOT / "params.yaml")))
    assert ["@".join(filter(None, name)) for name in names] == listed


def test_values_of_another_kind_are_left_to_the_check_of_params():
    pipeline = {"stages": {"one": {"cmd": ""}, "two": {"foreach": "${systems}", "do": {}}}}
    assert list(place.stages(pipeline, {"systems": 3})) == [("one", "")]
    assert list(place.stages(pipeline, {"systems": {"a": {}, "b": {}}})) == [("one", ""), ("two", "a"), ("two", "b")]
