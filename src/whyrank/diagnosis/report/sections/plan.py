"""What to do, in order: each step with its command, and what it should bring."""

from collections.abc import Iterator

from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Block, Card, Command, Details, Paragraph, Section
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.links import place
from whyrank.findings.again import OF_PIPELINE, start
from whyrank.findings.finding import Fix
from whyrank.findings.plan import Step

MOST = 4  # steps that are seen at once
HOW = (
    "`whyrank fix` runs the first step that was not tried yet in a temporary copy, and says whether it "
    "helped; with `--all` it goes on until nothing helps."
)


def section(content: Content) -> Section | None:
    plan = content.plan
    if not plan.steps and not plan.left_out:
        return None
    cards = [_card(step) for step in plan.steps]
    blocks: list[Block] = [*cards[:MOST]]
    if cards[MOST:]:
        codes = ", ".join(step.code for step in plan.steps[MOST:])
        blocks.append(Details(f"Steps {MOST + 1} to {len(cards)}: {codes}", cards[MOST:]))
    if said := start(step.command for step in plan.steps):
        blocks.append(Paragraph(f"{said} {HOW}" if said == OF_PIPELINE else said))
    left_out = [Paragraph(one.why, one.code, "text") for one in plan.left_out]
    blocks += [Details("Fixes that are no step", left_out)] if left_out else []
    return Section(1, "Fix plan", blocks, is_first=True)


def _card(step: Step) -> Card:
    stake = "" if step.stake is None else f", at most {numbers.value(step.stake, 1)} points at stake"
    return Card(
        f"{step.number}. {step.code}",
        f"{', '.join(step.systems)}{stake}",
        list(_blocks(step)),
        "step",
        "",
        f"#{place(step.code)}",
    )


def _blocks(step: Step) -> Iterator[Block]:
    yield Paragraph(step.sentence)
    if step.changes_data and step.command:
        yield Paragraph("It changes the data, and with them what the metric measures.", tone="text")
    if step.fix.rows:
        yield Paragraph("; ".join(filter(None, (f"look at {step.fix.rows} first", step.fix.action))), "Rows", "text")
    if step.command:
        yield Command(step.command, "")
    if step.fix.action and not step.fix.rows:
        yield by_hand(step.fix)


def by_hand(fix: Fix) -> Paragraph:
    """What no parameter does; it stands below the command that it goes with, or that it is an alternative to."""
    if not fix.command:
        return Paragraph(fix.action, "By hand", "text")
    said = fix.action.removeprefix("or ")
    return Paragraph(said, "Besides" if said == fix.action else "Alternatively", "text")
