"""Work in forked processes: imports are paid once, and what a case patches or leaks ends with it."""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any


def forked(work: Callable[[], Any], answer: Path, log: Path | None = None) -> int:
    """Start `work` in a process of its own, whose result is written to `answer` as JSON; returns its id.

    Where `work` raises, `answer` has its traceback under `failed`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if pid := os.fork():
        return pid
    try:
        if log is not None:
            os.setpgid(0, 0)
            handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, 1)
            os.dup2(handle, 2)
        try:
            found = work()
        except BaseException:
            found = {"failed": traceback.format_exc()[-3000:]}
        answer.write_text(json.dumps(found), encoding="utf-8")
    finally:
        os._exit(0)


def result(answer: Path) -> Any:
    return json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else {"failed": "the process was killed"}


def alone(work: Callable[[], Any], answer: Path) -> Any:
    """The result of `work` in a process of its own, waited for."""
    os.waitpid(forked(work, answer), 0)
    return result(answer)


def side_by_side(
    jobs: Sequence[tuple[Any, Callable[[], Any]]], folder: Path, *, at_once: int, limit: float
) -> Iterator[tuple[Any, Any]]:
    """(key, result) of each job as it ends, so many at a time; one that takes more than `limit` seconds is killed."""
    left, running = list(jobs), dict[int, tuple[Any, Path, float]]()
    number = 0
    try:
        while left or running:
            while left and len(running) < at_once:
                key, work = left.pop(0)
                number += 1
                answer = folder / f"answer-{os.getpid()}-{number}.json"
                answer.unlink(missing_ok=True)
                running[forked(work, answer, folder / f"log-{number % 50}.txt")] = (key, answer, time.monotonic())
            for pid, (key, answer, began) in list(running.items()):
                ended, _ = os.waitpid(pid, os.WNOHANG)
                if not ended and time.monotonic() - began <= limit:
                    continue
                if not ended:
                    end(pid)
                del running[pid]
                found = result(answer) if ended else {"failed": f"took more than {limit:g} s"}
                answer.unlink(missing_ok=True)
                yield key, found
            time.sleep(0.05)
    finally:
        for pid in running:
            end(pid)


def end(pid: int) -> None:
    """A process and those that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
