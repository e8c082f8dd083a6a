"""What was checked: what failed, what passed and by how much, what could not be told, what does not apply."""

from typing import Any

from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Cell, Details, Group, Paragraph, Section, Table, head
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.tables import each
from whyrank.findings.diagnosis import STATUSES, tally


def section(content: Content) -> Section | None:
    if content.checks.empty:
        return None
    groups = [
        Group(str(status).capitalize(), [_row(row) for row in each(rows)])
        for status, rows in content.checks.groupby("status", sort=False)
    ]
    note = (
        f"Checks: {tally(content.checks)}. A check that passed found its number on the right side of the threshold; "
        "`not enough data` is no proof that all is well."
    )
    table = Table("What each check looked at", head("Check", "About", "Measured", "Value", "Threshold"), groups)
    return Section(95, "Checks", [Paragraph(note), Details("Every check", [table])])


def _row(row: Any) -> list[Cell]:
    has_number = isinstance(row.measured, str)
    said = row.measured if has_number else row.sentence if row.status != STATUSES[0] else ""
    value = f"{numbers.free(row.value)} {row.unit}".strip() if has_number else ""
    threshold = numbers.free(row.threshold) if has_number and row.threshold == row.threshold else ""
    return [Cell(row.code), Cell(row.system), Cell(said), Cell(value), Cell(threshold)]
