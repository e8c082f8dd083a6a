"""How a stage or a command ends: in order, or with one line for each fault and an exit code that says so."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from whyrank.core import rank, workspace
from whyrank.core.errors import Interrupted, UsageError, UserError, lines_of
from whyrank.core.signals import SIGNALS

# The exit code of a script whose main function has ended, in order or with a line.
ended: list[int] = []


def run(main: Callable[[], None]) -> None:
    """Run a script's main function. No traceback for what the user, the machine or a signal brings about.

    A fault of the user's, a full disk, a missing right and a lack of memory end with code 1, a wrong command with 2,
    Ctrl-C with 130, SIGTERM with 143; blocks on the way out run, so that no temporary file stays. Any other error keeps
    its traceback.
    """
    for number in SIGNALS:
        signal.signal(number, interrupt)
    sys.unraisablehook = raise_again
    try:
        main()
        # Here, not at the interpreter's exit, where a reader that has gone would be a traceback.
        sys.stdout.flush()
        ended.append(0)
    except BrokenPipeError:
        # `whyrank schema | head`: the reader has had enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except BaseException as error:
        ignore_signals()
        if isinstance(error, KeyboardInterrupt):  # of a library that handles the signal itself
            error = Interrupted(signal.SIGINT)
        if not say(error):
            raise
        is_usage = isinstance(error, UsageError)
        ended.append(128 + error.number if isinstance(error, Interrupted) else UsageError.code if is_usage else 1)
        sys.exit(ended[-1])
    finally:
        end_at_once()


def run_stage(main: Callable[[], None]) -> None:
    """`run`, in the folder that holds the pipeline."""

    def inside() -> None:
        workspace.enter()
        if rank.is_first():
            # Imported only here: `ctrl_c`, which is to be there at once, imports this module.
            from whyrank.core import place

            print(f"stage {place.of_script(sys.argv[0], sys.argv[1:])}", file=sys.stderr, flush=True)
        main()

    run(inside)


def argument(what: str) -> str:
    """The one argument of the script. Raises UserError where there is none, or there are more."""
    if len(sys.argv) != 2:
        raise UserError(f"{Path(sys.argv[0]).name} takes one argument, {what}; it has {len(sys.argv) - 1}")
    return sys.argv[1]


def interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)


def raise_again(unraisable: Any) -> None:
    """A signal that comes while Python destroys an object would be printed and lost."""
    if isinstance(unraisable.exc_value, Interrupted):
        # A little later: this very call would swallow it again.
        threading.Timer(0.01, os.kill, (os.getpid(), unraisable.exc_value.number)).start()
    else:
        sys.__unraisablehook__(unraisable)


def say(error: BaseException) -> bool:
    """Print what is not our own fault, a line for each; False for our own."""
    lines = lines_of(error)
    if lines:
        print("\n".join(f"error: {line}" for line in lines), file=sys.stderr, flush=True)
    return bool(lines)


def say_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """What an import of the script raised, before `run`."""
    if not say(error):
        sys.__excepthook__(kind, error, trace)


def leave() -> None:
    """End the process that has ended, without taking the interpreter down piece by piece.

    With torch that takes a second, in which Python has given up its handlers of signals.
    """
    if ended:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(ended[-1])


def ignore_signals() -> None:
    """The line that is being written is the last word."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def end_at_once() -> None:
    """From now on a signal ends the process with its line alone: there is nothing to clean up."""

    def end(number: int, frame: FrameType | None) -> None:
        with suppress(OSError):
            os.write(2, f"error: {Interrupted(number)}\n".encode())
        os._exit(128 + number)

    for number in SIGNALS:
        signal.signal(number, end)
