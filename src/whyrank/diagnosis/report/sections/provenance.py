"""What the run was made with."""

from collections.abc import Iterator, Mapping
from typing import Any

from whyrank.diagnosis.report.blocks import Details, Facts, Section
from whyrank.diagnosis.report.content import Content


def section(content: Content) -> Section:
    """Each mapping under its name, with dotted keys; single values come first, under `run`."""
    single = {key: value for key, value in content.provenance.items() if not isinstance(value, Mapping)}
    parts = ({"run": single} if single else {}) | {
        key: value for key, value in content.provenance.items() if isinstance(value, Mapping)
    }
    return Section(110, "Provenance", [Details(name, [Facts(list(_flat(values)))]) for name, values in parts.items()])


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value), ""
