"""The report of the last diagnosis: as text, as a page, or as one JSON, whose schema is docs/report.schema.json."""

import math
import webbrowser
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from whyrank.core import checksums, io
from whyrank.findings.finding import Severity

SHAPE = ConfigDict(extra="forbid")
# Numbers that JSON has no word for are null.
Number = float | None


@dataclass(frozen=True, kw_only=True, config=SHAPE)
class Measured:
    name: str
    value: Number
    unit: str
    threshold: Number | None = Field(
        default=None, description="of the check, in the same unit; null where this number does not decide"
    )


@dataclass(frozen=True, kw_only=True, config=SHAPE)
class Fix:
    params: dict[str, Any] = Field(description="overrides of params.yaml, by full key; empty where none helps")
    action: str = Field(description="what to do by hand")
    command: str = Field(description="the command that tries it; empty where there is none")
    rows: str = Field(description="a CSV of rows to correct, leave out or read")


@dataclass(frozen=True, kw_only=True, config=SHAPE)
class Also:
    system: str
    severity: Severity
    sentence: str
    evidence: list[Measured]
    interval: tuple[Number, Number] | None


@dataclass(frozen=True, kw_only=True, config=SHAPE)
class Found:
    code: str
    severity: Severity
    layer: str
    is_root: bool = Field(description="a cause of its own, and no symptom of another finding")
    explained_by: list[str] = Field(description="codes of its causes")
    step: int | None = Field(description="of the fix plan")
    system: str
    systems: list[str]
    sentence: str
    evidence: list[Measured]
    interval: tuple[Number, Number] | None
    also: list[Also] = Field(description="the same about other systems")
    cause: str
    fix: Fix
    reference: str
    weight: Number = Field(description="points of the metric at stake, or how far beyond its threshold; for the order")
    explains: list[str]


@dataclass(frozen=True, kw_only=True, config=SHAPE)
class Check:
    code: str
    system: str
    status: Literal["failed", "passed", "not enough data", "not applicable"]
    sentence: str | None
    measured: str | None
    value: Number
    unit: str | None
    threshold: Number


@dataclass(frozen=True, kw_only=True, config=SHAPE)
class Step:
    step: int
    code: str
    systems: list[str]
    sentence: str
    params: dict[str, Any]
    rows: str
    action: str
    settings: list[str]
    command: str
    changes_data: bool
    stake: Number


@dataclass(frozen=True, kw_only=True, config=SHAPE)
class LeftOut:
    code: str
    why: str


@dataclass(frozen=True, kw_only=True, config=SHAPE)
class Plan:
    steps: list[Step]
    left_out: list[LeftOut] = Field(description="fixes that are no step, and why")


@dataclass(frozen=True, kw_only=True, config=SHAPE)
class Report:
    """What `whyrank report --json` prints."""

    verdict: str
    metrics: dict[str, float] = Field(description="as in metrics/summary.json: <system>.<metric>_<type of query>")
    checks: list[Check]
    findings: list[Found] = Field(description="causes before symptoms, the weightiest first")
    plan: Plan


def read(folder: Path, summary: Path) -> dict[str, Any]:
    """The report of a folder that `diagnose` wrote, and the figures beside it, as JSON has them.

    Raises UserError where `diagnose` has not run, or its files were changed.
    """
    checksums.verify(folder)
    checks = io.read_table(folder / "checks.csv").astype(object)
    found = {
        "verdict": (folder / "verdict.txt").read_text(encoding="utf-8").strip(),
        "metrics": io.read_json(summary),
        "checks": checks.to_dict("records"),
        "findings": io.read_json(folder / "findings.json"),
        "plan": io.read_json(folder / "plan.json"),
    }
    told: dict[str, Any] = finite(found)
    return told


def text(folder: Path) -> str:
    """The report for a terminal. Raises as `read` does."""
    checksums.verify(folder)
    return (folder / "report.md").read_text(encoding="utf-8")


def opened(folder: Path) -> str:
    """Open the page in the browser of this machine, and say where it is. Raises as `read` does."""
    checksums.verify(folder)
    page = folder / "report.html"
    if webbrowser.open(page.resolve().as_uri()):
        return str(page)
    return f"no browser to open {page} with; `whyrank report` prints the same"


def schema() -> dict[str, Any]:
    """The JSON schema of a report."""
    return TypeAdapter(Report).json_schema()


def finite(value: Any) -> Any:
    """The same without numbers that JSON has no word for."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
