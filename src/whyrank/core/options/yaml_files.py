"""Files in YAML 1.2, whose rules are DVC's: `1e-4` is a number, `off` is text."""

import os
import subprocess
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from whyrank.core.errors import UserError

PARAMS = "params.yaml"


def read_yaml(file: str) -> Any:
    try:
        return parsed(Path(file).read_bytes(), file)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; run from the root of the repository") from None


def parsed(content: bytes, file: str) -> Any:
    """The values of the content of a file; read once however often they are asked for, since it takes 0.2 s."""
    return deepcopy(_parsed(content, file))


@cache
def _parsed(content: bytes, file: str) -> Any:
    # Imported only here: it takes a while, and not every command reads a file.
    from ruamel.yaml import YAML, YAMLError

    try:
        return YAML(typ="safe").load(content)
    except YAMLError as error:
        raise UserError(f"{file}: no YAML: {error}") from None


def committed_params() -> Any:
    """params.yaml as of the commit that this run, or this workspace, starts from; None where Git has none."""
    # DVC tells the stages of an experiment from which commit it started.
    for revision in (os.environ.get("DVC_EXP_BASELINE_REV", "HEAD"), "HEAD"):
        show = ["git", "show", f"{revision}:./{PARAMS}"]
        try:
            return parsed(subprocess.run(show, check=True, capture_output=True).stdout, PARAMS)
        except (OSError, subprocess.CalledProcessError):
            continue
    return None


def starting_params() -> Any:
    """What our own commands start from: params.yaml as committed, or as it stands where Git has none."""
    committed = committed_params()
    return read_yaml(PARAMS) if committed is None else committed
