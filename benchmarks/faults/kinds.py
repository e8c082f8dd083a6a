"""All kinds of faults that there are, by where they are described, and the codes that name each rightly."""

import importlib
import pkgutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.faults import blind, blind_2, development, held_out
from benchmarks.faults.fault import Fault

# The code that only suspects a setting.
SUSPICION = "unusual-setting"
PLACES = {"development": development, "held-out": held_out, "blind": blind, "blind-2": blind_2}


def faults(kind: str) -> list[Fault]:
    """`FAULTS` of every module of a place that has some. Raises ValueError for a name that stands twice."""
    place = PLACES[kind]
    names = sorted(module.name for module in pkgutil.iter_modules(place.__path__))
    found = [one for name in names for one in of_module(f"{place.__name__}.{name}")]
    twice = {one.name for one in found if sum(other.name == one.name for other in found) > 1}
    if twice:
        raise ValueError(f"{kind}: names that stand twice: {', '.join(sorted(twice))}")
    return found


def of_module(name: str) -> tuple[Fault, ...]:
    return getattr(importlib.import_module(name), "FAULTS", ())


def causes(kind: str) -> dict[str, list[str]]:
    """fault → codes that name it rightly, the surest first; `refused: words`: a refusal that has the words.

    `unusual-setting` names whatever lies outside of a range, and so counts only where its fix sets a key that the fault
    set: see `named`.
    Of each place apart: who works on checks reads those of development alone. None where nobody has said yet.
    """
    file = Path(PLACES[kind].__path__[0]) / "causes.yaml"
    return (yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else None) or {}


def named(kind: str) -> dict[str, set[str]]:
    """fault → the keys of params.yaml that it set, of which a suspicion has to name one."""
    return {fault.name: set(fault.settings) for fault in faults(kind)}


def is_right(finding: Mapping[str, Any], codes: Collection[str], keys: Collection[str]) -> bool:
    """Whether a finding names the cause; keys   those that the fault set"""
    is_named = finding["code"] != SUSPICION or bool(set(finding.get("sets", ())) & set(keys))
    return finding["code"] in codes and is_named
