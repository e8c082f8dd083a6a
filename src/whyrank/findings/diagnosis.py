"""What all checks of a run say together: findings as a tree, and what was looked at and found in order, or not."""

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from whyrank.findings.finding import Finding
from whyrank.findings.outcome import Outcome
from whyrank.findings.probe import Probe
from whyrank.findings.tree import Distance, diagnosed

CHECKS = ["code", "system", "status", "sentence", "measured", "value", "unit", "threshold"]
STATUSES = ("failed", "passed", "not enough data", "not applicable")


class Diagnosis(NamedTuple):
    findings: list[Finding]
    outcomes: list[Outcome]

    @property
    def checks(self) -> pd.DataFrame:
        return checks(self.findings, self.outcomes)


def diagnosis(told: Iterable[tuple[Probe, Finding | Outcome]], distance: Distance) -> Diagnosis:
    """told   by probes that stand causes first;  distance   see `tree`"""
    all_told = list(told)
    found = [(probe, one) for probe, one in all_told if isinstance(one, Finding)]
    return Diagnosis(diagnosed(found, distance), [one for _, one in all_told if isinstance(one, Outcome)])


def checks(findings: Iterable[Finding], outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """What was checked: CHECKS, a row for each check and system; what failed first, by code within each status.

    status   one of STATUSES; `failed` where there is a finding
    measured, value, unit, threshold   the number that decided; empty where none did
    """
    failed = [(one.code, one.system, one.sentence) for entry in findings for one in (entry, *entry.also)]
    rows: list[dict[str, object]] = [
        {"code": code, "system": system, "status": "failed", "sentence": said} for code, system, said in failed
    ]
    told = [*outcomes]
    # A code may have a check for each task: one that does not apply says nothing beside another.
    others = {(one.code, one.system) for one in told if one.status != STATUSES[-1]}
    rows += [
        {"code": one.code, "system": one.system, "status": one.status, "sentence": one.sentence} | _number(one)
        for one in told
        if one.status != STATUSES[-1] or (one.code, one.system) not in others
        if (one.code, one.system) not in {(code, system) for code, system, _ in failed}
    ]
    table = pd.DataFrame(rows, columns=CHECKS)
    order = table["status"].map({status: place for place, status in enumerate(STATUSES)})
    return (
        table.assign(order=order).sort_values(["order", "code", "system"], kind="stable")[CHECKS].reset_index(drop=True)
    )


def _number(outcome: Outcome) -> dict[str, object]:
    if outcome.measured is None:
        return {}
    measured = outcome.measured
    return {"measured": measured.name, "value": measured.value, "unit": measured.unit, "threshold": outcome.threshold}


def tally(table: pd.DataFrame) -> str:
    """`3 failed, 51 passed, 4 not enough data, 12 not applicable`"""
    return ", ".join(f"{number} {status}" for status, number in ended(table).items())


def ended(table: pd.DataFrame) -> dict[str, int]:
    """How many checks ended so, by status: a check ended as it did for the system that it is worst for."""
    counts = table.groupby("code", sort=False)["status"].first().value_counts()
    return {status: int(counts[status]) for status in STATUSES if status in counts}
