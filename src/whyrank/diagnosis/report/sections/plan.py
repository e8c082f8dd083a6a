"""What to do, in order: each step with its command, and what it should bring."""

from collections.abc import Iterator

from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Block, Command, Details, Heading, Paragraph, Section
from whyrank.diagnosis.report.content import Content
from whyrank.findings.finding import Fix
from whyrank.findings.plan import Step

HOW = (
    "`python -m whyrank fix` runs the first step that was not tried yet in a temporary copy, and says whether it "
    "helped; with `--all` it goes on until nothing helps."
)


def section(content: Content) -> Section | None:
    plan = content.plan
    if not plan.steps and not plan.left_out:
        return None
    blocks: list[Block] = [Paragraph(HOW)] if any(step.command for step in plan.steps) else []
    for step in plan.steps:
        blocks += [Heading(f"{step.number}. {step.code}"), *_step(step, content)]
    left_out = [Paragraph(one.why, one.code, "text") for one in plan.left_out]
    return Section(18, "Fix plan", [*blocks, *([Details("Fixes that are no step", left_out)] if left_out else [])])


def _step(step: Step, content: Content) -> Iterator[Block]:
    yield Paragraph(step.sentence, ", ".join(step.systems), "text")
    if step.stake is not None:
        yield Paragraph(f"at most {numbers.free(step.stake)} points", "At stake", "text")
    if step.changes_data and step.command:
        yield Paragraph("It changes the data, and with them what the metric measures.", tone="text")
    if step.fix.rows:
        yield Paragraph(f"look at the rows in {step.fix.rows} first; {step.fix.action}", "Rows", "text")
    if step.command:
        yield Command(step.command, "Command")
    if step.fix.action and not step.fix.rows:
        yield by_hand(step.fix)


def by_hand(fix: Fix) -> Paragraph:
    """What no parameter does; it stands below the command that it goes with, or that it is an alternative to."""
    if not fix.command:
        return Paragraph(fix.action, "By hand", "text")
    said = fix.action.removeprefix("or ")
    return Paragraph(said, "Besides" if said == fix.action else "Alternatively", "text")
