"""The repository in a temporary git clone, with data and an encoder so small that a whole `dvc repro` takes seconds."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[2]
FIRST_RUN = "first-run.log"
# The words that the tiny encoder of tests/conftest.py knows; two of them belong to each of 12 answers.
OWN_WORDS = [
    ["permit", "garden"],
    ["fence", "neighbour"],
    ["pension", "retire"],
    ["age", "payment"],
    ["visa", "travel"],
    ["border", "passport"],
    ["tax", "income"],
    ["return", "refund"],
    ["school", "child"],
    ["place", "term"],
    ["licence", "drive"],
    ["car", "test"],
]
FILLER = ["the", "my", "i", "you", "please", "how", "when", "about", "for", "a"]
SMALL = {
    "prepare.source": "data/raw/tiny",
    "prepare.tokens.question": 64,
    "prepare.tokens.conversation": 64,
    "prepare.tokens.answer": 64,
    "prepare.tokens.pair": 64,
    "evaluate.pair_tokens": 64,
    "encoder.precision": "fp32",
    "pretrain_barlow.steps": 6,
    "pretrain_barlow.batch_size": 12,
    "pretrain_barlow.batches": "across_answers",
    "finetune_rank.epochs": 3,
    "finetune_rank.batch_size": 12,
    "finetune_rank.train": "last",
    "finetune_rank.last_layers": 1,
    "finetune_rank.early_stopping.evaluations": 3,
    "finetune_rank.early_stopping.patience": 3,
    "diagnose.resamples": 200,
}


class Clone:
    """A repository of its own, and the commands of somebody who stands in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command with the interpreter of this test run first on PATH; no network, nothing outside the folder."""
        beside = self.folder.parent / f"{self.folder.name}-beside"
        surroundings = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            # An editable install points at the original; the clone has to run its own sources.
            "PYTHONPATH": str(self.folder / "src"),
            "HF_HUB_OFFLINE": "1",
            "WHYRANK_CACHE": str(beside / "vectors"),
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(beside / "dvc-site"),
            "DVC_GLOBAL_CONFIG_DIR": str(beside / "dvc-global"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        return subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | surroundings | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            # Machines differ fourfold in speed, and are shared: a page's block of seven experiments takes 20 minutes on
            # two cores with a load of 8.
            timeout=3600,
        )

    def done(self, *command: str, **environment: str) -> str:
        """What a command that has to succeed printed, standard output first."""
        result = self.run(*command, **environment)
        assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}\n{result.stderr}"
        return result.stdout + result.stderr

    def parsed(self, *command: str) -> Any:
        """The JSON that a command prints."""
        result = self.run(*command)
        assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}\n{result.stderr}"
        return json.loads(result.stdout)

    def copy(self, folder: Path) -> "Clone":
        shutil.copytree(self.folder, folder, symlinks=True)
        return Clone(folder)

    def commit(self, message: str) -> None:
        self.done("git", "add", "--all")
        self.done("git", "commit", "--quiet", "--message", message)

    def metrics(self, name: str) -> dict[str, float]:
        return json.loads((self.folder / f"metrics/{name}.json").read_text())


@pytest.fixture(scope="session")
def stages_run() -> Callable[[str], list[str]]:
    """The stages that an output of `dvc repro` or `dvc exp run` says it ran, in order."""
    return lambda output: re.findall(r"^Running stage '([^']+)'", output, flags=re.MULTILINE)


@pytest.fixture(scope="session")
def fresh(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """What somebody clones: the committed files and those about to be; small data and encoder; nothing was run."""
    folder = tmp_path_factory.mktemp("fresh") / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    write_source(folder / SMALL["prepare.source"])
    write_params(folder / "params.yaml", SMALL | {"encoder.source": str(tiny_folder)})
    clone = Clone(folder)
    clone.done("git", "init", "--quiet", "--initial-branch=main")
    clone.done("git", "config", "user.name", "Test")
    clone.done("git", "config", "user.email", "test@example.org")
    clone.commit("Fresh")
    return clone


@pytest.fixture(scope="session")
def ran(fresh: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which `dvc repro` ran once and its results were committed; not to be changed, only copied."""
    clone = fresh.copy(tmp_path_factory.mktemp("ran") / "clone")
    output = clone.done("dvc", "repro")
    (clone.folder.parent / FIRST_RUN).write_text(output)
    clone.commit("Results")
    return clone


@pytest.fixture(scope="session")
def first_run(ran: Clone) -> str:
    """What the first `dvc repro` printed."""
    return (ran.folder.parent / FIRST_RUN).read_text()


def write_source(folder: Path) -> None:
    """12 answers with 3 questions and 3 conversations each; every text holds two words of its answer among filler."""
    random = np.random.default_rng(0)
    corpus, queries, qrels = [], [], ["query-id\tcorpus-id\tscore"]
    for answer, own in enumerate(OWN_WORDS):

        def text(length: int, own: list[str] = own) -> str:
            return " ".join([*own, *random.choice([*own, *FILLER], length)])

        corpus.append({"_id": f"a{answer:02}", "title": own[0], "text": text(20)})
        for number in range(6):
            kind, length = ("question", 6) if number < 3 else ("conversation", 30)
            queries.append({"_id": f"a{answer:02}-{number}", "text": text(length), "metadata": {"type": kind}})
            qrels.append(f"a{answer:02}-{number}\ta{answer:02}\t1")
    (folder / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "qrels/train.tsv").write_text("\n".join(qrels) + "\n")


def write_params(file: Path, changes: dict[str, Any]) -> None:
    values = yaml.safe_load(file.read_text())
    for key, value in changes.items():
        *path, last = key.split(".")
        at = values
        for part in path:
            at = at[part]
        assert last in at, f"params.yaml has no {key}"
        at[last] = value
    file.write_text(yaml.safe_dump(values, sort_keys=False))
