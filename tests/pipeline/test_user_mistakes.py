"""A fault in the user's data or parameters ends the stage with one line naming place and remedy; nothing half there."""

import json
import re

import pytest
import yaml

pytestmark = pytest.mark.slow

CORPUS = "data/raw/tiny/corpus.jsonl"
BROKEN = '{"_id": "a99", "text": "the answer breaks off'
SINGLE_ANSWER = ("pretrain_barlow.batches=single_answer", "pretrain_barlow.views=[question-conversation]")


@pytest.fixture
def clone(fresh, tmp_path):
    """A clone in which nothing was run, to spoil."""
    return fresh.copy(tmp_path / "clone")


def set_param(clone, key, value):
    file = clone.folder / "params.yaml"
    values = yaml.safe_load(file.read_text())
    section, *path = key.split(".")
    at = values[section]
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    file.write_text(yaml.safe_dump(values))


def only_error(result) -> str:
    """The one line that a failed command says in its own words; what DVC adds begins with ERROR."""
    output = result.stdout + result.stderr
    assert result.returncode != 0
    assert "Traceback" not in output
    (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
    return line


def outputs(clone) -> list[str]:
    """What was written into the folders of results, temporary names included; a file that DVC removed is none."""
    status = clone.done("git", "status", "--porcelain", "--ignored", "--untracked-files=all").splitlines()
    names = [line[3:] for line in status if line.startswith(("??", "!!", " M"))]
    places = ("data/prepared", "data/.", "models/", "metrics/")
    # models/source shows the encoder's files to DVC; it is what was read, not a result.
    names = [name for name in names if not name.startswith("models/source/")]
    return [name for name in names if name.startswith(places) and not name.endswith(".gitignore")]


def test_a_source_folder_that_is_not_there(clone):
    set_param(clone, "prepare.source", "data/raw/nowhere")
    line = only_error(clone.run("python", "stages/prepare.py"))
    assert line == "error: source data/raw/nowhere does not exist; name a folder in BEIR layout or a hub id"
    assert outputs(clone) == []
    # DVC looks at its dependencies before it starts the stage, and says so in its own words.
    result = clone.run("dvc", "repro")
    assert result.returncode != 0
    assert "data/raw/nowhere" in result.stderr
    assert "Traceback" not in result.stderr


def test_more_broken_lines_than_max_rejected_allows(clone):
    corpus = clone.folder / CORPUS
    # 2 of 158 rows; the limit is 1 %.
    corpus.write_text(corpus.read_text() + 2 * f"{BROKEN}\n")
    line = only_error(clone.run("dvc", "repro", "prepare"))
    assert line == (
        "error: 2 of 158 rows are rejected (1.27%, at most 1.00%): corpus.jsonl line 13: not a JSON object: "
        f"'{BROKEN}' (2 rows); fix the rows, or raise -S prepare.max_rejected"
    )
    assert outputs(clone) == []


def test_an_unknown_key_through_an_experiment(clone):
    # DVC itself refuses a key that params.yaml lacks ...
    result = clone.run("dvc", "exp", "run", "-S", "prepare.nope=1", "prepare")
    assert result.returncode != 0
    assert "prepare.nope" in result.stderr
    assert "Traceback" not in result.stderr
    # ... unless the user asks it to append one.
    line = only_error(clone.run("dvc", "exp", "run", "-S", "+prepare.nope=1", "prepare"))
    assert line.startswith("error: params.yaml: `prepare.nope` is unknown; known here are ")
    assert outputs(clone) == []


def test_a_value_of_another_type_through_an_experiment(clone):
    line = only_error(clone.run("dvc", "exp", "run", "-S", "prepare.near_duplicate=high", "prepare"))
    assert line == (
        "error: params.yaml: `prepare.near_duplicate` is 'high'; it takes a number above 0 to 1; "
        "use -S prepare.near_duplicate=0.8"
    )
    assert outputs(clone) == []


def test_an_encoder_source_that_is_no_folder(clone):
    set_param(clone, "encoder.source", "encoders/nowhere")
    line = only_error(clone.run("dvc", "repro", "prepare"))
    place = "error: params.yaml: `encoder.source` 'encoders/nowhere'"
    assert line.startswith(f"{place} is no folder here and cannot be brought from the hub: ")
    assert outputs(clone) == []


def test_a_token_budget_beyond_what_the_encoder_reads(clone):
    set_param(clone, "prepare.tokens.answer", 4096)
    line = only_error(clone.run("dvc", "repro", "prepare"))
    assert line == "error: params.yaml: `prepare.tokens.answer` is 4096, but this encoder takes 3 to 64"
    assert outputs(clone) == []


def test_batches_of_one_answer_stop_before_any_training_and_name_the_fix(clone):
    settings = [part for setting in SINGLE_ANSWER for part in ("-S", setting)]
    result = clone.run("dvc", "exp", "run", *settings)
    line = only_error(result)
    assert line.startswith("error: preflight: barlow-single-answer-batches: ")
    assert "Remedy: dvc exp run -S pretrain_barlow.batches=across_answers" in line
    assert line.endswith("to go on: preflight.stop_on=never")
    assert re.findall(r"Running stage '([^']+)'", result.stdout) == ["prepare"]
    # What prepare found stays, whole, to be looked at; there is no temporary file and no trained model beside it.
    (finding, *_) = json.loads((clone.folder / "metrics/prepare/findings.json").read_text())
    assert (finding["code"], finding["severity"]) == ("barlow-single-answer-batches", "error")
    assert {path.name for path in (clone.folder / "models").iterdir()} <= {"base", "source", ".gitignore"}
    assert not [path for path in (clone.folder / "data").iterdir() if path.name.startswith(".prepared.")]


def test_a_metric_that_is_not_there_stops_fine_tuning_and_leaves_no_model(ran, tmp_path):
    clone = ran.copy(tmp_path / "clone")
    setting = "finetune_rank.early_stopping.metric=map@7_all"
    line = only_error(clone.run("dvc", "exp", "run", "-S", setting, "finetune_rank@base"))
    assert line.startswith(
        "error: params.yaml: `finetune_rank.early_stopping.metric` is 'map@7_all'; known are accuracy@1_all, "
    )
    # DVC removes the outputs of a stage before it starts it; those of other stages stay.
    assert sorted(path.name for path in (clone.folder / "models").iterdir() if path.is_dir()) == [
        "barlow",
        "barlow-tuned",
        "base",
        "source",
    ]
    assert not (clone.folder / "metrics/finetune_rank/base").exists()


def test_an_unknown_scenario_names_those_that_there_are(clone):
    line = only_error(clone.run("python", "-m", "whyrank", "scenario", "seed-barlo"))
    assert line.startswith("error: no scenario 'seed-barlo'; there are ")
    assert "seed-barlow-fixed" in line
