"""One fix plan of all findings: what to do first, by which command, and what it should bring.

The next step is tried by itself (`python -m whyrank fix`); what remains is diagnosed anew after it. So no two steps set
one parameter to different values, and none sets what the run has already.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from whyrank.core.errors import UserError
from whyrank.core.options import params as options
from whyrank.core.options.overrides import put, written
from whyrank.findings.finding import CAUSE, CORRECTIONS, Finding, Fix
from whyrank.findings.tree import nested

FOLDER = "data/corrections"


@dataclass(frozen=True)
class Step:
    """code, systems, sentence   of the finding that it fixes
    fix      its parameters; with rows, `prepare.corrections` is one of them
    stake    points of a metric that the finding and its symptoms cost, at most; None where that is not known
    """

    number: int
    code: str
    systems: tuple[str, ...]
    sentence: str
    fix: Fix
    changes_data: bool
    stake: float | None = None

    @property
    def command(self) -> str:
        """One line to paste into a shell; empty where only a person can do it."""
        return self.fix.command

    def as_json(self) -> dict[str, Any]:
        fix = {"params": self.fix.params, "rows": self.fix.rows, "action": self.fix.action}
        return {
            "step": self.number,
            "code": self.code,
            "systems": list(self.systems),
            "sentence": self.sentence,
            **fix,
            "settings": list(self.fix.settings),
            "command": self.command,
            "changes_data": self.changes_data,
            "stake": self.stake,
        }


class LeftOut(NamedTuple):
    """A fix that is no step, and why."""

    code: str
    why: str


class Plan(NamedTuple):
    steps: Sequence[Step] = ()
    left_out: Sequence[LeftOut] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "steps": [step.as_json() for step in self.steps],
            "left_out": [{"code": one.code, "why": one.why} for one in self.left_out],
        }


NO_PLAN = Plan()


def planned(findings: list[Finding], values: Mapping[str, Any]) -> tuple[list[Finding], Plan]:
    """The findings with fixes that a run with these parameters can take, each with its step, and the plan.

    findings   in order (`tree.in_order`);  values   those of params.yaml in this run
    Errors and warnings have steps. A symptom has one where its fix is its own.
    """
    made = _Planning(values)
    below = {id(head): symptoms for head, symptoms in nested(findings)}
    told = [made.take(finding, below.get(id(finding), [])) for finding in findings]
    return told, Plan(made.steps, made.left_out)


class _Planning:
    """Steps so far; `owner` and `value` of each parameter that they set."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.steps: list[Step] = []
        self.left_out: list[LeftOut] = []
        self.set_by: dict[str, int] = {}

    def take(self, finding: Finding, symptoms: list[Finding]) -> Finding:
        fix = _with_corrections(finding.fix, finding.code, self.values)
        if not fix.params:
            return self._by_hand(finding, fix) if finding.is_root else replace(finding, fix=fix)
        new, fault = _possible(fix.params, self.values)
        refused = {one.code: one.why for one in self.left_out}
        if not finding.is_root and finding.explained_by[0] in refused:
            return replace(finding, fix=Fix({}, fix.action or refused[finding.explained_by[0]], run=fix.run))
        same = {key: step for key, step in self.set_by.items() if key in new}
        if finding.is_root or not new.keys() <= same.keys():
            fault = fault or self._conflict(new)
        if fault:
            if finding.severity != "info":
                self.left_out.append(LeftOut(finding.code, fault))
            return replace(finding, fix=Fix({}, fix.action or fault, run=fix.run))
        fix = replace(fix, params=new)
        if finding.severity == "info":
            return replace(finding, fix=fix)
        if new.keys() <= same.keys():
            return replace(finding, fix=fix, step=next(iter(same.values())))
        return self._step(finding, fix, symptoms)

    def _conflict(self, params: Mapping[str, Any]) -> str:
        """Why they do not go with an earlier step; empty where they do."""
        for key, value in params.items():
            step = self.set_by.get(key, 0)
            if step and key == CORRECTIONS:
                return f"after step {step}, which corrects rows too: run again, and its rows hold those of both"
            if step and self.steps[step - 1].fix.params[key] != value:
                return f"step {step} sets {key} otherwise: run again after it"
        return ""

    def _by_hand(self, finding: Finding, fix: Fix) -> Finding:
        told = replace(finding, fix=fix)
        return told if finding.severity == "info" or not fix.action else self._step(told, fix, [])

    def _step(self, finding: Finding, fix: Fix, symptoms: list[Finding]) -> Finding:
        number = len(self.steps) + 1
        # What one entry tells of several systems is at stake in each of them.
        stakes = [points for one in (finding, *finding.also, *symptoms) if (points := _points(one)) is not None]
        # What is tested is then another thing: the effect on the metric does not tell whether it was right.
        stake, changes_data = max(stakes, default=None), bool(fix.rows) or finding.layer == "labels"
        self.steps.append(Step(number, finding.code, finding.systems, finding.sentence, fix, changes_data, stake))
        self.set_by |= dict.fromkeys(fix.params, number)
        return replace(finding, fix=fix, step=number)


def _points(finding: Finding) -> float | None:
    """Points of a metric that a finding costs; None where its weight is a rank, not a number of points."""
    if not any(evidence.unit == "points" for evidence in finding.evidence):
        return None
    return finding.weight - CAUSE if finding.weight >= CAUSE else finding.weight


def _with_corrections(fix: Fix, code: str, values: Mapping[str, Any]) -> Fix:
    """Rows to mend as the parameter that applies them, in a copy: the run that applies them writes the file anew."""
    if not fix.rows:
        return fix
    earlier = re.search(r"-(\d+)\.csv$", str(values.get("prepare", {}).get("corrections", "")))
    number = int(earlier[1]) + 1 if earlier else 1
    return replace(fix, params={**fix.params, CORRECTIONS: f"{FOLDER}/{code}-{number}.csv"})


def _possible(params: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The overrides that change something; and why they cannot be set, or empty."""
    try:
        new = {key: value for key, value in params.items() if put(values, {key: value}) != values}
        if not new:
            return {}, f"{_spoken(params)}: this run has it already, and it was not enough"
        options.check(put(values, new))
    except KeyError as error:
        return {}, f"params.yaml has no {error.args[0]}"
    except UserError as error:
        return {}, f"{_spoken(params)} is not possible here: {error.args[0]}"
    return new, ""


def _spoken(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={written(value)}" for key, value in params.items())
