"""The benchmarks of docs/scale.md in their smallest form."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ann import measure
from whyrank.core.options.files import Files
from whyrank.data.ranking.source import read_source
from whyrank.data.ranking.validate import validate

ROOT = Path(__file__).parents[2]


def printed(script, *options):
    """The rows of the tables that a benchmark prints, heads among them, and all its text."""
    command = [sys.executable, str(ROOT / "benchmarks" / script), *options]
    run = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=ROOT)
    assert run.returncode == 0, run.stderr[-2000:]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in run.stdout.splitlines() if line[:1] == "|"
    ]
    return rows, run.stdout


def test_a_large_set_is_read_whole_and_the_same_each_time(tmp_path):
    for folder in ("one", "other"):
        printed("large.py", str(tmp_path / folder), "--answers", "120", "--queries", "40")
    valid = validate(read_source(tmp_path / "one", Files("auto", "auto", [])))
    assert (len(valid.answers), len(valid.queries), len(valid.qrels), len(valid.rejected)) == (120, 40, 40, 0)
    assert valid.answers["body"].str.split().str.len().between(60, 200).all()
    for file in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()
    _, text = printed("large.py", str(tmp_path / "one"), "--measure")
    assert [line.split(":")[0] for line in text.splitlines()] == ["read", "prepared", "tokenised"]


def test_exact_search_finds_the_answers_with_the_largest_products(monkeypatch):
    monkeypatch.setattr(measure, "KEPT", 5)
    answer_AD, query_QD = measure.made(300, 7, features=8)
    found_QK = measure.exact(answer_AD)(query_QD)
    assert np.array_equal(found_QK, np.argsort(-(query_QD @ answer_AD.T), axis=1)[:, :5])
    assert measure.recall(found_QK, found_QK[:, ::-1], 5) == 1.0
    assert measure.recall(found_QK, found_QK + 1000, 5) == 0.0


@pytest.mark.slow
def test_the_model_is_fitted_to_two_batches_and_predictions_are_said_to_be_some():
    rows, text = printed("scaling.py", "--rounds", "1", "--steps", "1", "--pairs", "2", "6")
    assert [row[0] for row in rows[2:4]] == ["2 pairs", "6 pairs"]
    assert [row[0] for row in rows[-12:]] == ["1"] * 4 + ["8"] * 4 + ["64"] * 4
    assert "Predictions, none measured" in text


@pytest.mark.slow
def test_the_script_for_a_gpu_runs_without_one_and_says_so():
    rows, text = printed("gpu.py", "--tiny", "--steps", "1", "--texts", "20")
    held = {row[0]: float(row[2]) for row in rows if row[0] in ("whole", "shard_encoder")}
    assert 1.9 < held["whole"] / held["shard_encoder"] < 2.1
    if "No GPU here" in text:
        assert [row[-1] for row in rows if row[0] in held] == ["no GPU"] * 2
    assert [row[0] for row in rows if row[0].endswith("texts")] == ["128 tokens, 4 texts", "512 tokens, 4 texts"]
