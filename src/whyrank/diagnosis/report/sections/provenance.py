"""What the run was made with."""

from whyrank.diagnosis.report.blocks import Details, Facts, Section
from whyrank.diagnosis.report.content import Content


def section(content: Content) -> Section:
    parts = content.provenance.items()
    return Section(
        110, "Provenance",
        [Details(heading, [Facts([(name, text, "") for name, text in values.items()])]) for heading, values in parts],
    )  # fmt: skip
