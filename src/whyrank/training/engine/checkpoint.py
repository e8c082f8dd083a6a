"""The state of an unfinished training on disk, so that a killed run resumes; and signals that end one.

Checkpoints live outside of DVC's outputs (DVC removes those before a stage), in a folder named by the fingerprint of
all that determines the run: another fingerprint never resumes. A file is its own SHA-256 followed by the state, so that
a torn one is known and the one before it is taken.
"""

import hashlib
import io as streams
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pandas as pd
import torch

from whyrank.core import io

KEPT = 2
SECONDS_BETWEEN = 60.0
SECONDS_BETWEEN_HISTORIES = 10.0
DIGEST_BYTES = 32
HISTORY = "history.csv"
LITTER_SECONDS = 30 * 24 * 3600.0  # a month


class Saved(NamedTuple):
    step: int
    state: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run, in a folder of its own; `seconds` between two of them."""

    def __init__(self, folder: Path, seconds: float = SECONDS_BETWEEN) -> None:
        self.folder = folder
        self.seconds = seconds
        self.saved = self.written = time.monotonic()

    def is_due(self) -> bool:
        return time.monotonic() - self.saved >= self.seconds

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a checkpoint, then drop all but the two newest. A full disk costs a warning, not the run."""
        buffer = streams.BytesIO()
        torch.save(state, buffer)
        payload = buffer.getbuffer()
        try:
            with io.replacing(self.folder / f"step-{step:09d}.checkpoint") as temporary, open(temporary, "wb") as file:
                file.write(hashlib.sha256(payload).digest())
                file.write(payload)
        except OSError as error:
            print(f"checkpoint of step {step} not written ({error.strerror}); training continues", file=sys.stderr)
        else:
            for old in self._files()[:-KEPT]:
                old.unlink(missing_ok=True)
        self.saved = time.monotonic()

    def latest(self) -> Saved | None:
        """The newest checkpoint that is whole; None where there is none."""
        for file in reversed(self._files()):
            content = file.read_bytes()
            if hashlib.sha256(content[DIGEST_BYTES:]).digest() == content[:DIGEST_BYTES]:
                state = torch.load(streams.BytesIO(content[DIGEST_BYTES:]), map_location="cpu", weights_only=True)
                return Saved(int(file.stem.removeprefix("step-")), state)
            print(f"{file.name} is torn; taking the checkpoint before it", file=sys.stderr)
        return None

    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Write the history so far every few seconds, for a reader of a run that is running or was killed."""
        if time.monotonic() - self.written < SECONDS_BETWEEN_HISTORIES:
            return
        io.write_table(self.folder / HISTORY, pd.DataFrame(rows))
        self.written = time.monotonic()

    def remove(self) -> None:
        """Remove the run's folder, and those of runs that nobody resumed for a month."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for other, stat in io.newest_first(self.folder.parent).items():
            if time.time() - stat.st_mtime > LITTER_SECONDS:
                shutil.rmtree(other, ignore_errors=True)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.checkpoint"))


class Interruption:
    signal = 0  # the number of the signal that came


@contextmanager
def interruption() -> Iterator[Interruption]:
    """Note the first SIGINT or SIGTERM: training ends after its step. A second one ends the process at once."""
    noted = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        noted.signal = number
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
