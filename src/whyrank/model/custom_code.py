"""Code that came with a model, which transformers copies and runs under `trust_remote_code`."""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

# The package under which transformers imports it.
PACKAGE = "transformers_modules"


def fingerprint(parts: Iterable[object]) -> str:
    """SHA-256 over the source files of the parts of a model that are of such code; "" of none."""
    names = {kind.__module__ for part in parts for kind in type(part).__mro__}
    # What they import stands beside them.
    folders = {Path(str(sys.modules[name].__file__)).parent for name in names if name.split(".")[0] == PACKAGE}
    if not folders:
        return ""
    digest = hashlib.sha256()
    for name, text in sorted((file.name, file.read_bytes()) for folder in folders for file in folder.glob("*.py")):
        digest.update(name.encode() + b"\0" + text)
    return digest.hexdigest()
