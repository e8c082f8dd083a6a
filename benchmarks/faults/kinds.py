"""All kinds of faults that there are, by where they are described, and the codes that name each rightly."""

import importlib
import pkgutil
from pathlib import Path

import yaml

from benchmarks.faults import blind, development, held_out
from benchmarks.faults.fault import Fault

PLACES = {"development": development, "held-out": held_out, "blind": blind}


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

    Of each place apart: who works on checks reads those of development alone. None where nobody has said yet.
    """
    file = Path(PLACES[kind].__path__[0]) / "causes.yaml"
    return (yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else None) or {}
