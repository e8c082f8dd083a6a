"""Faults in a file of ratings, provoked for real: `prepare` names them, and the command it gives fixes them.

The stage runs in the process of the tests: starting one takes longer than the stage with a tiny encoder.
"""

import csv
import json
import runpy
from typing import Any

import pytest

from whyrank.core import prepared

from .. import overrides
from .test_fixes import settings, settings_in

pytestmark = pytest.mark.slow

SAMPLE = "data/raw/ratings/sample.csv"
ON = {
    "preflight.stop_on": "never",
    "prepare.ratings.read": True,
    "finetune_rank.objectives.ratings.weight": 1.0,
    # The tiny encoder has 64 places.
    "prepare.ratings.tokens": "{title: 10, body: 20, answer: 30}",
}
# Column -> value in the row of a number; of a file beside the sample.
COLUMNS = {
    "hosts.csv": {"host": lambda i: ["superuser.com", "math.stackexchange.com"][i % 2], "kind": lambda i: "ABC"[i % 3]},
    "stars.csv": {"stars": lambda i: i % 5 + 1},
    "constant.csv": {"polite": lambda i: 1},
}
CASES: dict[str, dict[str, Any]] = {
    "non-target-column": {"prepare.ratings.source": "data/raw/ratings/hosts.csv"},
    "target-out-of-range": {"prepare.ratings.source": "data/raw/ratings/stars.csv"},
    "undefined-targets": {"prepare.ratings.source": "data/raw/ratings/constant.csv"},
    "group-leak": {"prepare.ratings.group": "qa_id"},
    "fixed-allocation-truncates": {
        "prepare.ratings.allocation": "fixed",
        "prepare.ratings.tokens": "{title: 30, body: 20, answer: 10}",
    },
}


@pytest.fixture(scope="module")
def clone(fresh, tmp_path_factory):
    clone = fresh.copy(tmp_path_factory.mktemp("ratings") / "clone")
    with open(clone.folder / SAMPLE, newline="") as file:
        rows = list(csv.DictReader(file))
    for name, columns in COLUMNS.items():
        changed = [row | {key: value(i) for key, value in columns.items()} for i, row in enumerate(rows)]
        with open((clone.folder / SAMPLE).with_name(name), "w", newline="") as file:
            writer = csv.DictWriter(file, list(changed[0]))
            writer.writeheader()
            writer.writerows(changed)
    clone.commit("Files of ratings")
    return clone


def run_prepare(clone, settings: list[str]) -> None:
    """The stage with overrides of the committed parameters, applied as DVC applies them."""
    clone.done("git", "checkout", "--quiet", "params.yaml")
    overrides.apply(clone.folder / "params.yaml", settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clone.folder)
        runpy.run_path("stages/prepare.py", run_name="__main__")


def findings(clone, overrides: list[str]) -> dict[str, dict[str, Any]]:
    run_prepare(clone, overrides)
    return {one["code"]: one for one in json.loads((clone.folder / "metrics/prepare/findings.json").read_text())}


@pytest.fixture(scope="module")
def healthy(clone) -> set[str]:
    """What is said of the rest of the small data, whatever the ratings are."""
    return set(findings(clone, settings(ON)))


def test_the_sample_raises_nothing_about_ratings(healthy):
    assert healthy & set(CASES) == set()


@pytest.mark.parametrize("code", CASES)
def test_the_command_of_the_finding_silences_it(code, clone, healthy):
    fault = settings(ON | CASES[code])
    found = findings(clone, fault)
    assert set(found) - healthy == {code}
    assert set(findings(clone, [*fault, *settings_in(found[code]["fix"]["command"])])) - healthy == set()


def test_a_target_on_another_scale_stops_the_run_with_the_command_as_its_remedy(clone, capsys):
    stopping = settings(ON | CASES["target-out-of-range"] | {"preflight.stop_on": "error"})
    with pytest.raises(SystemExit) as stopped:
        run_prepare(clone, stopping)
    assert stopped.value.code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: preflight: target-out-of-range: Target 'stars' was left out: it runs from 1 to 5, ")
    assert "-S '++prepare.ratings.rescale={stars:[1.0,5.0]}'" in line


def test_a_prepared_set_with_test_and_unlabelled_rows_reads_back(clone):
    folder = clone.folder / "data/raw/quest"
    folder.mkdir(exist_ok=True)
    with open(clone.folder / SAMPLE, newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [{key: row[key] for key in ("qa_id", "question_title", "question_body", "answer")} for row in rows]
    for name, part in (("train.csv", rows[:200]), ("test.csv", texts[200:220]), ("more.csv", texts[220:])):
        with open(folder / name, "w", newline="") as file:
            writer = csv.DictWriter(file, list(part[0]))
            writer.writeheader()
            writer.writerows(part)
    source = {"source": "data/raw/quest", "test": "test.csv", "unlabelled": "more.csv", "layout": "separate"}
    run_prepare(clone, settings(ON | {f"prepare.ratings.{key}": value for key, value in source.items()}))
    back = prepared.read(clone.folder / "data/prepared")
    assert back.ratings["use"].value_counts().to_dict() == {"train": 200, "test": 20, "unlabelled": 20}
    assert len(back.rating_targets) == 5
    numbers = back.ratings[["first", "second"]].to_numpy()
    rated = back.texts.of("rated text")
    assert numbers.min() == rated[0] and numbers.max() == rated[-1]
    assert len(back.training_token_ids) > rated[-1]
