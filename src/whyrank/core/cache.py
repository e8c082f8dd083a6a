"""The user's cache: arrays that any run may find, and none needs.

A file is an array as NumPy saves it, followed by its CRC-32, so that a damaged one is known and made anew. A cache that
is full, read-only or cannot be reached costs a line and time, never the run.
"""

import os
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np

from whyrank.core import io

# What stands before the sum: a file without it was written by something else.
MARK = b"whyrank crc32"
TAIL = struct.Struct(f"<{len(MARK)}sI")
CHUNK = 2**22


def folder() -> Path:
    """`$WHYRANK_CACHE`, else `$XDG_CACHE_HOME/whyrank`, else `~/.cache/whyrank`."""
    if own := os.environ.get("WHYRANK_CACHE"):
        return Path(own)
    # The specification has a path that is not absolute ignored.
    if (shared := os.environ.get("XDG_CACHE_HOME", "")) and Path(shared).is_absolute():
        return Path(shared) / "whyrank"
    try:
        return Path.home() / ".cache" / "whyrank"
    except RuntimeError:  # a user without a home, as in a container
        return Path(tempfile.gettempdir()) / f"whyrank-{os.getuid()}"


def read(file: Path, *, mapped: Literal["c"] | None = None) -> np.ndarray | None:
    """An array that `write` saved, None where there is none or it is damaged; says so of a damaged one.

    mapped   "c": into memory, private to this process; None: read as a whole
    """
    try:
        if not is_whole(file):
            print(f"cache: {file} is damaged; it is made anew", file=sys.stderr)
            return None
        found: np.ndarray = np.load(file, mmap_mode=mapped, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    with suppress(OSError):
        os.utime(file)  # the time of use decides which file is dropped first
    return found


def write(file: Path, array: np.ndarray) -> bool:
    """Save an array. Says so, and returns False, where the system does not let it."""
    try:
        with io.replacing(file) as temporary, open(temporary, "wb") as stream:
            summed = Summed(stream.write)
            np.save(summed, array, allow_pickle=False)
            stream.write(TAIL.pack(MARK, summed.sum))
    except OSError as error:
        print(f"cache: {file} not saved ({error.strerror or error}); the run continues without it", file=sys.stderr)
        return False
    return True


def drop(files: Iterable[Path]) -> None:
    """Remove files, as far as the system lets us."""
    for file in files:
        with suppress(OSError):
            file.unlink()


class Summed:
    """A stream that only writes, and sums what passes."""

    def __init__(self, write) -> None:  # type: ignore[no-untyped-def]
        self.forward, self.sum = write, 0

    def write(self, part: bytes) -> int:
        self.sum = zlib.crc32(part, self.sum)
        written: int = self.forward(part)
        return written


def is_whole(file: Path) -> bool:
    """Whether the sum at the end is that of what stands before it."""
    with open(file, "rb") as stream:
        left = os.fstat(stream.fileno()).st_size - TAIL.size
        found = 0
        while left > 0 and (part := stream.read(min(CHUNK, left))):
            found, left = zlib.crc32(part, found), left - len(part)
        tail = stream.read()
    return left == 0 and len(tail) == TAIL.size and TAIL.unpack(tail) == (MARK, found)
