"""Which differences between systems are more than luck."""

from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Group, Paragraph, Section, Table
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.tables import TYPES, differences_head, each, from_difference


def section(content: Content) -> Section:
    level, rows = content.level, list(each(content.comparisons))
    if not rows:
        return Section(30, "Comparisons", [Paragraph("No two systems of the experiment were evaluated together.")])
    note = (
        f"Differences (left minus right) in points of {content.metric} on the same queries, {numbers.ci(level)} by "
        "bootstrap clustered by answer; p by a paired sign-flip test, clustered by answer. "
        + numbers.holm(level, "group")
    )
    groups = []
    for kind, title in TYPES.items():
        of_kind = [row for row in rows if row.type == kind]
        if of_kind:
            size = f"{title}: {of_kind[0].n_queries} queries of {of_kind[0].n_clusters} answers"
            groups.append(Group(size, [from_difference(row, level, numbers.points) for row in of_kind]))
    return Section(
        30, "Comparisons", [Paragraph(note), Table(f"Differences in {content.metric}", differences_head(level), groups)]
    )
