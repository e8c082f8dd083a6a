"""What the last diagnosis said, for a terminal, a log or a comment on a pull request, and whether that is a failure.

`python -m whyrank verdict --fail-on error` ends with exit code 1 where a finding is an error.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from whyrank.core import checksums, io
from whyrank.core.origin import committed
from whyrank.diagnosis.report.headline import PRECISION
from whyrank.diagnosis.report.markdown import fenced, plain
from whyrank.findings.again import start
from whyrank.findings.diagnosis import tally
from whyrank.findings.finding import SEVERITIES, Severity

Finding = dict[str, Any]
# Beyond so many lines no finding is begun: a comment on a pull request stays under 60.
MOST_LINES = 50


class Told(NamedTuple):
    """What `diagnose` wrote. checks   how many failed, passed, …"""

    verdict: str
    findings: list[Finding]
    checks: str


def read(folder: Path) -> Told:
    """Raises UserError where `diagnose` has not run, or its files were changed."""
    checksums.verify(folder)
    return Told(
        (folder / "verdict.txt").read_text(encoding="utf-8").strip(),
        io.read_json(folder / "findings.json"),
        tally(io.read_table(folder / "checks.csv")),
    )


def other_precision(summary: Path) -> str:
    """One line where the committed figures were computed in another precision than those of the last run; else empty.

    summary   the file of the figures, with `precision_bits`
    """
    before = re.search(rf'"{PRECISION}": (\d+)', committed(str(summary)))
    now = io.read_json(summary).get(PRECISION) if before and summary.exists() else None
    if before is None or now is None or int(before[1]) == now:
        return ""
    return (
        f"figures: those under {summary.parent} differ from the committed ones in the third digit, as matrix products "
        f"have {now} bits here and had {before[1]} (`encoder.precision`)"
    )


def failing(findings: Sequence[Finding], fail_on: Severity) -> list[Finding]:
    """Those of this severity or a worse one."""
    return [one for one in findings if SEVERITIES.index(one["severity"]) <= SEVERITIES.index(fail_on)]


def rendered(told: Told, about_commands: str = "") -> str:
    """Markdown: the verdict, how many findings and checks there are, and each finding with the command that fixes it.

    A symptom has the command of its cause, which stands once, below the first of them.
    about_commands   what is said of them once; empty for what fits them
    """
    counts = Counter(one["severity"] for one in told.findings)
    severities = ", ".join(f"{severity} {counts[severity]}" for severity in SEVERITIES if counts[severity])
    said = start(one["fix"]["command"] for one in told.findings)
    said = f" {about_commands or said}" if said else ""
    checked = f" Checks: {told.checks}." if told.checks else ""
    parts, shown = [f"**{plain(told.verdict)}**", f"Findings: {severities or 'none'}.{checked}{said}"], {""}
    for number, one in enumerate(told.findings):
        if sum(part.count("\n") + 2 for part in parts) > MOST_LINES:
            parts.append(f"And {len(told.findings) - number} more: the report has them.")
            break
        step = f"; step {one['step']} of the fix plan" if one["step"] else ""
        about = f"{plain(', '.join(one['systems']))}{step}"
        parts.append(f"- {one['severity']} `{one['code']}` ({about}): {plain(one['sentence'])}")
        command = one["fix"]["command"]
        if command not in shown:
            shown.add(command)
            parts.append(fenced(command, "bash"))
    return "\n\n".join(parts) + "\n"
