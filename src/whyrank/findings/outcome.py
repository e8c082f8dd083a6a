"""What a check says where it raises nothing: it passed, it does not apply, or there is too little to tell."""

from dataclasses import dataclass
from typing import Literal

from whyrank.findings.finding import Evidence

Status = Literal["passed", "not applicable", "not enough data"]


@dataclass(frozen=True)
class Outcome:
    """system     what was looked at: a system, a stage, or `data`
    sentence   what was looked at and what it came to, or what the check would need
    measured   the number that decided, and `threshold`, from which on it would have been a finding; None without one
    code       that of the check, which fills it in
    """

    status: Status
    system: str
    sentence: str
    measured: Evidence | None = None
    threshold: float | None = None
    code: str = ""


def passed(system: str, measured: Evidence, threshold: float, sentence: str = "") -> Outcome:
    """The check looked and found its number on the right side of the threshold."""
    return Outcome("passed", system, sentence, measured, threshold)


def not_applicable(system: str, needs: str) -> Outcome:
    """needs   in words, what the check would look at and this run has not: `a pretrained system`"""
    return Outcome("not applicable", system, f"needs {needs}")


def too_little(system: str, sentence: str, measured: Evidence | None = None, threshold: float | None = None) -> Outcome:
    """Absence of proof: fewer rows, steps or seeds than would tell a fault from luck. sentence   says how many"""
    return Outcome("not enough data", system, sentence, measured, threshold)
