"""Which kinds of query a system is good or bad at."""

from whyrank.diagnosis.report import numbers, plots
from whyrank.diagnosis.report.blocks import Block, Cell, Details, Figures, Group, Section, Table, head
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.tables import each


def section(content: Content) -> Section | None:
    """The type of a query is among the columns of the systems already."""
    rows = content.slices[content.slices["slice"] != "type"]
    if rows.empty:
        return None
    drawn = plots.slice_plots(content.slices, content.experiment, content.metric, content.level)
    figures: list[Block] = [Figures(drawn)] if drawn else []
    tables = []
    for name, part in rows.groupby("slice", sort=False):
        cells: dict[str, list[Cell]] = {}
        for row in each(part):
            cells.setdefault(row.system, [Cell(row.system)]).append(Cell(numbers.value(row.value)))
        sizes = part.drop_duplicates("bin")
        names = head(f"By {name}", *(f"{row.bin}|n = {row.n}" for row in each(sizes)))
        tables.append(Table(f"{content.metric} by {name}", names, [Group("", list(cells.values()))]))
    return Section(60, f"{content.metric} by kind of query", [*figures, Details("Every value", tables)])
