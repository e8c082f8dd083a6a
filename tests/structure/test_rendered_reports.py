"""The rendered reports of docs/ are those of the code and of the figures that stand in this repository."""

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / f"docs/reports/{name}.html").read_text(encoding="utf-8") for name in ("healthy", "failing")}
SOURCE = ROOT / "src/whyrank/diagnosis/report"
REMEDY = "run `dvc repro`, `whyrank demo` and `python docs/reports.py`"


def between(text, start, stop):
    return text.partition(start)[2].partition(stop)[0].strip()


@pytest.mark.parametrize("name", PAGES)
def test_its_style_and_script_are_those_of_the_code(name):
    template = (SOURCE / "page.html.jinja").read_text(encoding="utf-8")
    assert between(PAGES[name], "<style>", "</style>") == between(template, "<style>", "</style>"), REMEDY
    script = (SOURCE / "page.js").read_text(encoding="utf-8").strip()
    assert script in PAGES[name], REMEDY


def test_the_healthy_one_has_the_committed_figures():
    summary = json.loads((ROOT / "metrics/summary.json").read_text(encoding="utf-8"))
    shown = re.sub(r"<[^>]+>", " ", PAGES["healthy"])
    counts = {word: summary[word] for word in ("error", "warning")}
    assert all(re.search(rf"\b{count}\s+{word}s?\b", shown) for word, count in counts.items()), REMEDY
    figures = {name.split(".")[0]: value for name, value in summary.items() if name.endswith("accuracy@1_all")}
    assert list(figures) == list(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["systems"])
    for system, value in figures.items():
        assert re.search(rf"\b{re.escape(system)}\b.{{0,120}}?{value:.3f}", shown, re.DOTALL), (system, REMEDY)


def test_the_failing_one_names_the_cause_and_its_command():
    shown = re.sub(r"<[^>]+>", "", PAGES["failing"])
    assert re.search(r"First warning\W*learning-rate-too-high", shown)
    assert re.search(r"dvc exp run -S finetune_rank\.learning_rate=[\d.e-]+", shown)
