"""Where the texts lie in the space of each system."""

from whyrank.diagnosis.report import numbers, plots
from whyrank.diagnosis.report.blocks import Block, Cell, Figures, Group, Paragraph, Section, Table, head
from whyrank.diagnosis.report.content import Content


def section(content: Content) -> Section | None:
    drawn = plots.centroid_plots(content.centroids, content.experiment)
    blocks: list[Block] = [Figures(drawn)] if drawn else []
    if len(content.geometry):
        note = (
            "Test queries, each system in its own space. The type probe is a linear classifier of questions and "
            "conversations; an AUC of 0.5 is chance."
        )
        rows = [[Cell(str(name)), *(Cell(numbers.value(n)) for n in row)] for name, *row in content.geometry.to_numpy()]
        table = Table("Distances by system", head("System", *content.geometry.columns[1:]), [Group("", rows)])
        blocks += [Paragraph(note), table]
    return Section(70, "Embedding space", blocks) if blocks else None
