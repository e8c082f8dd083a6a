"""Named experiments: a question, the overrides that ask it, and the findings that should come out.

`python -m whyrank scenario NAME` runs one through `dvc exp run` and compares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whyrank.core.errors import UserError
from whyrank.core.options.overrides import written
from whyrank.core.options.yaml_files import read_yaml

KINDS = {"name": str, "question": str, "overrides": dict, "expected": list, "unexpected": list}
KEYS = set(KINDS)
TAKES = {str: "text", dict: "keys of params.yaml with their values", list: "a list of codes of findings"}


@dataclass(frozen=True)
class Scenario:
    """overrides              by key; `~key` takes it away, whatever its value
    expected, unexpected   codes of findings that must, or must not, come out
    """

    name: str
    question: str
    overrides: dict[str, Any]
    expected: list[str]
    unexpected: list[str]


def names(folder: Path) -> list[str]:
    return sorted(file.stem for file in folder.glob("*.yaml"))


def read(name: str, folder: Path) -> Scenario:
    """Raises UserError for an unknown name, and for a file with other keys or kinds of values than a scenario."""
    file = folder / f"{name}.yaml"
    if not file.exists():
        raise UserError(f"no scenario {name!r}; there are {', '.join(names(folder))}")
    content = read_yaml(str(file))
    if not isinstance(content, dict) or set(content) != KEYS or content["name"] != name:
        raise UserError(f"{file}: expected the keys {', '.join(sorted(KEYS))}, and `name: {name}`")
    for key, kind in KINDS.items():
        entries = content[key] if isinstance(content[key], list | dict) else []
        if not isinstance(content[key], kind) or not all(isinstance(entry, str) for entry in entries):
            raise UserError(f"{file}: `{key}` is {content[key]!r}; it takes {TAKES[kind]}")
    return Scenario(**content)


def settings(scenario: Scenario) -> list[str]:
    """What `dvc exp run -S` takes to ask the scenario's question."""
    changes = scenario.overrides.items()
    return [key if key.startswith("~") else f"{key}={written(value)}" for key, value in changes]


def verdict(scenario: Scenario, found: Sequence[str]) -> list[str]:
    """What did not come as expected, one line each; empty when all did."""
    missing = [f"expected {code}, which no probe raised" for code in scenario.expected if code not in found]
    return missing + [f"did not expect {code}, which was raised" for code in scenario.unexpected if code in found]
