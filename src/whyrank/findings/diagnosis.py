"""What all checks of a run say together: findings as a tree, and what was looked at and found in order, or not."""

from collections.abc import Iterable
from typing import NamedTuple

from whyrank.findings.finding import Finding
from whyrank.findings.outcome import Outcome
from whyrank.findings.probe import Probe
from whyrank.findings.tree import Distance, diagnosed


class Diagnosis(NamedTuple):
    findings: list[Finding]
    outcomes: list[Outcome]


def diagnosis(told: Iterable[tuple[Probe, Finding | Outcome]], distance: Distance) -> Diagnosis:
    """told   by probes that stand causes first;  distance   see `tree`"""
    all_told = list(told)
    found = [(probe, one) for probe, one in all_told if isinstance(one, Finding)]
    return Diagnosis(diagnosed(found, distance), [one for _, one in all_told if isinstance(one, Outcome)])
