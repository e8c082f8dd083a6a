"""A finding: what is wrong, its evidence, its cause, and the change that fixes it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Literal

from whyrank.core.options.overrides import command, key_of, written
from whyrank.findings.again import Again, can_be_set

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
# Where a cause lies. What lies before explains what comes after it, and a symptom names no cause at all.
Layer = Literal["data", "labels", "evaluation", "encoder", "batches", "training", "symptom"]
LAYERS: tuple[Layer, ...] = ("data", "labels", "evaluation", "encoder", "batches", "training", "symptom")

# The parameter that applies the rows of a fix.
CORRECTIONS = "prepare.corrections"

# Begins the fix of a model that another tool trained.
IN_TOOL = "where the model is trained, set what corresponds to"
# Added to the weight of an error that makes a run invalid, or names its cause: nothing else costs more than 100 points.
CAUSE = 100.0


@dataclass(frozen=True)
class Evidence:
    """A number that was recorded, with what it is and in which unit. Shares are in percent, see `percent`.

    threshold   of the check, in the same unit: from which on the number is a finding; None where it does not decide
    """

    name: str
    value: float
    unit: str = ""
    threshold: float | None = None

    def against(self, threshold: float) -> "Evidence":
        """The same beside the threshold that it crossed."""
        return replace(self, threshold=float(threshold))

    def where_below(self, threshold: float) -> "Evidence":
        """The same, beside the threshold where it lies below it."""
        return self.against(threshold) if self.value < threshold else self

    def where_from(self, threshold: float) -> "Evidence":
        """The same, beside the threshold where it reaches it."""
        return self.against(threshold) if self.value >= threshold else self


def percent(name: str, share: float) -> Evidence:
    """share   0 to 1"""
    return Evidence(name, 100 * share, "%")


@dataclass(frozen=True)
class Fix:
    """params   overrides of params.yaml that fix the fault when applied together
    action   what else to do where none can
    rows     file that lists the rows to mend, with the columns of `prepare.corrections`; empty where there is none
    run      settings of the run with the fault: those that turn the committed params.yaml into its own
    again    how the model is examined once more; None where a run is one of the pipeline
    """

    params: dict[str, Any]
    action: str = ""
    rows: str = ""
    run: tuple[str, ...] = ()
    again: Again | None = None

    @property
    def command(self) -> str:
        """The `dvc exp run` or `whyrank examine` that applies the overrides, ready to paste into a shell; else empty.

        It names every parameter that is not as committed, and so gives the same in any workspace of that commit. Rows
        are copied first: the run itself writes their file anew.
        """
        if not self.params:
            return ""
        if self.again:
            rows = {CORRECTIONS: self.again.within(self.rows)} if self.rows else {}
            return self.again.command(replace(self, params=self.params | rows).all_settings, self.params)
        run = command(self.all_settings)
        target = self.params.get(CORRECTIONS, "") if self.rows else ""
        return f"mkdir -p {PurePosixPath(target).parent} && cp {self.rows} {target} && {run}" if target else run

    @property
    def is_in_words(self) -> bool:
        """Whether it is for the tool that trained a model."""
        return self.action.startswith(IN_TOOL)

    @property
    def all_settings(self) -> tuple[str, ...]:
        """What `-S` takes to turn the committed params.yaml into that of the run with the overrides."""
        # A map is merged into that of the run.
        replaced = {key for key, value in self.params.items() if not isinstance(value, dict)}
        return (*(setting for setting in self.run if key_of(setting) not in replaced), *self.settings)

    @property
    def settings(self) -> tuple[str, ...]:
        """What `-S` takes of the overrides alone."""
        return tuple(f"{_key(key, value)}={written(value)}" for key, value in self.params.items())


@dataclass(frozen=True)
class Finding:
    """code      stable word, that of its probe, which fills it in
    system    what it is about: a system, a stage, or `data`
    sentence  what is wrong, with its most telling number, in one sentence
    interval  of the number that decides, where it is an estimate; of a metric in points
    weight    points of the metric it costs where that is known, else a rough rank (plus `CAUSE`, see there); orders
              findings of one severity
    explains  codes of the findings of the same run that are its symptoms
    layer     where its cause lies, that of its probe, which fills it in
    explained_by   codes of its root causes among the findings of the same run, the surest first; empty for a root
    also      the same finding about further systems, which one entry tells together
    step      its place in the fix plan, from 1; 0 for none
    """

    code: str = ""
    severity: Severity = "warning"
    system: str = ""
    sentence: str = ""
    evidence: tuple[Evidence, ...] = ()
    cause: str = ""
    fix: Fix = field(default_factory=lambda: Fix({}))
    reference: str = ""
    interval: tuple[float, float] | None = None
    weight: float = 0.0
    explains: tuple[str, ...] = ()
    layer: Layer = "training"
    explained_by: tuple[str, ...] = ()
    also: tuple["Finding", ...] = ()
    step: int = 0

    @property
    def is_root(self) -> bool:
        """Whether no other finding of the run explains it."""
        return not self.explained_by

    @property
    def systems(self) -> tuple[str, ...]:
        """What the entry is about: its own system, then those of `also`."""
        return tuple(dict.fromkeys((self.system, *(one.system for one in self.also))))

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": self.severity,
            "layer": self.layer,
            "is_root": self.is_root,
            "explained_by": list(self.explained_by),
            "step": self.step or None,
            "system": self.system,
            "systems": list(self.systems),
            **self.told(),
            "also": [{"system": one.system, "severity": one.severity, **one.told()} for one in self.also],
            "cause": self.cause,
            "fix": {
                "params": self.fix.params,
                "action": self.fix.action,
                "command": self.fix.command,
                "rows": self.fix.rows,
            },
            "reference": self.reference,
            "weight": self.weight,
            "explains": list(self.explains),
        }

    def told(self) -> dict[str, Any]:
        """What is seen of its own system."""
        return {
            "sentence": self.sentence,
            "evidence": [asdict(one) for one in self.evidence],
            "interval": list(self.interval) if self.interval else None,
        }


def of_run(findings: Iterable[Finding], settings: Iterable[str], again: Again | None = None) -> list[Finding]:
    """The same with fixes that also name the settings of their run, see `Fix`.

    Of an examination those of a training are said in words, which the user does in the tool that trained the model.
    """
    run = again.settings if again else tuple(settings)
    return [replace(one, fix=replace(_possible(one.fix, again), run=run, again=again)) for one in findings]


def _possible(fix: Fix, again: Again | None) -> Fix:
    if again is None:
        return fix
    # It reads the folder that it is called in.
    action = fix.action.replace("`whyrank export", f"`cd {again.out} && whyrank export")
    own = replace(fix, action=action)
    return own if can_be_set(fix.params) else in_words(own)


def in_words(fix: Fix) -> Fix:
    """The same for the tool that trained a model, which no run of the pipeline trains."""
    named = ", ".join(f"{key.rpartition('.')[2]}={written(value)}" for key, value in fix.params.items())
    also = f", {fix.action}" if fix.action.startswith("or ") else f"; {fix.action}" if fix.action else ""
    return Fix({}, f"{IN_TOOL} {named}{also}")


def _key(key: str, value: Any) -> str:
    """A key as Hydra takes it. An entry of a list, or a map by name, may lack some of its keys: those are added."""
    is_open = isinstance(value, dict) or any(part.isdigit() for part in key.split("."))
    return f"++{key}" if is_open else key
