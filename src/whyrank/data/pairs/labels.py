"""Read the label of a pair: a score by its range, a class by its name.

A class id has a name only where the file or the parameters give it one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from whyrank.core.errors import UserError
from whyrank.core.options.files import Spelling
from whyrank.core.options.params import PairSource
from whyrank.data.files.cells import CellError, is_missing, listed, read_number
from whyrank.data.files.readers import Row
from whyrank.data.pairs.sources import PairTable

_WHOLE = re.compile(r"[+-]?\d+(\.0+)?")
# SNLI's mark of a pair on which its annotators did not agree, and what id sets turn it into.
_UNLABELLED, UNLABELLED_ID = "-", -1
# A float holds every whole number up to here; no list of classes is so long.
_MOST_ID = 2**53


def class_labeller(table: PairTable, source: PairSource) -> Callable[[Row], tuple[str, float] | None]:
    """What reads class name and label of a row; see `pair_labels.labeller`.

    With `labels: raw` the label is the class id, -1 for no class among them, and the name of an id without one is the
    id itself.
    """
    ordered = _names_of_ids(table, source)
    column, labels = table.layout.label, source.labels
    if isinstance(labels, dict):
        _check_cover(labels, ordered, table, source.name)

    def read(row: Row) -> tuple[str, float] | None:
        cell = read_class(row.cells.get(column), column)
        if cell is None or (cell == UNLABELLED_ID and isinstance(labels, dict)):
            return None
        place = f"{table.label_file} line {row.line}, column {column}"
        if not isinstance(labels, dict):
            return _raw(cell, ordered, place)
        name = cell if isinstance(cell, str) else _name_of(cell, ordered, place)
        if name not in labels:
            raise UserError(f"{place}: class '{listed([name])}' is none of {listed(labels)}; fix it or `classes`")
        return name, labels[name]

    return read


def read_class(value: Any, column: str) -> int | str | None:
    """A class id (`UNLABELLED_ID` too), a class name, or None for a cell without a class.

    Raises CellError for anything else.
    """
    if is_missing(value):
        return None
    if isinstance(value, str):
        text = value.strip()
        if text in ("", _UNLABELLED):
            return None
        if not _WHOLE.fullmatch(text):
            return text
        value = float(text)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or abs(value) > _MOST_ID or not float(value).is_integer():
        raise CellError(column, "neither a class id nor a class name", value)
    return int(value)


def _names_of_ids(table: PairTable, source: PairSource) -> list[str]:
    """The file's own names or those of the parameters; both must agree, and there may be none."""
    own, stated = table.names, source.classes
    if own and stated and own != stated:
        raise UserError(
            f"{table.label_file}, column {table.layout.label}: the file's classes are {listed(own)}, but `classes` of "
            f"source '{source.name}' says {listed(stated)}; remove `classes`"
        )
    return own or stated


def _check_cover(labels: Mapping[str, float], ordered: list[str], table: PairTable, source: str) -> None:
    """Raise UserError for a class without a label and for a label without a class."""
    lines = {} if ordered else _lines_of_names(table)
    known = ordered or list(lines)
    # Ids without names are refused at the first one, which names the remedy for both.
    for name in labels if known else ():
        if name not in known:
            raise UserError(
                f"{table.label_file}, column {table.layout.label}: `labels` of source '{source}' has an entry for "
                f"'{name}', which is no class there ({listed(known)}); fix or remove the entry, or state `classes`"
            )
    for name in known:
        if name not in labels:
            line = f" line {lines[name]}" if name in lines else ""
            raise UserError(
                f"{table.label_file}{line}, column {table.layout.label}: class '{listed([name])}' has no entry in "
                f"`labels` of source '{source}' ({listed(labels)}); add it"
            )


def _lines_of_names(table: PairTable) -> dict[str, int]:
    """Class name -> the first line that has it."""
    lines: dict[str, int] = {}
    for row in table.rows:
        try:
            cell = read_class(row.cells.get(table.layout.label), table.layout.label)
        except CellError:
            continue
        if isinstance(cell, str):
            lines.setdefault(cell, row.line)
    return lines


def _name_of(number: int, ordered: list[str], place: str) -> str:
    if not ordered:
        raise UserError(f"{place}: nothing names class id {number}; state `classes`, the names of the ids in order")
    if not 0 <= number < len(ordered):
        raise UserError(f"{place}: class id {number} has no name (0 to {len(ordered) - 1} are {listed(ordered)})")
    return ordered[number]


def _raw(cell: int | str, ordered: list[str], place: str) -> tuple[str, float]:
    if isinstance(cell, str):
        if cell not in ordered:
            raise UserError(f"{place}: `labels: raw` takes class ids, and '{listed([cell])}' has none; state `classes`")
        return cell, float(ordered.index(cell))
    return (ordered[cell] if 0 <= cell < len(ordered) else str(cell)), float(cell)


# Class name ("" for a score) and label; None where the cell says that there is no label.
Labelled = tuple[str, float] | None


def labeller(table: PairTable, source: PairSource, spellings: Sequence[Spelling] = ()) -> Callable[[Row], Labelled]:
    """What reads the label of a row of `table`; scores also in the spellings.

    Raises UserError where classes and `labels` do not cover each other. What it returns raises CellError for a cell
    that is no label at all, and UserError for a class or a score that the source's parameters do not allow.
    """
    if source.kind == "classes":
        return class_labeller(table, source)
    low, high = source.range
    column = table.layout.label

    def read(row: Row) -> Labelled:
        value = row.cells.get(column)
        if is_missing(value) or (isinstance(value, str) and not value.strip()):
            return None
        score = read_number(row.cells, column, spellings)
        if not low <= score <= high:
            raise UserError(
                f"{table.label_file} line {row.line}, column {column}: score {score:g} is outside the range "
                f"[{low:g}, {high:g}] of source '{source.name}'; fix the score or `range`"
            )
        return "", (score - low) / (high - low)

    return read
