"""Probes register themselves; what explains what decides their order, and a symptom takes the fix of its cause."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

from whyrank.findings.finding import SEVERITIES, Finding, Fix, Layer
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
    find      yields findings, and what there is to say where it found nothing; code and layer are filled in
    """

    code: str
    on: On
    explains: tuple[str, ...]
    about: About
    adds_up: bool
    layer: Layer
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
) -> Callable[[Callable[[Any], Iterator[Finding | Outcome]]], Callable[[Any], Iterator[Finding]]]:
    """Register a function that yields findings, see `Probe`. Called by itself, it yields its findings alone.

    A code may have a probe of either kind: once systems were trained, the trained one speaks for both, since it knows
    more. A code may also have one trained probe for each task.
    """

    def register(find: Callable[[Any], Iterator[Finding | Outcome]]) -> Callable[[Any], Iterator[Finding]]:
        def coded(records: Any) -> Iterator[Finding | Outcome]:
            for told in find(records):
                yield replace(told, code=code, layer=layer) if isinstance(told, Finding) else replace(told, code=code)

        def findings(records: Any) -> Iterator[Finding]:
            return (told for told in coded(records) if isinstance(told, Finding))

        _REGISTERED.append(Probe(code, on, explains, about, adds_up, layer, coded))
        return findings

    return register


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
    """The same probes in topological order of `explains`. Raises ValueError for a cycle."""
    graph: dict[str, set[str]] = {probe.code: set() for probe in probes}
    for cause in probes:
        for symptom in cause.explains:
            graph.setdefault(symptom, set()).add(cause.code)
    try:
        order = {code: place for place, code in enumerate(TopologicalSorter(graph).static_order())}
    except CycleError as error:
        raise ValueError(f"findings that explain themselves: {' < '.join(error.args[1])}") from None
    return sorted(probes, key=lambda probe: order[probe.code])


def explained(found: Iterable[tuple[Probe, Finding]], distance: Callable[[str, str], int | None]) -> list[Finding]:
    """Findings with the codes of their symptoms; a symptom names its root cause and takes its fix, if it has one.

    found      by probes that stand causes first
    distance   from the system of a cause to that of a symptom, the nearer the surer; None where they have nothing to do
               with each other
    """
    told: list[tuple[Probe, Finding]] = []
    roots_of: list[set[int]] = []
    symptoms: list[dict[str, None]] = []
    for probe, finding in found:
        causes = {
            place: far
            for place, (cause, one) in enumerate(told)
            if _may_explain(cause, probe) and (far := distance(one.system, finding.system)) is not None
        }
        for place in causes:
            symptoms[place][probe.code] = None
        roots = {root for place in causes for root in roots_of[place] or {place}}
        surest = sorted(roots, key=lambda root: _surest(*told[root], causes.get(root, len(told))))
        told.append((probe, _with_causes(finding, [told[root][1] for root in surest], adds_up=probe.adds_up)))
        roots_of.append(roots)
        symptoms.append({})
    return [replace(finding, explains=tuple(codes)) for (_, finding), codes in zip(told, symptoms, strict=True)]


def _may_explain(cause: Probe, symptom: Probe) -> bool:
    """A code that has a probe for each task is explained by what is about the same task, or about any."""
    tasks = {probe.about for probe in _REGISTERED if probe.code == symptom.code and probe.on == symptom.on}
    is_of_the_task = len(tasks) == 1 or cause.about in ("", symptom.about)
    return symptom.code in cause.explains and is_of_the_task


def _surest(probe: Probe, finding: Finding, distance: int) -> tuple[int, int, int]:
    return SEVERITIES.index(finding.severity), distance, _REGISTERED.index(probe)


def _with_causes(finding: Finding, causes: list[Finding], *, adds_up: bool) -> Finding:
    """The finding as it is without any; the first cause, or where they add up all of them, the costliest first."""
    if not causes:
        return finding
    causes = sorted(causes, key=lambda cause: (-cause.weight, cause.code)) if adds_up else causes[:1]
    named = ", ".join(dict.fromkeys(f"`{cause.code}`" for cause in causes))
    params = {key: value for cause in reversed(causes) for key, value in cause.fix.params.items()}
    action = causes[0].fix.action if len(causes) == 1 else ""
    fix = Fix(params, action) if params else finding.fix
    return replace(finding, cause=f"Explained by {named}. {causes[0].cause}", fix=fix)
