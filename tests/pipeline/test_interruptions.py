"""Signals, a full disk and missing rights, on whole stages: one line, an exit code, nothing half-written."""

import os
import random
import resource
import signal
import subprocess
import sys
import time

import pytest

from whyrank.core import checksums

pytestmark = pytest.mark.slow

STAGES = [
    (["prepare.py"], ["data/prepared", "models/base", "metrics/prepare"]),
    (["pretrain_barlow.py"], ["models/barlow", "metrics/pretrain_barlow"]),
    (["finetune_rank.py", "base"], ["models/base-tuned", "metrics/finetune_rank/base"]),
    (["evaluate.py", "base"], ["data/runs/base"]),
    (["diagnose.py"], ["metrics/diagnose"]),
]
# Python itself starts, before the first import of ours.
SECONDS_OF_PYTHON = 0.3


@pytest.fixture(scope="module")
def clone(ran, tmp_path_factory):
    return ran.copy(tmp_path_factory.mktemp("interrupted") / "clone")


def started(clone, command, **options):
    cache = clone.folder.parent / f"{clone.folder.name}-beside" / "vectors"
    own = {"PYTHONPATH": str(clone.folder / "src"), "WHYRANK_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        [sys.executable, f"stages/{command[0]}", *command[1:]],
        cwd=clone.folder,
        env=os.environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def check(clone, outs, err):
    """One line of ours, no traceback, no temporary file, and every output is one that was written as a whole."""
    assert "Traceback" not in err
    assert len([line for line in err.splitlines() if line.startswith("error: ")]) == 1, err
    assert not [path for path in clone.folder.rglob(".*unfinished-*") if ".git" not in path.parts]
    for out in outs:
        checksums.verify(clone.folder / out)


@pytest.mark.parametrize(("command", "outs"), STAGES, ids=[stage[0][0] for stage in STAGES])
def test_a_signal_at_any_moment_is_one_line_and_leaves_whole_outputs(clone, command, outs):
    began, chance = time.monotonic(), random.Random(0)
    process = started(clone, command)
    assert process.wait(timeout=300) == 0, process.stderr.read()
    seconds = time.monotonic() - began
    for place in range(6):
        number = (signal.SIGINT, signal.SIGTERM)[place % 2]
        process = started(clone, command)
        time.sleep(SECONDS_OF_PYTHON + (place + chance.random()) / 6 * (seconds - SECONDS_OF_PYTHON))
        process.send_signal(number)
        err = process.communicate(timeout=300)[1]
        if process.returncode:
            assert process.returncode == 128 + number, err
            check(clone, outs, err)
    assert started(clone, command).wait(timeout=300) == 0


@pytest.mark.parametrize("kilobytes", [1, 20])
@pytest.mark.parametrize(("command", "outs"), STAGES[:1] + STAGES[2:3], ids=["prepare", "finetune_rank"])
def test_a_disk_without_room_is_one_line_with_the_file(clone, command, outs, kilobytes):
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))

    process = started(clone, command, preexec_fn=limited)
    err = process.communicate(timeout=300)[1]
    assert process.returncode == 1
    check(clone, outs, err)
    assert "File too large; free some space" in err


@pytest.mark.parametrize(
    "where",
    [lambda folder: folder / "a-file/cache", lambda folder: folder / "a-folder"],
    ids=["cannot be made", "is read-only"],
)
def test_a_cache_that_cannot_be_used_stops_no_stage(clone, where, tmp_path):
    (tmp_path / "a-file").touch()
    (tmp_path / "a-folder").mkdir(mode=0o500)
    before = (clone.folder / "data/runs/base/SHA256SUMS").read_text()
    done = clone.run("python", "stages/evaluate.py", "base", WHYRANK_CACHE=str(where(tmp_path)))
    assert done.returncode == 0 and "Traceback" not in done.stderr
    assert (clone.folder / "data/runs/base/SHA256SUMS").read_text() == before
