"""Whether the keys of a pair source go together; what each of them is was checked when it was read."""

import math
from collections.abc import Iterable

from whyrank.core.errors import UserError
from whyrank.core.options.params import PairSource
from whyrank.core.options.typed import FILE


def check_sources(sources: Iterable[PairSource]) -> None:
    """Raise UserError where two sources share a name, or the keys of one do not go together."""
    names: set[str] = set()
    for source in sources:
        if not source.name or source.name in names:
            raise UserError(f"{FILE}: pair source '{source.name}': the name is empty or taken; each needs its own")
        names.add(source.name)
        _check_source(source)


def _check_source(source: PairSource) -> None:
    place = f"{FILE}: pair source '{source.name}'"
    if bool(source.path) == bool(source.hub):
        raise UserError(f"{place} has path '{source.path}' and hub '{source.hub}'; give one of the two")
    if source.max_samples < 0:
        raise UserError(f"{place}: max_samples is {source.max_samples}; it must be 0 (all) or more")
    if source.kind == "classes":
        _check_classes(source, place)
    else:
        _check_scores(source, place)


def _check_classes(source: PairSource, place: str) -> None:
    if source.range:
        raise UserError(f"{place}: range is {source.range}, but only scores have one; remove it or set `kind: scores`")
    if not source.labels:
        raise UserError(f"{place}: `labels` is missing; give each class a number from 0 to 1")
    if len(set(source.classes)) < len(source.classes):
        raise UserError(f"{place}: `classes` is {source.classes}, which names a class twice")
    for name, label in source.labels.items() if isinstance(source.labels, dict) else ():
        if not 0 <= label <= 1:
            raise UserError(f"{place}: label {label:g} of class '{name}' is outside [0, 1]; mend `labels`")


def _check_scores(source: PairSource, place: str) -> None:
    if source.labels or source.classes:
        raise UserError(f"{place} has `labels` or `classes`, which scores do not have; remove them or mend `kind`")
    sound = len(source.range) == 2 and math.isfinite(sum(source.range)) and source.range[0] < source.range[1]
    if not sound:
        raise UserError(f"{place}: range is {source.range}; give the lowest and the highest score, such as [0, 5]")
