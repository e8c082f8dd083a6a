"""All test queries: which system wins and loses them, and a table to search."""

from whyrank.diagnosis.compare.queries import outcomes
from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Block, Cell, Group, Paragraph, Queries, Section, Table, head
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.tables import each

FILE = "queries.csv"


def section(content: Content) -> Section:
    shown, table, systems = content.shown, content.queries, [*content.records.runs]
    others = [system for system in systems if system != shown]
    start = content.experiment.start.get(shown, "")
    other = start if start in others else next(iter(others), shown)
    listing = Queries(
        f"Every one of {len(table):,} queries with its rank in each system: {FILE}.", table, systems, shown, other
    )
    return Section(78, "Queries", [*(_wins(content, others) if others else []), listing])


def _wins(content: Content, others: list[str]) -> list[Block]:
    note = (
        f"How often {content.shown} ranks the relevant answer better (wins) and worse (losses) than each other system; "
        "of equal scores the rank is the mean of their places."
    )
    rows = [
        [Cell(row.other), *(Cell(numbers.free(number)) for number in (row.wins, row.losses, row.same))]
        for row in each(outcomes(content.queries, content.shown, others))
    ]
    names = head("Against", "Wins", "Losses", "Same")
    return [Paragraph(note), Table(f"Wins and losses of {content.shown}", names, [Group("", rows)])]
