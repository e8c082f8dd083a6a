"""Whether the hub answers, asked once and briefly: its libraries ask for half a minute before they give up."""

import queue
import ssl
import threading
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from whyrank.core.errors import UserError, said_by

# Over all: the timeouts of libraries do not count while a name is resolved.
SECONDS = 5.0


def check_hub(what: str) -> None:
    """Raise UserError where the hub does not answer.

    what   who wants something from it, as a beginning of the line: `params.yaml: prepare.hub 'org/set'`
    With HF_HUB_OFFLINE=1 nothing is asked: the libraries take what was brought before.
    """
    # Imported only here: most runs need nothing from the hub.
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return
    told = queue.Queue[str]()
    threading.Thread(target=lambda: told.put(_fault(constants.ENDPOINT)), daemon=True).start()
    try:
        fault = told.get(timeout=SECONDS)
    except queue.Empty:
        fault = f"no answer in {SECONDS:g} s"
    if fault:
        raise UserError(
            f"{what}: the hub {constants.ENDPOINT} cannot be reached ({fault}); connect to it, name a folder, or set "
            "HF_HUB_OFFLINE=1 to take what was brought before"
        )


def _fault(address: str) -> str:
    """Why there is no answer; empty for any answer, also one that the library may refuse."""
    try:
        with urlopen(Request(address, method="HEAD"), timeout=SECONDS):
            return ""
    except HTTPError:
        return ""
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
        return "" if isinstance(reason, ssl.SSLError) else said_by(reason)
