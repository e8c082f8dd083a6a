"""Progress of long work: a bar on a terminal, a line every few seconds in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 5.0


def progress(items: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    """Yield `items`, showing how many of `total` are done; `what` names the work (`encode`, `train`)."""
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=what, leave=False)
        return
    started = reported = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - reported >= SECONDS_BETWEEN_LINES:
            reported = now
            left = (now - started) / done * (total - done) if done else float("nan")
            print(f"{what}: {done} of {total}, {left:.0f} s left", file=sys.stderr, flush=True)
        yield item
