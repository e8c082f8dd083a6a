"""What the last diagnosis said, for a terminal, a log or a comment on a pull request, and whether that is a failure.

`python -m whyrank verdict --fail-on error` ends with exit code 1 where a finding is an error.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from whyrank.core import checksums, io
from whyrank.diagnosis.report.markdown import fenced, plain
from whyrank.findings.finding import SEVERITIES, START, Severity

Finding = dict[str, Any]


def read(folder: Path) -> tuple[str, list[Finding]]:
    """The verdict and the findings that `diagnose` wrote. Raises UserError where it has not, or they were changed."""
    checksums.verify(folder)
    return (folder / "verdict.txt").read_text(encoding="utf-8").strip(), io.read_json(folder / "findings.json")


def failing(findings: Sequence[Finding], fail_on: Severity) -> list[Finding]:
    """Those of this severity or a worse one."""
    return [one for one in findings if SEVERITIES.index(one["severity"]) <= SEVERITIES.index(fail_on)]


def rendered(verdict: str, findings: Sequence[Finding]) -> str:
    """Markdown: the verdict, how many findings there are, and each with the command that fixes it.

    A symptom has the command of its cause, which stands once, below the first of them.
    """
    counts = Counter(one["severity"] for one in findings)
    tally = ", ".join(f"{severity} {counts[severity]}" for severity in SEVERITIES if counts[severity])
    start = f" {START}" if any(one["fix"]["command"] for one in findings) else ""
    parts, told = [f"**{plain(verdict)}**", f"Findings: {tally or 'none'}.{start}"], set()
    for one in findings:
        parts.append(
            f"- {one['severity']} `{one['code']}` ({plain(', '.join(one['systems']))}): {plain(one['sentence'])}"
        )
        command = one["fix"]["command"]
        if command and command not in told:
            told.add(command)
            parts.append(fenced(command, "bash"))
    return "\n\n".join(parts) + "\n"
