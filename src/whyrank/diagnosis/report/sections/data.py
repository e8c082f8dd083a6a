"""What the systems were trained and tested on."""

from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Cell, Details, Facts, Group, Section, Table, head
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.tables import TYPES


def section(content: Content) -> Section:
    rows = [[Cell(TYPES[kind]), *(Cell(numbers.free(n)) for n in row)] for kind, *row in content.queries.to_numpy()]
    table = Table("Queries by type and split", head("Queries", *content.queries.columns[1:]), [Group("", rows)])
    counts = Facts([(name, numbers.free(number), "") for name, number in content.data.items()])
    return Section(100, "Data", [table, Details("Everything prepare counted", [counts])])
