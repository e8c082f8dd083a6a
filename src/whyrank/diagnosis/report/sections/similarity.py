"""How well the cosine of two texts agrees with a label of their similarity."""

from whyrank.diagnosis.compare.pairs import undefined
from whyrank.diagnosis.report import numbers, plots
from whyrank.diagnosis.report.blocks import Block, Cell, Figures, Group, Heading, Paragraph, Section, Table, head
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.tables import correlation_cell, differences_head, each, from_difference


def section(content: Content) -> Section | None:
    if not content.has_pairs:
        return None
    similar, level = content.similarity, content.level
    note = f"Spearman's correlation of cosine and label on the test pairs with its {numbers.ci(level)}; 0 is chance."
    blocks: list[Block] = [Paragraph(note), _systems(content)]
    missing = undefined(similar)
    blocks += [Paragraph(f"Undefined: {'; '.join(missing)}.")] if missing else []
    if any(content.experiment.start.get(row.a) == row.b for row in each(similar.comparisons)):
        blocks.append(Figures([plots.similarity_plot(similar.comparisons, content.experiment, level)]))
    if len(similar.comparisons):
        how = (
            "Differences (left minus right) of Spearman's correlations on the same pairs, CI by bootstrap of pairs; p "
            f"by a paired swap test. {numbers.holm(level, 'list')}"
        )
        groups = [
            Group(f"{name}: {rows['n_pairs'].iloc[0]:,} pairs", [from_difference(row, level) for row in each(rows)])
            for name, rows in similar.comparisons.groupby("list", sort=False)
        ]
        table = Table("Differences in similarity", differences_head(level), groups)
        blocks += [Heading("Differences in similarity"), Paragraph(how), table]
    return Section(40, "Similarity", blocks)


def _systems(content: Content) -> Table:
    rows: dict[str, list[Cell]] = {}
    for row in each(content.similarity.systems):
        rows.setdefault(row.list, [Cell(row.list, f"n = {row.n_pairs:,}")]).append(correlation_cell(row))
    names = content.similarity.systems["system"].drop_duplicates()
    return Table("Similarity by list and system", head("Pairs of texts", *names), [Group("", list(rows.values()))])
