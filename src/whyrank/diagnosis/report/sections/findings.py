"""What went wrong: each cause with its evidence and what to do, and its symptoms below it."""

from collections import Counter
from collections.abc import Iterator

from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Block, Card, Command, Facts, Paragraph, Section
from whyrank.diagnosis.report.content import Content
from whyrank.findings.finding import SEVERITIES, START, Finding


def section(content: Content) -> Section:
    if not content.findings:
        return Section(20, "Findings", [Paragraph("No problem found.")])
    counts = Counter(finding.severity for finding in content.findings)
    tally = ", ".join(f"{severity} {counts[severity]}" for severity in SEVERITIES if counts[severity])
    cards = [_card(finding, is_nested, content.level) for finding, is_nested in _as_tree(content.findings)]
    has_command = any(finding.fix.command for finding in content.findings)
    start = f" {START}" if has_command else ""
    return Section(20, "Findings", [Paragraph(f"By severity: {tally}.{start}"), *cards])


def _as_tree(findings: list[Finding]) -> Iterator[tuple[Finding, bool]]:
    """Each finding once, and whether it stands below one that explains it. A symptom may name its cause in turn."""
    left = list(findings)
    explained = {code for finding in findings for code in finding.explains}
    while left:
        cause = next((one for one in left if one.code not in explained), left[0])
        left.remove(cause)
        yield cause, False
        above = [cause]
        while below := [one for one in left if _is_explained(one, above)]:
            for symptom in below:
                left.remove(symptom)
                above.append(symptom)
                yield symptom, True


def _is_explained(symptom: Finding, above: list[Finding]) -> bool:
    """By one of the findings above it. Of several causes that may explain it, a symptom names the one that does."""
    is_named = "Explained by `" not in symptom.cause or any(f"`{one.code}`" in symptom.cause for one in above)
    return is_named and any(symptom.code in one.explains for one in above)


def _card(finding: Finding, is_nested: bool, level: float) -> Card:
    evidence = [(one.name, numbers.free(one.value), one.unit) for one in finding.evidence]
    if finding.interval:
        evidence.append((numbers.ci(level), numbers.interval(*finding.interval, numbers.free), ""))
    blocks: list[Block] = [Paragraph(finding.sentence, tone="lead")]
    blocks += [Facts(evidence)] if evidence else []
    blocks.append(Paragraph(finding.cause, "Cause", "text"))
    blocks += [Paragraph(finding.fix.action, "What to do", "text")] if finding.fix.action else []
    blocks += [Command(finding.fix.command, "Command that fixes it")] if finding.fix.command else []
    blocks += [Paragraph(", ".join(finding.explains), "Explains")] if finding.explains else []
    blocks.append(Paragraph(finding.reference, "Reference"))
    return Card(finding.code, f"about {finding.system}", blocks, finding.severity, is_nested)
