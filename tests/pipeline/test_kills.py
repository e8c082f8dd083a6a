"""SIGKILL at random moments: the next run of the stage goes on, and ends with the bytes of an undisturbed one."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from .conftest import write_params

pytestmark = pytest.mark.slow

KILLS = 20
# A checkpoint after every step, so that many kills fall into the writing of one; looks and accumulation in between.
LONG = {
    "finetune_rank.train": "all",
    "finetune_rank.epochs": 100,
    "finetune_rank.gradient_accumulation_steps": 2,
    "finetune_rank.head.kind": "mlp",
    "finetune_rank.early_stopping.eval_steps": 7,
    "finetune_rank.early_stopping.patience": 1000,
}
STAGE = """
import runpy, sys
from whyrank.training.engine.checkpoint import Checkpoints
Checkpoints.__init__.__defaults__ = (0.0,)
sys.argv = ["stages/finetune_rank.py", "base"]
runpy.run_path("stages/finetune_rank.py", run_name="__main__")
"""


def results(folder):
    """SHA-256 of every file that the stage writes for DVC."""
    paths = [folder / "metrics/finetune_rank/base.json"]
    for part in ("models/base-tuned", "metrics/finetune_rank/base"):
        paths += [path for path in sorted((folder / part).rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def started(clone):
    """The stage, running."""
    cache = clone.folder.parent / f"{clone.folder.name}-beside" / "vectors"
    surroundings = {"PYTHONPATH": str(clone.folder / "src"), "WHYRANK_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", STAGE], cwd=clone.folder, env=os.environ | surroundings, stderr=subprocess.DEVNULL
    )
    return process, cache / "checkpoints"


def newest(checkpoints):
    return max((path.stat().st_mtime for path in checkpoints.rglob("*")), default=0.0)


def test_twenty_kills_leave_no_trace_in_models_and_metrics(ran, tmp_path):
    clone = ran.copy(tmp_path / "clone")
    write_params(clone.folder / "params.yaml", LONG)
    process, checkpoints = started(clone)
    assert process.wait(timeout=300) == 0
    undisturbed = results(clone.folder)
    assert len(undisturbed) > 8 and not newest(checkpoints)
    for part in ("models/base-tuned", "metrics/finetune_rank"):
        shutil.rmtree(clone.folder / part)

    chance = random.Random(0)
    kills = 0
    while True:
        process, checkpoints = started(clone)
        before = newest(checkpoints)
        while process.poll() is None and newest(checkpoints) == before:
            time.sleep(0.01)
        if kills < KILLS:
            time.sleep(chance.uniform(0, 0.4))
        if process.poll() is None and kills < KILLS:
            process.send_signal(signal.SIGKILL)
            kills += 1
        if process.wait(timeout=300) == 0:
            break
        assert process.returncode == -signal.SIGKILL
    assert kills == KILLS
    assert results(clone.folder) == undisturbed
    assert not newest(checkpoints)
