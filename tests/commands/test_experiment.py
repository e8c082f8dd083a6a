"""Experiments in a temporary copy: what of the user's files Git would not bring there, and the command that is run."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
import yaml

from whyrank.commands import experiment
from whyrank.core.errors import UserError

PIPELINE = {
    "stages": {
        "prepare": {"deps": ["${prepare.source}", "${prepare.pairs.folder}", "src"], "outs": ["data/prepared"]},
        "train": {"matrix": {"init": "${inits}"}, "deps": ["data/prepared", "models/${item.init}"]},
        "evaluate": {"foreach": "${systems}", "do": {"deps": ["data/prepared", "${item.made_of}"]}},
    }
}
PARAMS = {
    "seed": 7,
    "inits": ["base"],
    "systems": {"tfidf": {"made_of": "src"}, "other": {"made_of": "models/other"}},
    "encoder": {"source": "embedded"},
    "finetune_rank": {"reranker": {"model": ""}},
    "prepare": {"source": "data/raw/sample", "pairs": {"folder": "data/raw/pairs"}},
}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with data and code that Git tracks, and a rule that ignores `ignored` and byte code."""
    monkeypatch.chdir(tmp_path)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "test@example.org")
    # Whether DVC tracks a folder is asked of a whole repository of DVC: see tests/pipeline/test_own_data.py.
    monkeypatch.setattr(experiment, "is_tracked_by_dvc", lambda path, tracked: path.startswith("models/"))
    write("dvc.yaml", yaml.safe_dump(PIPELINE))
    write("params.yaml", yaml.safe_dump(PARAMS))
    write(".gitignore", "*.pyc\n/ignored/\n/models/\n")
    for file in ("src/code.py", "data/raw/sample/corpus.jsonl", "data/raw/pairs/nli.csv"):
        write(file)
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "All"]):
        subprocess.run(["git", *command], check=True)
    write("models/other/weights")
    return tmp_path


def write(file, text="text"):
    path = experiment.Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_what_git_tracks_and_what_dvc_makes_is_there_already(repository):
    assert experiment.unknown_to_git([]) == []


def test_a_folder_of_the_users_own_is_copied_and_nothing_beside_it(repository):
    write("mine/deep/set/corpus.jsonl")
    write("mine/deep/large.bin")
    write("data/raw/mine/corpus.jsonl")
    assert experiment.unknown_to_git(["prepare.source=mine/deep/set"]) == ["mine/deep/set"]
    assert experiment.unknown_to_git(['prepare.source="data/raw/mine"']) == ["data/raw/mine"]


def test_an_ignored_folder_is_copied_if_it_is_the_one_that_is_read(repository):
    write("ignored/pairs/nli.csv")
    write("src/__pycache__/code.pyc")
    assert experiment.unknown_to_git([]) == []
    assert experiment.unknown_to_git(["prepare.pairs.folder=ignored/pairs"]) == ["ignored/pairs"]


def test_a_file_is_copied_with_its_folder_where_a_copy_lacks_that(repository):
    write("ratings.csv")
    write("new/ratings.csv")
    assert experiment.unknown_to_git(["prepare.source=ratings.csv"]) == ["ratings.csv"]
    assert experiment.unknown_to_git(["prepare.source=new/ratings.csv"]) == ["new"]


def test_a_new_file_in_a_folder_that_git_tracks_is_copied_alone(repository):
    write("src/new.py")
    write("src/room/new.py")
    write("src/room/below/new.py")
    assert sorted(experiment.unknown_to_git([])) == ["src/new.py", "src/room"]


def test_the_model_of_a_system_that_a_setting_names_is_copied(repository):
    write("elsewhere/model/weights")
    assert experiment.unknown_to_git(["systems.other.made_of=elsewhere/model"]) == ["elsewhere/model"]
    write("my models/one/weights")
    assert experiment.unknown_to_git(['systems.other.made_of="my models/one"']) == ["my models/one"]
    assert experiment.unknown_to_git(["++systems.other={kind:encoder,made_of:elsewhere/model}"]) == ["elsewhere/model"]


def test_the_folder_of_an_encoder_is_copied(repository):
    write("encoders/mine/model.safetensors")
    assert experiment.unknown_to_git(["encoder.source=encoders/mine"]) == ["encoders/mine"]


def test_the_folder_of_a_reranker_is_copied(repository):
    write("ignored/reranker/model.safetensors")
    assert experiment.unknown_to_git(["finetune_rank.reranker.model=ignored/reranker"]) == ["ignored/reranker"]
    assert experiment.unknown_to_git(["finetune_rank.reranker.model=org/reranker"]) == []


def test_the_folder_of_the_cross_encoder_of_a_system_is_copied(repository):
    write("ignored/teacher/model.safetensors")
    assert experiment.unknown_to_git(["systems.other.model=ignored/teacher"]) == ["ignored/teacher"]
    systems = {"other": {"made_of": "src", "model": "ignored/teacher"}}
    write("params.yaml", yaml.safe_dump(PARAMS | {"systems": systems}))
    subprocess.run(["git", "commit", "--quiet", "--all", "--message", "A system"], check=True)
    assert experiment.unknown_to_git([]) == ["ignored/teacher"]


def test_a_key_that_is_taken_away_names_nothing(repository):
    write("elsewhere/model/weights")
    assert experiment.unknown_to_git(["~systems.other", "~systems.tfidf=elsewhere/model"]) == []


def test_what_lies_outside_or_is_not_there_is_not_copied(repository):
    assert experiment.unknown_to_git([f"prepare.source={repository.parent}", "prepare.pairs.folder=gone"]) == []
    assert experiment.unknown_to_git(["prepare.source=../elsewhere"]) == []


@pytest.fixture
def commands(repository, monkeypatch):
    """The commands that are run; those of Git for real, those of DVC not at all."""
    run, made = subprocess.run, []

    def pretend(command, **options):
        if command[0] == "git":
            return run(command, **options)
        made.append(command)
        return subprocess.CompletedProcess(command, int("seed=-1" in command))

    monkeypatch.setattr(experiment.subprocess, "run", pretend)
    monkeypatch.setattr(experiment, "followed", lambda command: pretend(command).returncode)
    return made


def test_it_starts_from_the_committed_parameters_and_says_what_it_leaves_out(commands, repository, capsys):
    write("params.yaml", yaml.safe_dump(PARAMS | {"seed": 9}))
    write("data/raw/mine/corpus.jsonl")
    experiment.run("small", "Does it cost $5?", ["prepare.source=data/raw/mine"])
    dvc = [sys.executable, "-m", "dvc", "--wait-for-lock", "exp"]
    assert commands == [
        [*dvc, "remove", "small"],
        [
            *[*dvc, "run", "--temp", "-n", "small", "-m", "Does it cost $5?"],
            *["-S", "seed=7", "-S", "prepare.source=data/raw/mine", "-C", "data/raw/mine"],
        ],
    ]
    assert capsys.readouterr().err == "params.yaml is taken as committed, without the changes of seed\n"
    assert experiment.command("small", "?", [], ["finetune_rank@base"])[-1] == "finetune_rank@base"
    assert "seed: 9" in (repository / "params.yaml").read_text()


@pytest.mark.parametrize("settings", [["seed=1"], ["seed=-1"]])
def test_copies_that_interrupted_runs_of_the_name_left_are_removed_and_no_others(settings, commands, repository):
    for number, (name, where) in enumerate([("small", "tempdir"), ("other", "tempdir"), ("small", "workspace")]):
        write(f".dvc/tmp/exps/standalone/copy-{number}/file")
        root = str(repository / f".dvc/tmp/exps/standalone/copy-{number}")
        for folder in (".dvc/tmp/exps/run", ".dvc/tmp/exps/standalone/run"):
            write(f"{folder}/{number}/{number}.run", json.dumps({"name": name, "location": where, "root_dir": root}))
    with suppress(UserError):
        experiment.run("small", "?", settings)
    left = {path.relative_to(repository / ".dvc/tmp/exps").as_posix() for path in repository.rglob("copy-*")}
    assert left == {"standalone/copy-1", "standalone/copy-2"}
    assert {path.stem for path in repository.rglob("*.run")} == {"1", "2"}


def test_copies_of_experiments_that_run_beside_it_may_come_and_go(commands, repository, monkeypatch):
    kept = ".dvc/tmp/exps/standalone/run/1/1.run"
    write(kept, "")  # DVC has opened it, and not written yet
    write(".dvc/tmp/exps/standalone/run/2/2.run")
    reading = experiment.Path.read_text

    def gone(path, **options):
        if path.name == "2.run":
            path.unlink()
        return reading(path, **options)

    monkeypatch.setattr(experiment.Path, "read_text", gone)
    experiment.clear("small")
    assert (repository / kept).exists()


CHILD = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
try:
    (folder / "ready").touch()
    time.sleep(60)
except KeyboardInterrupt:
    (folder / "told").touch()
"""


def test_what_interrupts_us_ends_what_was_started_first(tmp_path):
    def interrupt():
        while not (tmp_path / "ready").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    # A shell that waits for its child, as DVC for a stage.
    with pytest.raises(KeyboardInterrupt):
        experiment.followed(["bash", "-c", '"$0" -c "$1" "$2"; exit 3', sys.executable, CHILD, str(tmp_path)])
    assert (tmp_path / "told").exists()


def test_a_run_that_fails_is_an_error_of_one_line(commands):
    with pytest.raises(UserError, match="experiment small: `dvc exp run` failed"):
        experiment.run("small", "?", ["seed=-1"])


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize(("lost", "told"), [(FileNotFoundError("x.dir"), False), (PermissionError("x.dir"), None)])
def test_results_that_are_in_no_cache_are_not_there_and_any_other_error_is_raised(
    lost, told, wrapped, tmp_path, monkeypatch
):
    """DVC raises the loss of a file as it is, that of a folder within another folder in an error of its index."""

    class OfIndexError(Exception):
        """As DVC's own, which is no error of the system."""

    class Files:
        def __init__(self, rev):
            pass

        def exists(self, path):
            return True

        isdir = exists

        def get(self, *paths, recursive):
            if wrapped:
                raise OfIndexError("failed to load directory") from lost
            raise lost

    monkeypatch.setattr("dvc.api.DVCFileSystem", Files)
    if told is None:
        with pytest.raises((OfIndexError, PermissionError)):
            experiment.fetch("HEAD", "data/runs", tmp_path / "runs")
    else:
        assert experiment.fetch("HEAD", "data/runs", tmp_path / "runs") is told
