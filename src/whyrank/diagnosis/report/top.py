"""What stands at the very top: which run this is, how its checks ended, and what to fix first."""

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from whyrank.diagnosis.report.blocks import Count, Paragraph
from whyrank.diagnosis.report.content import Content
from whyrank.diagnosis.report.verdict import first_of
from whyrank.findings.diagnosis import STATUSES, ended

EMBEDDED = "all-MiniLM-L6-v2"


def about(content: Content) -> list[tuple[str, str]]:
    """Name and value of what is known of data set, encoder, experiment, commit and its date."""
    params, origin = content.provenance.get("params", {}), content.origin
    encoder = _last(_get(params, "encoder", "source"))
    named = {
        "Data": _last(_get(params, "prepare", "hub") or _get(params, "prepare", "source")),
        "Encoder": EMBEDDED if encoder == "embedded" else encoder,
        "Experiment": origin.experiment,
        "Commit": f"{origin.commit}{', code changed since' if origin.commit and origin.has_changed else ''}",
        "Date": origin.date,
        "Changed": f"{len(origin.settings)} {_plural('parameter', len(origin.settings))}" if origin.settings else "",
    }
    return [(name, value) for name, value in named.items() if value]


def _get(params: Mapping[str, Any], section: str, key: str) -> str:
    return str(params.get(section, {}).get(key, ""))


def _last(source: str) -> str:
    """A hub id, or the name of a folder: its path would tell of the machine."""
    is_path = source.startswith(("/", "~", ".")) or source.count("/") > 1
    return PurePath(source).name if is_path else source


def status(content: Content) -> list[Count]:
    """Findings by severity, and checks by how they ended. One entry may be about several systems."""
    severities = Counter(finding.severity for finding in content.findings)
    counts = [
        Count(severities["error"], _plural("error", severities["error"]), "error"),
        Count(severities["warning"], _plural("warning", severities["warning"]), "warning"),
    ]
    counts += [Count(severities["info"], "for information")] if severities["info"] else []
    tones = {STATUSES[1]: "passed"}
    counted = ended(content.checks)
    return counts + [Count(counted[name], name, tones.get(name, "")) for name in STATUSES[1:] if name in counted]


def _plural(word: str, n: int) -> str:
    return word if n == 1 else f"{word}s"


def cause(content: Content) -> Paragraph:
    """The sentence of what to fix first."""
    first = first_of(content.findings)
    if first is None:
        return Paragraph("No problem found.", tone="text")
    label = "Cause" if first.severity == "error" else "First warning"
    return Paragraph(f"`{first.code}` ({', '.join(first.systems)}). {first.sentence}", label, "text")
