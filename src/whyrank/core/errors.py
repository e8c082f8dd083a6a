"""One kind of error for what the user can mend: a single line, exit code 1, nothing half-written."""

import sys
from collections.abc import Callable


class UserError(ValueError):
    """A fault in the user's data or parameters; the message names the place, the value and the remedy."""


def exit_on_user_error(main: Callable[[], None]) -> None:
    """Run a command; a `UserError` becomes one line on standard error and exit code 1."""
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {' '.join(str(error).split())}")
