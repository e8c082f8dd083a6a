"""What went wrong: each cause with its evidence and what to do, and its symptoms below it."""

from collections import Counter

from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Block, Card, Command, Facts, Paragraph, Section
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.sections.plan import by_hand
from whyrank.findings.diagnosis import tally
from whyrank.findings.finding import SEVERITIES, START, Finding
from whyrank.findings.tree import nested


def section(content: Content) -> Section:
    checked = f" Checks: {tally(content.checks)}." if len(content.checks) else ""
    if not content.findings:
        return Section(20, "Findings", [Paragraph(f"No problem found.{checked}")])
    counts = Counter(finding.severity for finding in content.findings)
    severities = ", ".join(f"{severity} {counts[severity]}" for severity in SEVERITIES if counts[severity])
    cards = [
        _card(finding, finding is not cause, content.level)
        for cause, symptoms in nested(content.findings)
        for finding in (cause, *symptoms)
    ]
    has_command = any(finding.fix.command and not finding.step for finding in content.findings)
    start = f" {START}" if has_command else ""
    return Section(20, "Findings", [Paragraph(f"By severity: {severities}.{checked}{start}"), *cards])


def _card(finding: Finding, is_nested: bool, level: float) -> Card:
    evidence = [(one.name, numbers.free(one.value), one.unit) for one in finding.evidence]
    if finding.interval:
        evidence.append((numbers.ci(level), numbers.interval(*finding.interval, numbers.free), ""))
    blocks: list[Block] = [Paragraph(finding.sentence, tone="lead")]
    blocks += [Facts(evidence)] if evidence else []
    blocks += [Paragraph(one.sentence, one.system, "text") for one in finding.also]
    blocks.append(Paragraph(finding.cause, "Cause", "text"))
    if finding.step:
        blocks.append(Paragraph(f"step {finding.step} of the fix plan", "Fix", "text"))
    elif finding.fix.command:
        blocks.append(Command(finding.fix.command, "Command that fixes it"))
    blocks += [by_hand(finding.fix)] if finding.fix.action and not finding.step else []
    blocks += [Paragraph(", ".join(finding.explains), "Explains")] if finding.explains else []
    blocks.append(Paragraph(finding.reference, "Reference"))
    return Card(finding.code, f"about {', '.join(finding.systems)}", blocks, finding.severity, is_nested)
