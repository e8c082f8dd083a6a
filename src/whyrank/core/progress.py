"""Progress of long work: a bar on a terminal, a line every few seconds in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

from whyrank.core import rank

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 5.0


class Note:
    """A few words that go with the progress, such as the loss; the work sets them as it goes."""

    text = ""

    def __call__(self, text: str) -> None:
        self.text = text


def progress(items: Iterable[T], *, total: int, what: str, done: int = 0, note: Note | None = None) -> Iterator[T]:
    """Yield `items`, showing how many of `total` are done; `what` names the work (`encode`, `train`).

    done   items of an earlier, interrupted run, which are not among `items`
    """
    if not rank.is_first():
        yield from items
    else:
        yield from (bar if sys.stderr.isatty() else lines)(items, total, what, done, note or Note())


def bar(items: Iterable[T], total: int, what: str, done: int, note: Note) -> Iterator[T]:
    with tqdm(total=total, initial=done, desc=what, leave=False) as shown:
        for item in items:
            yield item
            shown.set_postfix_str(note.text, refresh=False)
            shown.update()


def lines(items: Iterable[T], total: int, what: str, done: int, note: Note) -> Iterator[T]:
    started = reported = time.monotonic()
    for i, item in enumerate(items):
        now = time.monotonic()
        if now - reported >= SECONDS_BETWEEN_LINES:
            reported = now
            left = (now - started) / i * (total - done - i) if i else float("nan")
            words = f", {note.text}" if note.text else ""
            print(f"{what}: {done + i} of {total}, {left:.0f} s left{words}", file=sys.stderr, flush=True)
        yield item
