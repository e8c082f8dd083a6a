"""The files that a repository of whyrank starts from: those of a wheel, or of the repository that the code lies in."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import whyrank
from whyrank.core.errors import UserError
from whyrank.core.workspace import FILES

PACKAGE = Path(whyrank.__file__).parent
# `setup.py` puts the files of the repository here.
IN_WHEEL = PACKAGE / "template"
# Code that no stage runs: a change in it makes none of them run again.
NOT_OF_STAGES = ("commands", "template", "__main__.py")


def root() -> Path:
    """The folder with dvc.yaml, params.yaml, stages/ and the sample. Raises UserError where the package lacks them."""
    for folder in (IN_WHEEL, PACKAGE.parents[1]):
        if all((folder / name).is_file() for name in FILES):
            return folder
    raise UserError(f"{PACKAGE} lacks the files that a repository starts from; install whyrank again")


def code() -> str:
    """JSON of the version and the digest of the installed code that stages run: on it they depend in place of `src`."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*")):
        inside = file.relative_to(PACKAGE)
        if file.suffix in (".py", ".jinja", ".js") and inside.parts[0] not in NOT_OF_STAGES:
            digest.update(f"{inside.as_posix()}\n".encode() + file.read_bytes())
    return json.dumps({"version": version("whyrank"), "sha256": digest.hexdigest()}, indent=1) + "\n"
