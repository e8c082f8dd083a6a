"""What went wrong: each cause with its evidence and what to do, and its symptoms folded into it."""

from collections import Counter
from collections.abc import Iterator, Sequence, Set

from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Block, Card, Command, Details, Facts, Paragraph, Section
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.links import links, place
from whyrank.diagnosis.report.sections.plan import by_hand
from whyrank.findings.again import start
from whyrank.findings.diagnosis import tally
from whyrank.findings.finding import SEVERITIES, Evidence, Finding
from whyrank.findings.tree import nested


def section(content: Content) -> Section:
    checked = f" Checks: {tally(content.checks)}." if len(content.checks) else ""
    if not content.findings:
        return Section(20, "Findings", [Paragraph(f"No problem found.{checked}")])
    counts = Counter(finding.severity for finding in content.findings)
    severities = ", ".join(f"{severity} {counts[severity]}" for severity in SEVERITIES if counts[severity])
    said = start(finding.fix.command for finding in content.findings if not finding.step)
    groups, seen = nested(content.findings), Counter[str]()
    cards = {id(one): _card(one, symptoms, content, seen) for one, symptoms in groups}
    urgent = [cards[id(one)] for one, _ in groups if one.severity != "info"]
    aside = [cards[id(one)] for one, _ in groups if one.severity == "info"]
    folded = [Details(f"For information: {', '.join(card.title for card in aside)}", aside)] if aside else []
    counted = f"By severity: {severities}.{checked} {said}".rstrip()
    return Section(20, "Findings", [Paragraph(counted), *urgent, *folded])


def _card(finding: Finding, symptoms: Sequence[Finding], content: Content, seen: Counter[str]) -> Card:
    """A cause with what it explains folded into it. seen   codes so far: of two cards each has an id of its own"""
    seen[finding.code] += 1
    blocks = [*_blocks(finding, {one.code for one in symptoms}, content)]
    if symptoms:
        codes = ", ".join(dict.fromkeys(one.code for one in symptoms))
        blocks.append(Details(f"Explains {codes}", [_card(one, (), content, seen) for one in symptoms]))
    about = f"about {', '.join(finding.systems)}"
    return Card(finding.code, about, blocks, finding.severity, place(finding.code, seen[finding.code]))


def _number(number: float, unit: str) -> str:
    """Points have one decimal, as in all tables."""
    return numbers.value(number, 1) if unit.startswith("points") else numbers.free(number)


def beside_threshold(one: Evidence) -> str:
    """The unit of a number, and the threshold that it crossed."""
    if one.threshold is None:
        return one.unit
    threshold = f"threshold\u00a0{_number(one.threshold, one.unit)}{' %' if one.unit == '%' else ''}"
    return f"{one.unit}; {threshold}" if one.unit else threshold


def _blocks(finding: Finding, below: Set[str], content: Content) -> Iterator[Block]:
    """below   codes of the symptoms that stand within the card"""
    level = content.level
    evidence = [(one.name, _number(one.value, one.unit), beside_threshold(one)) for one in finding.evidence]
    if finding.interval:
        evidence.append((numbers.ci(level), numbers.interval(*finding.interval, numbers.free), ""))
    yield Paragraph(finding.sentence, tone="lead")
    if evidence:
        yield Facts(evidence)
    for one in finding.also:
        yield Paragraph(one.sentence, one.system, "text")
    yield Paragraph(finding.cause, "Cause", "text")
    if finding.step:
        yield Paragraph(f"step {finding.step} of the fix plan", "Fix", "text")
    elif finding.fix.command:
        yield Command(finding.fix.command, "Command that fixes it")
    if finding.fix.action and not finding.step:
        yield by_hand(finding.fix)
    if elsewhere := [code for code in finding.explains if code not in below]:
        yield Paragraph(", ".join(elsewhere), "Explains too")
    yield Paragraph(finding.reference, "Reference")
    yield links(finding, content)
