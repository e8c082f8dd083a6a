"""What the run was made with."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from whyrank.diagnosis.report.blocks import Block, Details, Facts, Paragraph, Section
from whyrank.diagnosis.report.content import Content


def section(content: Content) -> Section:
    """Each mapping under its name, with dotted keys; single values come first, under `run`."""
    single = {key: value for key, value in content.provenance.items() if not isinstance(value, Mapping)}
    parts = ({"run": single} if single else {}) | {
        key: value for key, value in content.provenance.items() if isinstance(value, Mapping)
    }
    folded = [Details(name, [Facts(list(_flat(values)))]) for name, values in parts.items()]
    return Section(110, "Parameters and versions", [*_changed(content.origin.settings), *folded])


def _changed(settings: Sequence[str]) -> Iterator[Block]:
    """What is not as in the committed params.yaml, which holds the defaults."""
    if not settings:
        yield Paragraph("No parameter differs from the committed params.yaml.")
        return
    yield Paragraph("These parameters differ from the committed params.yaml:")
    changed = (setting.partition("=") for setting in settings)
    yield Facts([(name.lstrip("+"), value or "taken away", "") for name, _, value in changed])


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value), ""
