"""Probes that need only data and the first batches. `prepare` imports this: it stays free of all else."""

import sys

from whyrank.core.errors import UserError
from whyrank.core.options import overrides
from whyrank.core.options.yaml_files import PARAMS, read_yaml
from whyrank.core.progress import progress
from whyrank.findings.diagnosis import Diagnosis, diagnosis
from whyrank.findings.finding import Finding, of_run
from whyrank.findings.plan import planned
from whyrank.findings.probe import import_modules, registered
from whyrank.findings.records import DataRecords

import_modules("whyrank.preflight.probes")


def examine(data: DataRecords) -> Diagnosis:
    """What can be said before any training."""
    probes = list(registered("preflight"))
    shown = progress(probes, total=len(probes), what="checks")
    told = [(probe, one) for probe in shown for one in probe.find(data)]
    # The encoder has its part in what is estimated of the data with it.
    return diagnosis(told, lambda cause, symptom: 0 if cause in (symptom, "prepare") else None)


def preflight(data: DataRecords) -> list[Finding]:
    """The findings alone, in order."""
    return examine(data).findings


def stop(findings: list[Finding], on: str) -> None:
    """Print a line for each finding, but the one that stops: what reading left out or took otherwise is not silent.

    Raises UserError with the first finding of the severity `on` and its fix; `never` raises nothing.
    """
    # In what `prepare` records a fix says nothing of parameters that the stage does not depend on.
    findings, plan = planned(of_run(findings, overrides.of_run()), read_yaml(PARAMS))
    errors = [finding for finding in findings if finding.severity == on]
    for finding in (one for entry in findings for one in (entry, *entry.also)):
        if finding not in errors[:1]:
            print(f"preflight: {finding.severity}: {finding.code}: {finding.sentence}", file=sys.stderr)
    if errors:
        fix = errors[0].fix
        command = plan.steps[errors[0].step - 1].command if errors[0].step else fix.command
        raise UserError(
            f"preflight: {errors[0].code}: {errors[0].sentence} Remedy: {command or fix.action}; "
            "to go on: preflight.stop_on=never"
        )
