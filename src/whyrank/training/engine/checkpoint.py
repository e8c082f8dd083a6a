"""The state of an unfinished training on disk, so that a killed run resumes.

Checkpoints live outside of DVC's outputs (DVC removes those before a stage), in a folder named by the fingerprint of
all that determines the run: another fingerprint never resumes. A file is its own SHA-256 followed by the state, so that
a torn one is known and the one before it is taken.
"""

import hashlib
import io as streams
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
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
            try:
                content = file.read_bytes()
            except OSError:
                content = b""
            if hashlib.sha256(content[DIGEST_BYTES:]).digest() == content[:DIGEST_BYTES]:
                state = torch.load(streams.BytesIO(content[DIGEST_BYTES:]), map_location="cpu", weights_only=True)
                return Saved(int(file.stem.removeprefix("step-")), state)
            print(f"{file.name} is torn; taking the checkpoint before it", file=sys.stderr)
        return None

    def write_history(self, rows: list[dict[str, float]]) -> None:
        """Write the history so far every few seconds, for a reader of a run that is running or was killed."""
        if time.monotonic() - self.written < SECONDS_BETWEEN_HISTORIES:
            return
        with suppress(OSError):  # `save` says so where there is no room
            io.write_table(self.folder / HISTORY, pd.DataFrame(rows))
        self.written = time.monotonic()

    def remove(self) -> None:
        """Remove the run's folder, and those of runs that nobody resumed for a month."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for other, stat in io.newest_first(self.folder.parent).items():
            if time.time() - stat.st_mtime > LITTER_SECONDS:
                shutil.rmtree(other, ignore_errors=True)

    def _files(self) -> list[Path]:
        return io.listed(self.folder, "step-*.checkpoint")
