"""Ctrl-C and SIGTERM wait while something is finished that must not be left half-way."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    signal = 0  # the number of the signal that came


@contextmanager
def interruption(*, impatient: bool = False) -> Iterator[Interruption]:
    """Note SIGINT and SIGTERM; one that came acts as usual once the block has ended in order.

    impatient   a second one acts at once, for a block that may be long
    """
    noted = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        noted.signal = number
        if impatient:
            restore()

    for number in before:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        restore()
    if noted.signal:
        signal.raise_signal(noted.signal)
