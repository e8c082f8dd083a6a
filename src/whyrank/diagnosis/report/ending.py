"""The last three lines of every run: the verdict, how the checks ended, and where the report is."""

from pathlib import Path

from whyrank.core import io
from whyrank.findings.diagnosis import tally


def ending(folder: str | Path) -> str:
    """The lines, of a folder that `diagnose` wrote."""
    folder = Path(folder)
    verdict = (folder / "verdict.txt").read_text(encoding="utf-8").strip()
    checks = tally(io.read_table(folder / "checks.csv")) or "none"
    return f"verdict: {verdict}\nchecks: {checks}\nreport: {folder / 'report.html'}"
