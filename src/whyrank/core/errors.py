"""One kind of error for what the user can fix, and in one line what the machine or the user's hand puts in the way."""

import errno
import os
import re
import signal
from collections.abc import Iterable


class UserError(ValueError):
    """Faults in the user's data or parameters; each message names the place, the value and the remedy."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


class UsageError(UserError):
    """A command line that says nothing to do. The exit code is that of argparse: 1 says what a command found."""

    code = 2


class Interrupted(SystemExit):
    """Ctrl-C or SIGTERM. The exit code is 128 + the signal, as a shell has it; `more` goes into the one line."""

    def __init__(self, number: int, more: str = "nothing is half-written; run it again") -> None:
        super().__init__(128 + number)
        self.number, self.more = number, more

    def __str__(self) -> str:
        return f"interrupted by {signal.Signals(self.number).name}; {self.more}"


ROOM = "free some space and run it again; nothing is half-written"
RIGHTS = "give yourself the right to read and write there, and run it again; nothing is half-written"
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), ROOM),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), RIGHTS),
    errno.ENOENT: "run `dvc repro` to make it, or `dvc pull` to fetch it",
    errno.EMFILE: "raise the limit, for instance `ulimit -n 4096`, and run it again",
}
# How libraries written in Rust, and NumPy, say what else is an OSError.
OS_ERROR = re.compile(r"\(os error (\d+)\)")
SHORT_WRITE = re.compile(r"^\d+ requested and \d+ written$")


def is_out_of_memory(error: BaseException) -> bool:
    """Of Python, NumPy, Arrow and torch, on a processor or a GPU; or too little to load a library."""
    is_torch = type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    is_loading = isinstance(error, ImportError) and "failed to map segment" in str(error)
    return isinstance(error, MemoryError) or is_loading or (isinstance(error, RuntimeError) and is_torch)


def lines_of(error: BaseException) -> list[str]:
    """What an error that is not our own fault says, in one line for each fault; none of our own."""
    if isinstance(error, UserError):
        return one_line_each(error.args)
    if isinstance(error, Interrupted):
        return one_line_each([error])
    if is_out_of_memory(error):
        said = str(error).strip().splitlines() or [type(error).__name__]
        return one_line_each(
            [f"out of memory ({said[0]}); lower encoder.batch_tokens or the stage's batch_size, or end other programs"]
        )
    number = os_error(error)
    if number is not None:
        return one_line_each([f"{place_of(error)}{os.strerror(number)}; {REMEDIES.get(number, 'run it again')}"])
    return one_line_each([error]) if isinstance(error, OSError) else []


def said_by(error: BaseException, most: int = 200) -> str:
    """What a library says, which may take a page, on one line of at most so many letters; its kind where it is mute."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= most else f"{said[:most]}…"


def one_line_each(messages: Iterable[object]) -> list[str]:
    return [" ".join(str(message).split()) for message in messages]


def os_error(error: BaseException) -> int | None:
    """The number of the operating system's error that an exception tells of; None where it tells of none."""
    if isinstance(error, OSError):
        return errno.ENOSPC if error.errno is None and SHORT_WRITE.match(str(error)) else error.errno
    found = OS_ERROR.search(str(error))
    return int(found.group(1)) if found else None


def place_of(error: BaseException) -> str:
    """The file of an OSError, as a beginning of a line; empty where it names none."""
    name = getattr(error, "filename", None)
    return f"{os.fsdecode(name)}: " if isinstance(name, str | bytes) else ""
