"""Raw rows -> valid rows and rejected rows: rows in = rows out + rejected, for every file."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from whyrank.core.errors import UserError
from whyrank.data.files.cells import (
    CellError,
    has_type,
    printable,
    read_id,
    read_score,
    read_sections,
    read_text,
    read_title,
    read_type,
)
from whyrank.data.files.readers import RawSource, RawTable, Row

REJECTED_COLUMNS = ["file", "line", "column", "reason", "value"]
Record = dict[str, Any]
Placed = tuple[int, Record]


@dataclass(frozen=True)
class Validated:
    """Valid rows sorted by id, so that nothing later depends on the order in the files.

    answers    answer_id, title, body, sections (list of {title, text}, or None)
    queries    query_id, declared_type ("" where the set declares none), raw_text
    qrels      query_id, answer_id, score; every query has a row with score > 0
    given      query_id -> split, or None when there is one qrels file, which is ours to split
    rejected   file, line, column, reason, value; in the order of the files and lines
    rows_in    file -> rows read, blank lines left out
    """

    answers: pd.DataFrame
    queries: pd.DataFrame
    qrels: pd.DataFrame
    given: dict[str, str] | None
    rejected: pd.DataFrame
    rows_in: dict[str, int]


def validate(raw: RawSource) -> Validated:
    """Judge every row. Raises UserError for a missing column and for a file without one valid row."""
    tables = [raw.corpus, raw.queries, *raw.qrels.values()]
    rejects: list[tuple[str, int, str, str, str]] = []
    answers = _valid(raw.corpus, ("_id", "text"), _answer, rejects)
    typed = any(has_type(row.cells) for row in raw.queries.rows)
    queries = _valid(raw.queries, ("_id", "text"), _typed_query if typed else _untyped_query, rejects)
    answers = _without_repeats(raw.corpus, answers, ("answer_id",), "_id", rejects)
    queries = _without_repeats(raw.queries, queries, ("query_id",), "_id", rejects)

    judge = _judgement({row["answer_id"] for _, row in answers}, {row["query_id"] for _, row in queries})
    judged: dict[str, list[Placed]] = {}
    for split, table in raw.qrels.items():
        rows = _valid(table, ("query-id", "corpus-id", "score"), judge, rejects)
        judged[split] = _without_repeats(table, rows, ("query_id", "answer_id"), "query-id", rejects)
    owner = _owners(judged)
    qrels = _of_owner(raw.qrels, judged, owner, rejects)
    queries = _with_relevant(raw.queries, queries, owner, rejects)

    order = {table.file: rank for rank, table in enumerate(tables)}
    rejects.sort(key=lambda reject: (order[reject[0]], reject[1]))
    return Validated(
        answers=_frame(answers, ["answer_id"]),
        queries=_frame(queries, ["query_id"]),
        qrels=_frame(qrels, ["query_id", "answer_id"]),
        given=None if "all" in raw.qrels else owner,
        rejected=pd.DataFrame(rejects, columns=REJECTED_COLUMNS),
        rows_in={table.file: len(table.rows) for table in tables},
    )


def check_rejected(rejected: pd.DataFrame, rows_in: int, max_rejected: float) -> None:
    """Raise one UserError when more than the share `max_rejected` of all rows was rejected."""
    if len(rejected) <= max_rejected * rows_in:
        return
    reason, times = next(iter(rejected["reason"].value_counts(sort=True).items()))
    first = rejected.iloc[0]
    place = f"{first['file']} line {first['line']}" + (f", column {first['column']}" if first["column"] else "")
    raise UserError(
        f"{len(rejected)} of {rows_in} rows are rejected ({len(rejected) / rows_in:.2%}, at most {max_rejected:.2%}); "
        f"most often: {reason} ({times}); first: {place}, "
        f"{first['reason']}: '{first['value'][:60]}'; fix the rows or raise -S prepare.max_rejected"
    )


def _answer(values: Record) -> Record:
    return {
        "answer_id": read_id(values, "_id"),
        "title": read_title(values, "title"),
        "body": read_text(values, "text"),
        "sections": read_sections(values),
    }


def _typed_query(values: Record) -> Record:
    return _untyped_query(values) | {"declared_type": read_type(values)}


def _untyped_query(values: Record) -> Record:
    return {"query_id": read_id(values, "_id"), "declared_type": "", "raw_text": read_text(values, "text")}


def _judgement(answers: set[str], queries: set[str]) -> Callable[[Record], Record]:
    def judgement(values: Record) -> Record:
        query, answer = read_id(values, "query-id"), read_id(values, "corpus-id")
        if query not in queries:
            raise CellError("query-id", "unknown query", query)
        if answer not in answers:
            raise CellError("corpus-id", "unknown answer", answer)
        return {"query_id": query, "answer_id": answer, "score": read_score(values, "score")}

    return judgement


def _valid(
    table: RawTable, columns: Iterable[str], read: Callable[[Record], Record], rejects: list[Any]
) -> list[Placed]:
    """The rows that `read` accepts, each with its line."""
    _require_columns(table, columns)
    valid: list[Placed] = []
    for row in table.rows:
        try:
            valid.append((row.line, _read(row, read)))
        except CellError as fault:
            rejects.append((table.file, row.line, fault.column, fault.reason, printable(fault.value)))
    if not valid:
        _, line, column, reason, value = rejects[-len(table.rows)]
        raise UserError(
            f"{table.file}: no valid row; the first, line {line}, column {column}, {reason}: '{value[:60]}'"
        )
    return valid


def _read(row: Row, read: Callable[[Record], Record]) -> Record:
    if row.fault:
        raise CellError("", row.fault, row.shown)
    return read(row.cells)


def _require_columns(table: RawTable, columns: Iterable[str]) -> None:
    found = {column: None for row in table.rows for column in row.cells}
    for column in columns:
        if found and column not in found:
            raise UserError(f"{table.file}: no column '{column}' (found {', '.join(found)}); add or rename it")


def _without_repeats(
    table: RawTable, rows: list[Placed], key: tuple[str, ...], column: str, rejects: list[Any]
) -> list[Placed]:
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
            rejects.append((table.file, line, column, reason, printable(" ".join(name))))
    return kept


def _owners(judged: dict[str, list[Placed]]) -> dict[str, str]:
    """Query -> the split it belongs to: the last in the order train, dev, test with a relevant row.

    A query in two splits stays where it is evaluated, so that held-out figures compare with other people's.
    """
    return {row["query_id"]: split for split, rows in judged.items() for _, row in rows if row["score"] > 0}


def _of_owner(
    tables: dict[str, RawTable], judged: dict[str, list[Placed]], owner: dict[str, str], rejects: list[Any]
) -> list[Placed]:
    kept: list[Placed] = []
    for split, rows in judged.items():
        for line, row in rows:
            query = row["query_id"]
            if owner.get(query) == split:
                kept.append((line, row))
            else:
                reason = f"query is in {owner[query]} too" if query in owner else "no relevant answer"
                rejects.append((tables[split].file, line, "query-id", reason, printable(query)))
    return kept


def _with_relevant(table: RawTable, queries: list[Placed], owner: dict[str, str], rejects: list[Any]) -> list[Placed]:
    kept = [(line, row) for line, row in queries if row["query_id"] in owner]
    for line, row in queries:
        if row["query_id"] not in owner:
            rejects.append((table.file, line, "_id", "no relevant answer", printable(row["query_id"])))
    if not kept:
        raise UserError(f"{table.file}: no query has a relevant answer; qrels need a score above 0")
    return kept


def _frame(rows: list[Placed], key: list[str]) -> pd.DataFrame:
    return pd.DataFrame([row for _, row in rows]).sort_values(key, ignore_index=True)
