"""Which kinds of query a system is good or bad at."""

from whyrank.diagnosis.report import numbers, plots
from whyrank.diagnosis.report.blocks import Cell, Details, Figures, Group, Paragraph, Section, Table, head
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.tables import each


def section(content: Content) -> Section:
    """The type of a query is among the columns of the systems already."""
    metric, level, systems = content.metric, content.level, content.experiment
    drawn = [plots.metric_plot(content.systems, systems, metric, level)]
    drawn += [plots.gap_plot(content.gap, metric)] if len(content.gap) else []
    drawn += plots.slice_plots(content.slices, systems, metric, level)
    colours = (
        "Encoders of one origin have the same colour; hollow marks are untuned, filled marks tuned; lexical baselines "
        "are grey."
    )
    rows = content.slices[content.slices["slice"] != "type"]
    tables = []
    for name, part in rows.groupby("slice", sort=False):
        cells: dict[str, list[Cell]] = {}
        for row in each(part):
            cells.setdefault(row.system, [Cell(row.system)]).append(Cell(numbers.value(row.value)))
        sizes = part.drop_duplicates("bin")
        names = head(f"By {name}", *(f"{row.bin}|n = {row.n}" for row in each(sizes)))
        tables.append(Table(f"{metric} by {name}", names, [Group("", list(cells.values()))]))
    values = [Details("Every value", tables)] if tables else []
    return Section(60, "Kinds of query", [Paragraph(colours), Figures(drawn), *values])
