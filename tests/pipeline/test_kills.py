"""SIGKILL at random moments: the next run of the stage goes on, and ends with the bytes of an undisturbed one."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import pytest

from .conftest import ROOT, write_params

pytestmark = pytest.mark.slow

# A checkpoint after every step, so that many kills fall into the writing of one; looks and accumulation in between.
LONG = {
    "finetune_rank.train": "all",
    "finetune_rank.epochs": 100,
    "finetune_rank.gradient_accumulation_steps": 2,
    "finetune_rank.head.kind": "mlp",
    "finetune_rank.early_stopping.eval_steps": 7,
    "finetune_rank.early_stopping.patience": 1000,
}
SCRIPT = """
import runpy, sys
from whyrank.training.engine.checkpoint import Checkpoints
Checkpoints.__init__.__defaults__ = (0.0,)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Stage(NamedTuple):
    """command   the script and its argument;  outs   what it writes for DVC;  kills   to come in all"""

    command: list[str]
    outs: list[str]
    kills: int


PRETRAINING = Stage(
    ["stages/pretrain_barlow.py"], ["models/barlow", "metrics/pretrain_barlow", "metrics/pretrain_barlow.json"], 8
)


def tuning(init, kills):
    outs = [f"models/{init}-tuned", f"metrics/finetune_rank/{init}", f"metrics/finetune_rank/{init}.json"]
    return Stage(["stages/finetune_rank.py", init], outs, kills)


def results(folder, stage):
    """SHA-256 of every file that the stage writes for DVC."""
    paths = [path for out in stage.outs for path in [folder / out, *(folder / out).rglob("*")] if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)}


def started(clone, command, **surroundings):
    """The stage, running, and the folder of its checkpoints."""
    cache = clone.folder.parent / f"{clone.folder.name}-beside" / "vectors"
    own = {"PYTHONPATH": str(clone.folder / "src"), "WHYRANK_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *command],
        cwd=clone.folder,
        env=os.environ | own | surroundings,
        stderr=subprocess.DEVNULL,
    )
    return process, cache / "checkpoints"


def newest(checkpoints):
    return max((path.stat().st_mtime for path in checkpoints.rglob("*")), default=0.0)


def removed(clone, stage):
    for out in stage.outs:
        path = clone.folder / out
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def survives(clone, stage, chance, **surroundings):
    """Run the stage undisturbed, then anew with its kills; each is a moment after a step, and some before the first."""
    process, checkpoints = started(clone, stage.command, **surroundings)
    assert process.wait(timeout=600) == 0
    undisturbed = results(clone.folder, stage)
    assert len(undisturbed) > 8 and not newest(checkpoints)
    removed(clone, stage)
    kills = 0
    while True:
        process, checkpoints = started(clone, stage.command, **surroundings)
        before, began, early = newest(checkpoints), time.monotonic(), chance.random() < 0.15
        while process.poll() is None and newest(checkpoints) == before:
            if early and time.monotonic() - began > chance.uniform(0, 8):
                break
            time.sleep(0.01)
        if kills < stage.kills:
            time.sleep(0 if early else chance.uniform(0, 0.4))
        if process.poll() is None and kills < stage.kills:
            process.send_signal(signal.SIGKILL)
            kills += 1
        if process.wait(timeout=600) == 0:
            if kills == stage.kills:
                break
            removed(clone, stage)
            continue
        assert process.returncode == -signal.SIGKILL
    assert results(clone.folder, stage) == undisturbed
    assert not newest(checkpoints)
    assert not [path for path in clone.folder.rglob(".*unfinished-*") if ".git" not in path.parts]


def test_twenty_kills_leave_no_trace_in_models_and_metrics(ran, tmp_path):
    clone = ran.copy(tmp_path / "clone")
    write_params(clone.folder / "params.yaml", LONG)
    survives(clone, tuning("base", 20), random.Random(0))


def test_forty_kills_of_the_shipped_trainings_on_the_sample_leave_no_trace(fresh, tmp_path):
    clone = fresh.copy(tmp_path / "clone")
    shutil.copy(ROOT / "params.yaml", clone.folder)
    threads = {"OMP_NUM_THREADS": str(os.cpu_count())}
    clone.done("python", "stages/prepare.py", **threads)
    chance = random.Random(0)
    for stage in (PRETRAINING, tuning("base", 16), tuning("barlow", 16)):
        survives(clone, stage, chance, **threads)
