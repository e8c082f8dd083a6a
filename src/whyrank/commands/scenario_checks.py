"""A scenario file before anything runs: its values as params.yaml takes them, and leave to run what it would run."""

import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from whyrank.core.errors import UserError
from whyrank.core.options import checking, overrides, params
from whyrank.core.options.yaml_files import PARAMS, starting_params

# Overrides by which a file that came from elsewhere runs a command or code of its author's choice.
RUN_CODE = ("launch", "encoder.trust_remote_code")


def check(file: Path, changes: Mapping[str, Any], findings: Iterable[str], known: Sequence[str]) -> None:
    """Raise UserError with a line for each override that params.yaml would not take, and each finding that is none.

    findings   codes that the scenario names;  known   all that there are
    """
    lines = [f"{file}: {checking.likely(code, known)[1].format(key=code, meant=checking.likely(code, known)[0])}"
             for code in findings if code not in known]  # fmt: skip
    values = starting_params()
    for key, value in changes.items():
        lines += [f"{file}: {fault}" for fault in _put(values, key, value)]
    if not lines:
        try:
            params.check(values)
        except UserError as error:
            lines = [str(line).replace(f"{PARAMS}:", f"{file}:", 1) for line in error.args]
    if lines:
        raise UserError(*lines)


def _put(values: Any, key: str, value: Any) -> list[str]:
    """Apply one override; the fault of one whose key is not there."""
    *path, last = overrides.key_of(key).split(".")
    at = values
    for place, part in enumerate([*path, last]):
        if not isinstance(at, dict) or part not in at:
            parent = ".".join([*path, last][:place])
            meant, said = checking.likely(part, list(at) if isinstance(at, dict) else [])
            full = {"key": overrides.key_of(key), "meant": f"{parent}.{meant}" if parent else meant}
            return [said.format(**full)]
        at = at if place == len(path) else at[part]
    if key.startswith("~"):
        del at[last]
    else:
        # As Hydra does it: a map is merged into the one that is there.
        at[last] = {**at[last], **value} if isinstance(value, dict) and isinstance(at[last], dict) else value
    return []


def code_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What of RUN_CODE is set to run more than our own code, by its key or with the section around it."""
    found: dict[str, Any] = {}
    for key, value in changes.items():
        own = overrides.key_of(key)
        inside = {f"{own}.{name}": one for name, one in value.items()} if isinstance(value, dict) else {}
        found |= {name: one for name, one in {own: value, **inside}.items() if name in RUN_CODE}
    return {name: value for name, value in found.items() if value not in (False, "python")}


def ask_leave(file: Path, changes: Mapping[str, Any], *, is_given: bool) -> None:
    """Show what a scenario would run, and ask; `is_given`: `--yes` on the command line.

    Raises UserError where the user says no, or there is nobody to ask.
    """
    asked = code_of(changes)
    if not asked or is_given:
        return
    shown = ", ".join(f"{key}={shlex.quote(overrides.written(value))}" for key, value in asked.items())
    if not sys.stdin.isatty():
        raise UserError(f"{file} runs what it names: {shown}; read it, and if you agree, add --yes")
    print(f"{file} runs what it names: {shown}", file=sys.stderr)
    if input("Run it? [y/N] ").strip().lower() not in ("y", "yes"):
        raise UserError(f"{file}: not run")
