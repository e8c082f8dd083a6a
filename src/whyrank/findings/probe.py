"""Probes register themselves; what explains what decides their order."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from graphlib import CycleError, TopologicalSorter
from inspect import unwrap
from typing import Any, Literal

from whyrank.findings.finding import Finding, Layer
from whyrank.findings.outcome import Outcome

On = Literal["preflight", "trained"]
About = Literal["", "ranking", "pairs", "ratings"]


@dataclass(frozen=True)
class Probe:
    """on        `preflight`: `find` takes `DataRecords`; `trained`: it takes the `Examination` of a whole run
    explains  codes of the findings that are symptoms of this one
    about     the only task that its findings are about; empty where they concern any
    adds_up   as a symptom: its causes add up, so the fixes of all of them are taken, not that of the surest alone
    layer     where the cause that it names lies; `symptom` where it names none
    by_outcome   its evidence is how a run came out, which a fault before it in the chain changes as well; of a
              symptom always
    suspects  names a setting without evidence against it: says nothing where a cause that is no symptom of it sets it
    find      yields findings, and what there is to say where it found nothing; code and layer are filled in
    """

    code: str
    on: On
    explains: tuple[str, ...]
    about: About
    adds_up: bool
    layer: Layer
    by_outcome: bool
    suspects: bool
    find: Callable[[Any], Iterator[Finding | Outcome]]


_REGISTERED: list[Probe] = []


def probe(
    code: str,
    *,
    on: On,
    explains: tuple[str, ...] = (),
    about: About = "",
    adds_up: bool = False,
    layer: Layer = "training",
    by_outcome: bool = False,
    suspects: bool = False,
) -> Callable[[Callable[[Any], Iterator[Finding | Outcome]]], Callable[[Any], Iterator[Finding]]]:
    """Register a function that yields findings, see `Probe`. Called by itself, it yields its findings alone.

    A code may have a probe of either kind: once systems were trained, the trained one speaks for both, since it knows
    more. A code may also have one trained probe for each task.
    """

    def register(find: Callable[[Any], Iterator[Finding | Outcome]]) -> Callable[[Any], Iterator[Finding]]:
        @wraps(find)
        def coded(records: Any) -> Iterator[Finding | Outcome]:
            for told in find(records):
                yield replace(told, code=code, layer=layer) if isinstance(told, Finding) else replace(told, code=code)

        def findings(records: Any) -> Iterator[Finding]:
            return (told for told in coded(records) if isinstance(told, Finding))

        outcome = by_outcome or layer == "symptom"
        _REGISTERED.append(Probe(code, on, explains, about, adds_up, layer, outcome, suspects, coded))
        return findings

    return register


def place(probe: Probe) -> int:
    """In the order in which probes registered."""
    return _REGISTERED.index(probe)


def tasks(probe: Probe) -> set[About]:
    """Those for which its code has a probe of its kind."""
    return {other.about for other in _REGISTERED if other.code == probe.code and other.on == probe.on}


def import_modules(package: str) -> None:
    """Import every module of a package, so that the probes in it register."""
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, f"{package}."):
        importlib.import_module(module.name)


def registered(*on: On) -> list[Probe]:
    """Probes of these kinds, causes before symptoms. Raises ValueError where a finding would explain itself."""
    probes = [probe for probe in _REGISTERED if probe.on in on]
    if "trained" in on:
        trained = {probe.code for probe in probes if probe.on == "trained"}
        probes = [probe for probe in probes if probe.on == "trained" or probe.code not in trained]
    return causes_first(probes)


def causes_first(probes: list[Probe]) -> list[Probe]:
    """The same probes in topological order of `explains`, else as they stand in the files: in any order of imports.

    Raises ValueError for a cycle.
    """
    probes = sorted(probes, key=_place)
    # Dictionaries in place of sets: the order of a set changes from process to process, and that of the report with it.
    graph: dict[str, dict[str, None]] = {probe.code: {} for probe in probes}
    for cause in probes:
        for symptom in cause.explains:
            graph.setdefault(symptom, {})[cause.code] = None
    try:
        order = {code: place for place, code in enumerate(TopologicalSorter(graph).static_order())}
    except CycleError as error:
        raise ValueError(f"findings that explain themselves: {' < '.join(error.args[1])}") from None
    return sorted(probes, key=lambda probe: order[probe.code])


def _place(probe: Probe) -> tuple[bool, str, int, str]:
    find = unwrap(probe.find)
    return probe.on != "preflight", find.__module__, find.__code__.co_firstlineno, probe.about
