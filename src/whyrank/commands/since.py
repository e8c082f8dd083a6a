"""The last run beside an earlier one: each system with an interval, findings that are gone and that are new."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from whyrank.commands import effect
from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.findings.finding import SEVERITIES
from whyrank.findings.systems import Systems

RUNS, COUNTS = "data/runs", "metrics/findings.json"
# Revision, path in it, where to -> whether it is there.
Fetch = Callable[[str, str, Path], bool]


class Since(NamedTuple):
    """revision   what the last run is compared with;  gone, new   codes of findings
    measured   one of each encoder that both runs have; empty where the earlier one is in no cache
    """

    revision: str
    measured: list[effect.Measured]
    gone: list[str]
    new: list[str]

    def __str__(self) -> str:
        """Markdown."""
        told = [f"- {one.spoken}" for one in self.measured]
        told = told or [
            f"- no system to compare: {RUNS} of {self.revision} is in no cache of this machine (`dvc pull`)"
        ]
        lists = (
            (word, ", ".join(f"`{code}`" for code in found)) for word, found in (("gone", self.gone), ("new", self.new))
        )
        return "\n".join(
            [f"Since {self.revision}:", "", *told, *(f"- findings {word}: {found or 'none'}" for word, found in lists)]
        )


def since(revision: str, values: Mapping[str, Any], fetch: Fetch) -> Since:
    """Compare what lies in the workspace with `revision`.

    revision   a commit, branch, tag or experiment;  values   of params.yaml
    Raises UserError where there is no such revision, or nothing was diagnosed in it.
    """
    with tempfile.TemporaryDirectory(prefix="whyrank-since-") as folder:
        counts, runs = Path(folder) / "findings.json", Path(folder) / "runs"
        if not fetch(revision, COUNTS, counts):
            raise UserError(
                f"{revision} has no {COUNTS}: it is no commit and no experiment (`git log` and `dvc exp list` name "
                "them), or nothing was diagnosed in it"
            )
        before, now = _codes(counts), _codes(Path(COUNTS))
        measured = _measured(runs, values) if fetch(revision, RUNS, runs) else []
    return Since(revision, measured, sorted(before - now), sorted(now - before))


def _codes(file: Path) -> set[str]:
    return {code for code, count in io.read_json(file).items() if count and code not in SEVERITIES}


def _measured(before: Path, values: Mapping[str, Any]) -> list[effect.Measured]:
    diagnose, file = values["diagnose"], effect.file_of(values)
    draw = {"level": diagnose["level"], "resamples": diagnose["resamples"], "seed": values["seed"]}
    both = [
        name
        for name in Systems.of(values).encoders
        if all((folder / name / file).exists() for folder in (before, Path(RUNS)))
    ]
    found = (effect.measure(before, Path(RUNS), values, [name], **draw) for name in both)
    return [one for one in found if one is not None]
