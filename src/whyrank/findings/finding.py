"""A finding: one cause, its evidence, and the change that mends it."""

import json
import re
import shlex
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")

# What Hydra reads as a word just as it stands, and not as a number or a constant.
_PLAIN = re.compile(r"(?!(?:null|none|true|false|inf|nan)$)[A-Za-z_][\w-]*", re.IGNORECASE | re.ASCII)

# Added to the weight of an error that names a cause: no symptom costs more than 100 points, so the cause stands first.
CAUSE = 100.0


@dataclass(frozen=True)
class Evidence:
    """A number that was recorded, with what it is and in which unit."""

    name: str
    value: float
    unit: str = ""


@dataclass(frozen=True)
class Fix:
    """Overrides of params.yaml that mend the fault (applied together), or what to do to the data where none can."""

    params: dict[str, Any]
    action: str = ""

    @property
    def command(self) -> str:
        """The `dvc exp run` that applies the overrides, ready to paste into a shell; empty without overrides."""
        settings = [f"-S {shlex.quote(f'{_key(key, value)}={_text(value)}')}" for key, value in self.params.items()]
        return " ".join(["dvc exp run", *settings]) if settings else ""


@dataclass(frozen=True)
class Finding:
    """code      stable word, the name of the probe
    system    what it is about: a system, a stage, or `data`
    sentence  what is wrong, with its most telling number, in one sentence
    interval  interval of the number that decides, where it is an estimate; of a metric in points
    weight    points of the metric it costs where that is known, else a rough rank (plus `CAUSE`, see there); orders
              findings of one severity
    """

    code: str
    severity: Severity
    system: str
    sentence: str
    evidence: tuple[Evidence, ...]
    cause: str
    fix: Fix
    reference: str
    interval: tuple[float, float] | None = None
    weight: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": self.severity,
            "system": self.system,
            "sentence": self.sentence,
            "evidence": [{"name": e.name, "value": e.value, "unit": e.unit} for e in self.evidence],
            "interval": list(self.interval) if self.interval else None,
            "cause": self.cause,
            "fix": {"params": self.fix.params, "action": self.fix.action, "command": self.fix.command},
            "reference": self.reference,
            "weight": self.weight,
        }


def in_order(findings: list[Finding]) -> list[Finding]:
    """Errors first, then warnings, then the rest; the weightiest of each first."""
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), -f.weight, f.code, f.system))


def is_plain(name: str) -> bool:
    """Whether a name can stand in an override as it is, as a key of a map or in a list."""
    return _PLAIN.fullmatch(name) is not None


def _key(key: str, value: Any) -> str:
    """A key as Hydra takes it. An entry of a list, or a map by name, may lack some of its keys: those are added."""
    is_open = isinstance(value, dict) or any(part.isdigit() for part in key.split("."))
    return f"++{key}" if is_open else key


def _text(value: Any) -> str:
    """A value as Hydra's override grammar reads it: no spaces in lists and maps, no quotes around words."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_text(item) for item in value) + "]"
    return value if isinstance(value, str) else json.dumps(value)
