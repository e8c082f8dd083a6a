"""How training went, and how fast."""

from whyrank.diagnosis.report import numbers, plots
from whyrank.diagnosis.report.barlow_plots import barlow_plots
from whyrank.diagnosis.report.blocks import Block, Cell, Figures, Group, Paragraph, Plot, Section, Table, head
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.levels import levels
from whyrank.diagnosis.report.tables import each


def section(content: Content) -> Section:
    drawn = [_learning(content)] if len(content.learning) else []
    drawn += barlow_plots(content.barlow) if len(content.barlow) else []
    blocks: list[Block] = [Figures(drawn)] if drawn else []
    if content.convergence.empty:
        return Section(90, "Convergence", [*blocks, Paragraph("No fine-tuning was recorded.")])
    rows = [
        [
            Cell(row.init),
            *(Cell(numbers.value(number)) for number in (row.start, row.final, row.best)),
            Cell(str(row.best_step)),
            Cell(str(row.steps_to_90) if row.final > 0 else numbers.NONE),
            Cell(str(row.steps_run)),
        ]
        for row in each(content.convergence)
    ]
    names = head(
        "Initial encoder",
        "Before tuning",
        "Final",
        "Kept",
        "Kept step",
        "Steps to 90 %|of the final value",
        "Steps run",
    )
    note = (
        f"{content.metric} on the dev queries during fine-tuning. The kept weights are those of the best evaluation by "
        "`early_stopping.metric`."
    )
    return Section(
        90, "Convergence", [Paragraph(note), Table("Course of each fine-tuning", names, [Group("", rows)]), *blocks]
    )


def _learning(content: Content) -> Plot:
    found = levels(content.records, content.metric)
    return plots.learning_plot(content.learning, content.convergence, content.experiment, content.metric, found)
