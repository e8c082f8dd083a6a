"""A table of queries with their answers, and one of answers, as a set in BEIR layout."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.core.options.files import Files
from whyrank.data.files.cells import CellError, listed, printable, read_id, read_text, read_title
from whyrank.data.files.readers import RawTable, Row, read_rows
from whyrank.data.ranking.judgements import Ids
from whyrank.data.ranking.rejected import Placed

IDS, TEXTS, TITLE = ("_id", "id"), ("text", "answer", "body", "content"), "title"
# A fault is a line; a file in another encoding would give thousands.
SHOWN = 5
REMEDIES = {
    "empty text": "fill it",
    "missing id": "fill it",
    "no answer": "add the answer, or correct the id",
    "another text has the id": "give each its own, or remove one",
    "a tab or a line break is part of the id": "remove it",
    "wrong column count": "put cells that hold the separator in quotation marks",
}


class Columns(NamedTuple):
    """query, answer, kind, id   of the table of queries: text, id of its answer, type, own id; "" for none
    answers_id, answers_text   of the table of answers; "": found by their names
    """

    query: str
    answer: str
    kind: str = ""
    id: str = ""
    answers_id: str = ""
    answers_text: str = ""


class Written(NamedTuple):
    answers: int
    queries: int
    judgements: int
    skipped: int


@dataclass
class Faults:
    """Rows that cannot be taken, each as one line."""

    lines: list[str] = field(default_factory=list)

    def add(self, file: Path, line: int, column: str, reason: str, value: Any) -> None:
        at = f", column {column}" if column else ""
        shown = f": '{printable(value)[:60]}'" if value not in (None, "") else ""
        remedy = REMEDIES.get(reason.split(" in ")[0] if reason.startswith("no answer") else reason, "correct it")
        self.lines.append(f"{file} line {line}{at}: {reason}{shown}; {remedy}")


def convert(queries: Path, answers: Path, columns: Columns, how: Files, target: Path, *, skip: bool) -> Written:
    """Write corpus.jsonl, queries.jsonl and qrels/train.tsv into a new folder `target`.

    skip   leave out rows with a fault, and say how many, in place of refusing the tables
    Raises UserError for what `read_rows` refuses, for a missing column, and with a line for each row with a fault.
    """
    if target.exists() and any(target.iterdir()):
        raise UserError(f"{target} is there already, and stays as it is; move it, or rename {queries.name}")
    faults = Faults()
    known = _answers(answers, columns, how, faults)
    texts, judged = _queries(queries, answers, columns, how, known, faults)
    if faults.lines and not skip:
        more = len(faults.lines) - SHOWN
        rest = [f"and {more} more rows with a fault"] if more > 0 else []
        raise UserError(*faults.lines[:SHOWN], *rest, "correct them, or leave such rows out with --skip-bad-rows")
    if not known or not texts:
        raise UserError(*faults.lines[:SHOWN], f"{queries if known else answers}: no row is left; correct the rows")
    with io.replacing_folder(target) as folder:
        io.write_text(folder / "corpus.jsonl", _lines(known))
        io.write_text(folder / "queries.jsonl", _lines(texts))
        rows = "".join(f"{query}\t{answer}\t1\n" for query, answer in judged)
        io.write_text(folder / "qrels/train.tsv", f"query-id\tcorpus-id\tscore\n{rows}")
    return Written(len(known), len(texts), len(judged), len(faults.lines))


def _answers(file: Path, columns: Columns, how: Files, faults: Faults) -> dict[str, dict[str, Any]]:
    """Documents by their id."""
    rows = read_rows(file, how)
    names = _names(rows)
    key = _column(file, names, columns.answers_id, (columns.answer, *IDS), "--answers-id")
    text = _column(file, names, columns.answers_text, TEXTS, "--answers-text")
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        try:
            _readable(row)
            name, body = _id(row.cells, key), read_text(row.cells, text)
            document = {"title": read_title(row.cells, TITLE), "text": body}
            if found.setdefault(name, document) != document:
                raise CellError(key, "another text has the id", name)
        except CellError as fault:
            faults.add(file, row.line, fault.column, fault.reason, fault.value)
    return found


def _queries(
    file: Path, answers: Path, columns: Columns, how: Files, known: Mapping[str, Any], faults: Faults
) -> tuple[dict[str, dict[str, Any]], list[tuple[str, str]]]:
    """Queries by their id, and pairs of a query and an answer; a query in several rows has several answers."""
    rows = read_rows(file, how)
    names = _names(rows)
    _column(file, names, columns.query, (), "--query")
    _column(file, names, columns.answer, (), "--answer")
    for given, flag in ((columns.kind, "--type"), (columns.id, "--id")):
        if given:
            _column(file, names, given, (), flag)
    placed: list[Placed] = [(0, {"answer_id": name}) for name in known]
    ids = Ids.of(RawTable(str(answers), []), placed, "answer_id")
    found: dict[str, dict[str, Any]] = {}
    judged: dict[tuple[str, str], None] = {}
    for row in rows:
        try:
            _readable(row)
            text, wanted = read_text(row.cells, columns.query), read_id(row.cells, columns.answer)
            answer = ids.find(wanted)
            if answer is None:
                raise CellError(columns.answer, f"no answer in {answers} has the id", wanted)
            name = _id(row.cells, columns.id) if columns.id else f"q{row.line}"
            kind = read_title(row.cells, columns.kind) if columns.kind else ""
            query = {"text": text, **({"metadata": {"type": kind}} if kind else {})}
            if found.setdefault(name, query) != query:
                raise CellError(columns.id, "another text has the id", name)
            judged[name, answer] = None
        except CellError as fault:
            faults.add(file, row.line, fault.column, fault.reason, fault.value)
    return found, list(judged)


def _readable(row: Row) -> None:
    if row.fault:
        raise CellError("", row.fault, row.shown)


def _id(cells: Mapping[str, Any], column: str) -> str:
    name = read_id(cells, column)
    if any(sign in name for sign in "\t\r\n"):
        raise CellError(column, "a tab or a line break is part of the id", name)
    return name


def _names(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.cells))


def _column(file: Path, names: list[str], given: str, usual: tuple[str, ...], flag: str) -> str:
    """The column that is given, or the first of the usual ones. Raises UserError where the table has none of them."""
    wanted = [given] if given else list(dict.fromkeys(usual))
    there = next((name for name in wanted if name in names), "")
    if not there:
        what = " or ".join(f"'{name}'" for name in wanted)
        raise UserError(f"{file}: no column {what} (it has {listed(names)}); name the right one with {flag}")
    return there


def _lines(rows: Mapping[str, Mapping[str, Any]]) -> str:
    return "".join(f"{json.dumps({'_id': name, **row}, ensure_ascii=False)}\n" for name, row in rows.items())
