"""A folder of the user's own in a temporary copy, as docs/data.md shows it: known to Git, to DVC, or to neither."""

import shutil
import sys

import pytest
import yaml

pytestmark = pytest.mark.slow

OWN = "prepare.source=data/raw/mine"
SCENARIO = {"name": "mine", "question": "Does it run?", "overrides": {}, "expected": [], "unexpected": []}


@pytest.fixture
def clone(ran, tmp_path):
    """A clone with an untracked folder of the user's own, which holds what was prepared already under another name."""
    made = ran.copy(tmp_path / "clone")
    shutil.copytree(made.folder / "data/raw/tiny", made.folder / "data/raw/mine")
    return made


def by_git(clone):
    clone.done("git", "add", "data/raw/mine")


def by_dvc(clone):
    clone.done("dvc", "add", "data/raw/mine")
    clone.done("git", "add", "data/raw/mine.dvc", "data/raw/.gitignore")


@pytest.mark.parametrize("track", [by_git, by_dvc])
def test_what_git_or_dvc_knows_is_in_a_temporary_copy_and_in_a_queued_one(track, clone):
    track(clone)
    before = clone.done("git", "status", "--porcelain")
    clone.done("dvc", "exp", "run", "--temp", "--name", "apart", "-S", OWN, "prepare")
    clone.done("dvc", "exp", "run", "--queue", "--name", "later", "-S", OWN, "-S", "seed=8", "prepare")
    try:
        clone.done("dvc", "exp", "run", "--run-all")
    finally:
        clone.run("dvc", "queue", "stop", "--kill")
    assert {"apart", "later"} <= set(clone.done("dvc", "exp", "list", "--name-only").split())
    assert clone.done("git", "status", "--porcelain") == before


def test_what_is_to_stay_untracked_is_copied_when_it_is_named(clone):
    assert "data/raw/mine" in clone.run("dvc", "exp", "run", "--temp", "-S", OWN, "prepare").stderr
    clone.done("dvc", "exp", "run", "--temp", "-C", "data/raw/mine", "--name", "apart", "-S", OWN, "prepare")
    assert "apart" in clone.done("dvc", "exp", "list", "--name-only").split()


def test_our_own_commands_copy_untracked_data_by_themselves(clone):
    (clone.folder / "scenarios/mine.yaml").write_text(yaml.safe_dump(SCENARIO))
    # A file below a folder of which Git knows nothing, too; and a pointer of DVC that Git does not know.
    shutil.copytree(clone.folder / "data/raw/pairs", clone.folder / "elsewhere/deep/pairs")
    clone.done("dvc", "add", "elsewhere/deep/pairs")
    before = clone.done("git", "status", "--porcelain")
    pairs = "prepare.pairs.folder=elsewhere/deep/pairs"
    output = clone.done(sys.executable, "-m", "whyrank", "scenario", "mine", "-S", OWN, "-S", pairs)
    assert "Everything came as expected." in output
    # Only its name differs from what the pipeline had read: nothing is trained again.
    assert "Running stage 'prepare'" in output and "Running stage 'finetune_rank" not in output
    assert clone.done("git", "status", "--porcelain") == before
