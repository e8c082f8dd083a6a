"""Faults of labels and of batches of pairs, provoked for real: `prepare` names them, and the command it gives fixes.

Pairs of the bundled sample with MiniLM. Only the heads are trained, on vectors that are kept.
"""

import csv
import json
from typing import Any

import pytest

from .test_fixes import run_stages, settings, settings_in

pytestmark = pytest.mark.slow

PAIRS = "data/raw/pairs"
TEST = "{name: sts, use: test, kind: scores, path: held_out.csv, range: [0, 5]}"
TRAINING = {
    "encoder.source": "embedded",
    "preflight.stop_on": "never",
    "pretrain_barlow.steps": 0,
    "finetune_rank.objectives.rank.weight": 0.0,
    "finetune_rank.objectives.similarity.weight": 1.0,
    "finetune_rank.train": "head",
    "finetune_rank.head.kind": "residual",
    "finetune_rank.learning_rate": 1e-3,
    "finetune_rank.epochs": 60,
    "finetune_rank.early_stopping.metric": '""',
}
SEED_IDS = "raw"
MAPPED = "{same: 1.0, near: 0.5, other: 0.0}"
LOW = "{same: 0.8, near: 0.5, other: 0.2}"


@pytest.fixture(scope="module")
def clone(fresh, tmp_path_factory):
    """A clone whose training pairs are scored ones made into class ids, alike ones first, as SNLI has them."""
    clone = fresh.copy(tmp_path_factory.mktemp("labels") / "clone")
    with open(clone.folder / PAIRS / "sts.csv", newline="") as file:
        rows = [(row["sentence1"], row["sentence2"], float(row["score"])) for row in csv.DictReader(file)]
    train, test = rows[::2] + rows[1::4], rows[3::4]
    ids = [(first, second, 0 if score >= 3.4 else 1 if score >= 1.8 else 2) for first, second, score in train]
    for name, header, lines in (
        ("ids.csv", ["premise", "hypothesis", "label"], ids),
        ("unagreed.csv", ["premise", "hypothesis", "label"], [*ids, ("The pump hums.", "It is late.", -1)]),
        ("held_out.csv", ["sentence1", "sentence2", "score"], test),
    ):
        with open(clone.folder / PAIRS / name, "w", newline="") as file:
            csv.writer(file).writerows([header, *lines])
    clone.commit("Class ids")
    return clone


def source(labels: str, **keys: Any) -> str:
    written = {"name": "ids", "use": "train", "kind": "classes", "path": "ids.csv"} | keys
    return "{" + ", ".join(f"{key}: {value}" for key, value in written.items()) + f", labels: {labels}}}"


def sources(first: str) -> str:
    return f"prepare.pairs.sources=[{first}, {TEST}]"


def prepared(clone, overrides: list[str]) -> dict[str, dict[str, Any]]:
    """Findings of `prepare`, by code."""
    run_stages(clone, overrides, "prepare.py")
    return {one["code"]: one for one in json.loads((clone.folder / "metrics/prepare/findings.json").read_text())}


def spearman(clone, overrides: list[str]) -> float:
    run_stages(clone, overrides, "prepare.py", "pretrain_barlow.py", "finetune_rank.py base", "evaluate.py base-tuned")
    return clone.metrics("evaluate/base-tuned")["sts_spearman"]


OBJECTIVE = "finetune_rank.objectives.similarity"
NAMES = "[same, near, other]"
CASES = {
    "class ids": ("labels-reversed", source(SEED_IDS), {}),
    "ids of -1": ("unlabelled-rows-trained-on", source(SEED_IDS, path="unagreed.csv"), {}),
    "ids up to 2": ("labels-out-of-range", source(SEED_IDS), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_command_of_the_finding_silences_it_and_all_that_came_with_it(case, clone):
    code, first, changes = CASES[case]
    fault = [*settings(TRAINING | changes), sources(first)]
    found = prepared(clone, fault)
    assert code in found
    fixed = prepared(clone, [*fault, *settings_in(found[code]["fix"]["command"])])
    assert set(fixed) - set(prepared(clone, settings(TRAINING))) == set()


def test_proper_labels_raise_nothing(clone):
    proper = [*settings(TRAINING), sources(source(MAPPED, classes=NAMES))]
    assert set(prepared(clone, proper)) == set(prepared(clone, settings(TRAINING)))


def test_labels_that_are_reversed_cost_similarity_and_the_command_brings_it_back(clone):
    fault = [*settings(TRAINING), sources(source(SEED_IDS))]
    spoilt = spearman(clone, fault)
    finding = prepared(clone, fault)["labels-reversed"]
    fixed = spearman(clone, [*fault, *settings_in(finding["fix"]["command"])])
    assert fixed > spoilt + 0.2


def test_preflight_stops_in_prepare_with_the_command_as_its_remedy(clone):
    stopping = [*settings(TRAINING | {"preflight.stop_on": "error"}), sources(source(SEED_IDS))]
    run_stages(clone, stopping)
    stopped = clone.run("python", "stages/prepare.py")
    assert stopped.returncode != 0
    (line,) = [line for line in stopped.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: preflight: labels-reversed: The labels of 'ids' are reversed")
    assert "-S '++prepare.pairs.sources.0.labels={class_0:1.0,class_1:0.5,class_2:0.0}'" in line
