"""One kind of error for what the user can fix: one line for each fault, exit code 1, nothing half-written."""

import sys
from collections.abc import Callable


class UserError(ValueError):
    """Faults in the user's data or parameters; each message names the place, the value and the remedy."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.args))


def exit_on_user_error(main: Callable[[], None]) -> None:
    """Run a command; of a `UserError` each message becomes one line on standard error, and the exit code is 1."""
    try:
        main()
    except UserError as error:
        sys.exit("\n".join(f"error: {' '.join(str(message).split())}" for message in error.args))
