"""One entry in params.yaml, and `dvc repro`: another system is scored, compared, reported and in the model card."""

import csv
import json

import pytest
import yaml

pytestmark = pytest.mark.slow

NAME = "base-cls"
ENTRY = f"  {NAME}: {{kind: encoder, role: zero-shot, made_of: models/base, pooling: cls}}\n"


@pytest.fixture(scope="module")
def seven(ran, tmp_path_factory):
    """The clone after its first run, with one more entry; what the second run printed."""
    clone = ran.copy(tmp_path_factory.mktemp("seven") / "clone")
    file = clone.folder / "params.yaml"
    values = yaml.safe_load(file.read_text())
    values["systems"] |= yaml.safe_load(ENTRY)
    file.write_text(yaml.safe_dump(values, sort_keys=False))
    return clone, clone.done("dvc", "repro")


def rows(clone, name):
    with open(clone.folder / "metrics/diagnose" / name, newline="") as file:
        return list(csv.DictReader(file))


def test_only_its_evaluation_what_reads_its_scores_and_the_diagnosis_run(seven, stages_run):
    clone, output = seven
    assert stages_run(output) == [f"evaluate@{NAME}", "evaluate@fusion", "diagnose"]
    changed = clone.done("git", "status", "--porcelain").splitlines()
    assert {line[3:].split("/")[0] for line in changed} == {"params.yaml", "dvc.lock", "metrics"}


def test_it_is_scored_by_its_own_pooling(seven):
    clone, _ = seven
    of_mean, of_first = (
        json.loads((clone.folder / f"metrics/evaluate/{name}.json").read_text()) for name in ("base", NAME)
    )
    assert set(of_mean) == set(of_first) and of_mean["n_all"] == of_first["n_all"]
    assert of_mean["mean_off_pair_cosine"] != of_first["mean_off_pair_cosine"]


def test_it_is_compared_with_the_best_baseline_with_an_interval(seven):
    clone, _ = seven
    own = next(row for row in rows(clone, "comparisons.csv") if row["a"] == NAME and row["type"] == "all")
    assert own["b"] in ("tfidf", "bm25") and own["role"] == "best lexical baseline"
    assert float(own["low"]) <= float(own["difference"]) <= float(own["high"])
    assert NAME in {row["system"] for row in rows(clone, "systems.csv")}


def test_it_stands_in_both_reports_and_in_the_card_of_a_trained_system(seven, tmp_path):
    clone, _ = seven
    folder = clone.folder / "metrics/diagnose"
    assert f"| {NAME} " in (folder / "report.md").read_text()
    assert f'<span class="name">{NAME}</span>' in (folder / "report.html").read_text()
    clone.done("python", "-m", "whyrank", "export", "base-tuned", str(tmp_path / "out"))
    card = (tmp_path / "out/README.md").read_text()
    (row,) = [line for line in card.splitlines() if line.startswith(f"| {NAME}")]
    accuracy = json.loads((clone.folder / f"metrics/evaluate/{NAME}.json").read_text())["accuracy@1_all"]
    assert f"{accuracy:.3f}" in row
