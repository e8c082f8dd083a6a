"""What comes from the user, the machine or a signal says so in one line; a fault of our own keeps its traceback."""

import errno
import os
import signal

import pytest

from whyrank.core.errors import Interrupted, UserError, lines_of


def os_error(number, file=None):
    return OSError(number, os.strerror(number), file)


class OutOfMemoryError(RuntimeError):
    """As torch calls it on a GPU."""


class SafetensorError(Exception):
    """As the library, which is written in Rust, tells of a full disk."""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("corpus.jsonl line 3:\n  `_id` is   empty"), "corpus.jsonl line 3: `_id` is empty"),
        (os_error(errno.ENOSPC, "models/x.json"), "models/x.json: No space left on device; free some space"),
        (os_error(errno.EACCES, b"data/prepared"), "data/prepared: Permission denied; give yourself the right"),
        (os_error(errno.EROFS, "/mnt/x"), "/mnt/x: Read-only file system; give yourself the right"),
        (os_error(errno.ENOENT, "models/base"), "models/base: No such file or directory; run `dvc repro`"),
        (OSError("100 requested and 20 written"), "No space left on device; free some space"),
        (OSError("the hub does not\nanswer"), "the hub does not answer"),
        (SafetensorError("I/O error: no space (os error 28)"), "No space left on device; free some space"),
        (MemoryError(), "out of memory (MemoryError); lower encoder.batch_tokens"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "out of memory (libtorch"),
        (OutOfMemoryError("CUDA out of memory.\nTried"), "out of memory (CUDA out of memory.); lower"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory (DefaultCPUAllocator"),
        (Interrupted(signal.SIGTERM), "interrupted by SIGTERM; nothing is half-written"),
    ],
)  # fmt: skip
def test_what_is_not_our_fault_is_one_line(error, line):
    (found,) = lines_of(error)
    assert found.startswith(line) and "\n" not in found


@pytest.mark.parametrize("error", [ValueError("ours"), KeyError("mrr"), RuntimeError("shape"), AssertionError()])
def test_our_own_fault_is_none(error):
    assert lines_of(error) == []


def test_several_faults_are_one_line_each():
    error = UserError("params.yaml: `seed` is -1;\nuse -S seed=7", "params.yaml: `launch` is missing")
    assert lines_of(error) == ["params.yaml: `seed` is -1; use -S seed=7", "params.yaml: `launch` is missing"]


def test_a_user_error_is_a_value_error():
    assert issubclass(UserError, ValueError)
