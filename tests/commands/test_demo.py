"""The demo: that it breaks what it says, what it prints; and as a whole, that each fault is named and fixed."""

import json
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from whyrank.commands import demo_text, in_process
from whyrank.commands.demo import Story
from whyrank.commands.demo_faults import FAULTS, SAMPLE, first_of, n_stages, values_of, write_sample
from whyrank.core.options import params
from whyrank.findings.diagnosis import checks
from whyrank.findings.finding import Finding
from whyrank.findings.systems import Systems
from whyrank.measure.significance.resampling import Interval

ROOT = Path(__file__).parents[2]
# The first cause of each, and the parameter that its fix sets.
NAMED = {
    "labels": ("labels-shifted", "prepare.corrections"),
    "pretraining": ("learning-rate-too-high", "pretrain_barlow.learning_rate"),
    "fine-tuning": ("learning-rate-too-high", "finetune_rank.learning_rate"),
}


def judged(folder):
    return [tuple(line.split("\t")) for line in (folder / "qrels/train.tsv").read_text().splitlines()[1:]]


def test_the_sample_is_whole_in_another_order_and_its_labels_move_as_told(tmp_path):
    write_sample(ROOT / SAMPLE, tmp_path / "clean")
    write_sample(ROOT / SAMPLE, tmp_path / "moved", shifted=1)
    clean, moved, shipped = judged(tmp_path / "clean"), judged(tmp_path / "moved"), judged(ROOT / SAMPLE)
    assert sorted(clean) == sorted(shipped) and clean != shipped
    answers = [answer for _, answer, _ in clean]
    assert moved == [(query, answers[at - 1], score) for at, (query, _, score) in enumerate(clean)]
    # Of neighbours few have the same answer: nearly all labels are wrong.
    assert sum(one != other for one, other in zip(clean, moved, strict=True)) > 0.9 * len(clean)
    texts = (tmp_path / "moved/queries.jsonl").read_text().splitlines()
    assert sorted(texts) == sorted((ROOT / SAMPLE / "queries.jsonl").read_text().splitlines())
    assert [json.loads(text)["_id"] for text in texts] == [query for query, _, _ in moved]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_changes_the_healthy_run_in_what_it_names_and_is_judged_by_one_system(fault, monkeypatch):
    monkeypatch.chdir(ROOT)
    healthy, broken = values_of(None), values_of(fault)
    params.check(broken)
    (tuned,) = Systems.of(broken).tuned
    assert Systems.of(broken).is_pretrained(tuned) == fault.is_pretrained
    for key, value in fault.settings.items():
        section, name = key.split(".")
        assert broken[section][name] == value > 100 * healthy[section][name]
    assert first_of(fault, ROOT) == ("prepare" if fault.shifted else next(iter(fault.settings)).split(".")[0])


def test_the_stages_that_will_run_are_counted(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert set(in_process.stages(ROOT)) == {"prepare", "pretrain_barlow", "finetune_rank", "evaluate", "diagnose"}
    # Healthy: 4 trainings and prepare, 5 systems; labels: 6 + diagnosis and again 6; 4 + 1 + 4; 2 + 1 + 2.
    assert n_stages(ROOT) == 9 + 13 + 9 + 5


@pytest.fixture
def story(tmp_path):
    fault = FAULTS[0]
    (tmp_path / fault.name).mkdir()
    checks([Finding("labels-shifted", "error", "data", "Shifted.")], []).to_csv(
        tmp_path / fault.name / "checks.csv", index=False
    )
    finding = {
        "code": "labels-shifted", "sentence": "The labels are shifted. " + "word " * 40,
        "evidence": [{"name": f"share {at}", "value": at + 0.5, "unit": "%"} for at in range(5)],
    }  # fmt: skip
    step = {"command": f"mkdir -p data/corrections && {'x' * 150} && dvc exp run -S a=1"}
    trial = {"outcome": "helped", "told": "accuracy@1 of base-tuned: +39.8 points: helped"}
    values = [Interval(0.42, 0.36, 0.49), Interval(0.02, 0.0, 0.04), Interval(0.41, 0.35, 0.48)]
    return Story(fault, "accuracy@1", "preflight: stopped", finding, step, *values, trial)


def test_a_story_is_told_in_lines_that_fit_and_a_command_that_can_be_copied(story, tmp_path):
    other = story._replace(refused="", trial=story.trial | {"outcome": "failed"})
    text = demo_text.rendered([story, other], tmp_path)
    lines = text.splitlines()
    assert lines[0] == "1. Each query of the judgements has the answer of the row above."
    assert f"   fix         {story.step['command']}" in lines
    assert all(len(line) <= demo_text.WIDTH for line in lines if "mkdir" not in line and str(tmp_path) not in line)
    assert "before 0.420 [0.360, 0.490], broken 0.020 [0.000, 0.040], fixed 0.410 [0.350, 0.480]" in text
    assert text.count("before any training") == 1
    assert "share 0: 0.5 %; share 1: 1.5 %; share 2: 2.5 %\n" in text and "share 3" not in text
    assert "checks      1 failed" in text and f"report      {tmp_path}/labels/report.html" in text
    assert "helped with 1 of 2 faults\n" in text


WHOLE = """
import json, sys
from pathlib import Path
from xml.etree import ElementTree
from whyrank.commands import demo
stories = demo.demo(Path.cwd(), Path(sys.argv[1]))
print(json.dumps([story._replace(fault=story.fault.name) for story in stories]))
"""


@pytest.mark.slow
def test_each_fault_is_named_first_and_its_fix_brings_the_metric_back(tmp_path):
    before = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, check=True).stdout
    started = time.monotonic()
    command = [sys.executable, "-c", WHOLE, str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    print(f"demo: {time.monotonic() - started:.0f} s")
    stories = [Story(*row) for row in json.loads(result.stdout)]
    assert [story.fault for story in stories] == list(NAMED)
    for story in stories:
        code, key = NAMED[story.fault]
        assert story.finding["code"] == story.step["code"] == code and list(story.step["params"]) == [key]
        (was, *_), (broken, *_), (now, *_) = story.before, story.broken, story.after
        assert broken < was - 0.1, f"{story.fault} did no harm"
        difference, low, _, n = story.trial["difference"]
        assert story.trial["outcome"] == "helped" and low > 0 and n > 200
        # What was lost is back, to within the interval of the healthy run.
        assert story.before[1] <= now and difference == pytest.approx(now - broken, abs=0.005)
        assert (tmp_path / story.fault / "report.html").exists()
    assert stories[0].refused.startswith("preflight: labels-shifted") and not stories[1].refused
    after = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, check=True).stdout
    assert after == before


def test_the_picture_of_the_readme_shows_what_the_demo_prints():
    """The words that no run changes; the numbers are those of the run that it was made from."""
    told = " ".join("".join(node.itertext()) for node in ElementTree.parse(ROOT / "docs/demo.svg").iter() if node.text)
    assert "docs/demo.svg" in (ROOT / "README.md").read_text()
    for fault in FAULTS:
        assert fault.done in told and NAMED[fault.name][0] in told
    for word in (demo_text.STOPPED, "evidence", "whyrank fix", "helped with 3 of 3 faults"):
        assert word in told
