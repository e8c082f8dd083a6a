"""Every command of README.md and docs/: each page in a clone of its own, in its order, as people copy it.

A page's ```bash blocks run as they stand, but for `INSTEAD`. What they leave in the working tree is what the page says.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pandas as pd
import pytest

from .conftest import ROOT, SMALL, Clone, write_params, write_source
from .warm_python import warm

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEAVES = re.compile(r"^\*\*What these commands leave:\*\*(.*?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
# Languages of blocks that show something and run nothing.
SHOWN = {"", "json", "yaml"}
COMMAND = re.compile(r"^\s*(?:\$ )?(?:dvc|git|make|python|pip|whyrank|torchrun|source|cp|hf) ", re.MULTILINE)

# Page -> the test that runs its commands.
ELSEWHERE = {
    "docs/sharing.md": "tests/pipeline/test_sharing.py",
    "docs/examine.md": "tests/pipeline/test_examine_page.py",
}
# These pages begin with a fresh clone; the others after a first run, whose results were committed.
FIRST = ("README.md", "docs/tutorial.md")
# What a page shows -> what runs here -> why.
INSTEAD: Mapping[str, tuple[str, str]] = {
    "make demo": ("make --dry-run --old-file .venv/installed demo", "tests/commands/test_demo.py runs it, for minutes"),
    "make repro": ("make --old-file .venv/installed repro", "the environment is that of this test"),
    "make test": ("make --dry-run test", "this is a test"),
    "make slow": ("make --dry-run slow", "this is a test"),
    "source .venv/bin/activate": ("true", "the environment is that of this test"),
    "dvc queue start": ("dvc exp run --run-all", "in the foreground, so that it has ended when the page ends"),
    "finetune_rank.batch_size=1024": ("finetune_rank.batch_size=24", "as many queries as there are"),
    "--nproc-per-node 8": ("--nproc-per-node 2", "as many processes as processors"),
    "prepare.hub=your-org/your-set": (
        "prepare.source=data/raw/hub",
        "a hub is out of reach; tests/data/ranking/test_source.py reads sets as they lie there",
    ),
    "encoder.source=BAAI/bge-small-en-v1.5": (
        "encoder.source=encoder",
        "a hub is out of reach; a folder is read alike",
    ),
    "~/.cache/whyrank/checkpoints/*/history.csv": (
        "metrics/finetune_rank/*/history.csv",
        "only a killed training leaves one",
    ),
    "whyrank fix  ": ("whyrank fix || test $? -eq 1  ", "here no fix helps, and it ends with 1; the tutorial has one"),
    "whyrank scenario label-curve": (
        "whyrank scenario label-curve -S pretrain_barlow.steps=10 -S finetune_rank.max_steps=10",
        "three splits of 250 steps an arm are a quarter of an hour",
    ),
    "whyrank scenario seed-barlow": (
        "whyrank scenario seed-barlow -S pretrain_barlow.steps=50 -S finetune_rank.epochs=3 || test $? -eq 1",
        "8,000 steps are half an hour; after fewer it ends with 1, since the findings are not those expected",
    ),
    "rank-similarity -S prepare.source=data/raw/mine -S prepare.pairs.folder=data/raw/sts-sets": (
        "pairs-sample -S prepare.source=data/raw/mine -S pretrain_barlow.steps=0",
        "the sets of STS are the user's; tests/data/pairs reads files of each kind",
    ),
}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[str]:
    return [text for language, text in BLOCK.findall(page.read_text(encoding="utf-8")) if language == "bash"]


def left(page: Path) -> set[str]:
    """The files and folders that a page says it leaves changed, or new."""
    said = LEAVES.search(page.read_text(encoding="utf-8"))
    return set(re.findall(r"`([\w./-]+)`", said[1])) if said else set()


def pattern(shown: str) -> str:
    """Of what a page shows, as a whole: `make test` is no part of `make tests`."""
    return rf"(?<![\w-]){re.escape(shown)}(?![\w/-])"


def replaced(text: str) -> str:
    for shown, (here, _) in INSTEAD.items():
        text = re.sub(pattern(shown), lambda _, here=here: here, text)
    return text


def test_commands_stand_in_blocks_that_are_run_and_every_replacement_is_one_of_a_page():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert text.count("```") == 2 * len(BLOCK.findall(text)), page
        for language, block in BLOCK.findall(text):
            assert language == "bash" or language in SHOWN, (page, language)
            assert language == "bash" or not COMMAND.search(block), (page, block)
        # A block by indentation would hold commands that no test sees.
        assert not re.search(r"\n\n(?: {4}|\t)(?:dvc|git|make|python|whyrank) ", text), page
    shown = "\n".join(block for page in PAGES for block in blocks(page))
    assert [one for one in INSTEAD if not re.search(pattern(one), shown)] == []
    assert {name_of(page) for page in PAGES} >= {*ELSEWHERE, *FIRST}
    for page, test in ELSEWHERE.items():
        assert f'"{page}"' in (ROOT / test).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Iterator[tuple[Clone, Clone]]:
    """A fresh clone, and one after a first run; stages start at once there. The encoder is the shipped one."""
    folder = tmp_path_factory.mktemp("pages")
    fresh = Clone(folder / "fresh")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (fresh.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, fresh.folder / name)
    write_source(fresh.folder / SMALL["prepare.source"])
    write_params(fresh.folder / "params.yaml", SMALL)
    # What the commands take for granted: an encoder, and sets of the user's; Git does not know them.
    shutil.copytree(tiny_folder, folder / "encoder")
    fresh.done("git", "init", "--quiet", "--initial-branch=main")
    fresh.done("git", "config", "user.name", "Test")
    fresh.done("git", "config", "user.email", "test@example.org")
    fresh.commit("Fresh")
    with warm(folder / "bin", fresh.folder):
        started = fresh.copy(folder / "started")
        shell(started, "dvc repro")
        started.commit("Results")
        yield fresh, started


def shell(clone: Clone, text: str) -> str:
    """What a block prints; the message of a failure has the command that failed."""
    bin_folder = clone.folder.parent / "bin"
    path = os.pathsep.join([str(bin_folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    script = f"trap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n{text}"
    return clone.done("bash", "-e", "-o", "pipefail", "-c", script, PATH=path)


def give(clone: Clone) -> None:
    """What the pages presuppose: the user's own sets, and an encoder."""
    raw = clone.folder / "data/raw"
    for name in ("mine", "hub"):
        write_source(raw / name)
    (raw / "quest").mkdir()
    rows = pd.read_csv(raw / "ratings/sample.csv").assign(category="a", host="b")
    rows.to_csv(raw / "quest/train.csv", index=False)
    asked = rows[["qa_id", "question_title", "question_body", "answer"]].head(9)
    asked.assign(qa_id="t" + asked["qa_id"]).to_csv(raw / "quest/test.csv", index=False)
    shutil.copy(raw / "ratings/sample.csv", clone.folder / "ratings.csv")
    shutil.copytree(clone.folder.parent / "encoder", clone.folder / "encoder")


def changed(clone: Clone) -> set[str]:
    entries = clone.done("git", "status", "--porcelain", "--untracked-files=all", "-z").split("\0")
    return {entry[3:] for entry in entries if entry}


def check_left(page: Path, found: Collection[str]) -> None:
    """What is changed, or new, is what the page names; no more, and no less."""
    said = left(page)
    assert [file for file in found if not any(Path(file).is_relative_to(one) for one in said)] == []
    assert [one for one in said if not any(Path(file).is_relative_to(one) for file in found)] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name_of)
def test_the_commands_of_a_page_work_in_their_order_and_leave_what_it_says(page, begun):
    if name_of(page) in ELSEWHERE:
        pytest.skip(f"run by {ELSEWHERE[name_of(page)]}")
    clone = begun[name_of(page) not in FIRST].copy(begun[0].folder.parent / page.stem)
    try:
        if name_of(page) != "docs/tutorial.md":  # it makes its own
            give(clone)
        given = changed(clone)
        for block in blocks(page):
            start = time.monotonic()
            output = shell(clone, replaced(block))
            print(f"--- {time.monotonic() - start:.0f} s\n{block}\n{output[-1500:]}", flush=True)
        check_left(page, changed(clone) - given)
    finally:
        clone.run("dvc", "queue", "stop", "--kill")
        shutil.rmtree(clone.folder)
