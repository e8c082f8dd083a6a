"""Rows that do not stay, with their reasons, and how many of them may be rejected."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from whyrank.core.errors import UserError
from whyrank.data.files.cells import CellError, listed, printable
from whyrank.data.files.readers import INVALID, RawTable, Row

REJECTED_COLUMNS = ["file", "line", "column", "reason", "value"]
Record = dict[str, Any]
Placed = tuple[int, Record]
_NAMED = 3
_REMEDIES = {
    INVALID: "save the file in UTF-8, or name its encoding with -S prepare.files.encoding=cp1252",
    "wrong column count": "put cells that hold the separator in quotation marks",
    "unknown answer": "add the answers to the corpus, or remove the judgements",
    "unknown query": "add the queries, or remove the judgements",
}


class ConsequenceError(CellError):
    """A row that cannot stay, though it has no fault itself."""


@dataclass(frozen=True)
class Account:
    """Of rows that do not stay: file, line, column, reason, value."""

    rejected: list[tuple[str, int, str, str, str]] = field(default_factory=list)
    left_out: list[tuple[str, int, str, str, str]] = field(default_factory=list)

    def frames(self, files: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
        order = {file: rank for rank, file in enumerate(files)}
        for rows in (self.rejected, self.left_out):
            rows.sort(key=lambda row: (order[row[0]], row[1]))
        rejected, left_out = (pd.DataFrame(rows, columns=REJECTED_COLUMNS) for rows in (self.rejected, self.left_out))
        return rejected, left_out


def valid_rows(
    table: RawTable, columns: Sequence[str], read: Callable[[Record], Record], account: Account
) -> list[Placed]:
    """The rows that `read` accepts, each with its line."""
    _require_columns(table, columns)
    valid: list[Placed] = []
    first: tuple[int, CellError] | None = None
    for row in table.rows:
        try:
            valid.append((row.line, _read(row, read)))
        except CellError as fault:
            first = first or (row.line, fault)
            rows = account.left_out if isinstance(fault, ConsequenceError) else account.rejected
            rows.append((table.file, row.line, fault.column, fault.reason, printable(fault.value)))
    if not valid and first:
        line, cause = first
        column = f", column {cause.column}" if cause.column else ""
        raise UserError(
            f"{table.file}: no valid row; the first, line {line}{column}, {cause.reason}: "
            f"'{printable(cause.value)[:60]}'; fix the rows"
        )
    return valid


def _read(row: Row, read: Callable[[Record], Record]) -> Record:
    if row.fault:
        raise CellError("", row.fault, row.shown)
    return read(row.cells)


def _require_columns(table: RawTable, columns: Sequence[str]) -> None:
    found = {column: None for row in table.rows if not row.fault for column in row.cells}
    missing = [column for column in columns if column not in found]
    if found and missing:
        header = ", if the first line is a header at all" if len(missing) == len(columns) else ""
        raise UserError(f"{table.file}: no column '{missing[0]}' (found {listed(found)}); add or rename it{header}")


def once(table: RawTable, rows: list[Placed], key: tuple[str, ...], column: str, account: Account) -> list[Placed]:
    """The first row of each key; a later one is a `duplicate row` if equal, a `duplicate id` if not."""
    first: dict[tuple[str, ...], Record] = {}
    kept: list[Placed] = []
    for line, row in rows:
        name = tuple(row[part] for part in key)
        seen = first.setdefault(name, row)
        if seen is row:
            kept.append((line, row))
        else:
            reason = "duplicate row" if seen == row else "duplicate id"
            account.rejected.append((table.file, line, column, reason, printable(" ".join(name))))
    return kept


def check_rejected(rejected: pd.DataFrame, rows_in: int, max_rejected: float, consequences: int = 0) -> None:
    """Raise one UserError when more than the share `max_rejected` of all rows was rejected.

    consequences   rows that are left out because they point to rejected ones; they do not count
    """
    if len(rejected) <= max_rejected * rows_in:
        return
    causes = [
        f"{part.iloc[0]['file']} line {part.iloc[0]['line']}"
        + (f", column {part.iloc[0]['column']}" if part.iloc[0]["column"] else "")
        + f": {reason}: '{part.iloc[0]['value'][:60]}'"
        + (f" ({len(part)} rows)" if len(part) > 1 else "")
        for (_, reason), part in sorted(
            rejected.groupby(["file", "reason"], sort=False), key=lambda found: -len(found[1])
        )
    ]
    more = f"; and {len(causes) - _NAMED} more kinds" if len(causes) > _NAMED else ""
    pointing = f"; {consequences} more rows point to them" if consequences else ""
    remedy = _REMEDIES.get(str(rejected["reason"].value_counts().index[0]), "fix the rows")
    raise UserError(
        f"{len(rejected)} of {rows_in} rows are rejected ({len(rejected) / rows_in:.2%}, at most {max_rejected:.2%}): "
        f"{'; '.join(causes[:_NAMED])}{more}{pointing}; {remedy}, or raise -S prepare.max_rejected"
    )
