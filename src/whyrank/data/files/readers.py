"""Rows as they were read, not yet judged, and one reader per file format: path -> rows.

A broken line becomes a row with a fault, counted where it stands.
"""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from whyrank.core.errors import UserError

Content = TypeVar("Content")
SPLITS = ("train", "dev", "test")
# The hub says "validation" where BEIR says "dev".
SPLIT_NAMES = {"train": "train", "dev": "dev", "validation": "dev", "test": "test"}


@dataclass(frozen=True)
class Row:
    """One record: its 1-based line (row number in Parquet and on the hub), its cells, or why it has none."""

    line: int
    cells: dict[str, Any] = field(default_factory=dict)
    fault: str | None = None
    shown: str = ""


@dataclass(frozen=True)
class RawTable:
    """`file` is the name to show to the user, relative to the source."""

    file: str
    rows: list[Row]


@dataclass(frozen=True)
class RawSource:
    """`qrels` is keyed by split; its one key is `all` when there is one file, which is then ours to split."""

    corpus: RawTable
    queries: RawTable
    qrels: dict[str, RawTable]


def name_splits(found: dict[str, Content], place: str) -> dict[str, Content]:
    """Key qrels by split: `all` when there is one, else train, dev, test in this order, `train` among them."""
    if len(found) == 1:
        return {"all": next(iter(found.values()))}
    unknown = sorted(set(found) - set(SPLIT_NAMES))
    if unknown:
        raise UserError(f"{place}: '{unknown[0]}' is no split; keep one file, or files named train, dev and test")
    named = {SPLIT_NAMES[name]: value for name, value in found.items()}
    if len(named) < len(found) or "train" not in named:
        raise UserError(f"{place}: found {', '.join(sorted(found))}; keep one train, at most one dev and one test")
    return {split: named[split] for split in SPLITS if split in named}


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Non-blank lines as bytes, so that a broken byte spoils its own line only."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if line.strip():
                yield number, line.rstrip(b"\r\n")


def _undecodable(number: int, raw: bytes) -> Row:
    return Row(number, fault="invalid UTF-8", shown=raw.decode("utf-8", "backslashreplace"))


def read_jsonl(path: Path) -> Iterator[Row]:
    for number, raw in _lines(path):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError:
            yield _undecodable(number, raw)
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if isinstance(values, dict):
            yield Row(number, values)
        else:
            yield Row(number, fault="not a JSON object", shown=line)


def read_tsv(path: Path, columns: list[str] | None = None) -> Iterator[Row]:
    """Tab separated, one record a line, no quoting (a quote is an ordinary character of a text).

    columns   names of the first fields of a file without a header; fields after them are left out
    """
    header = columns
    for number, raw in _lines(path):
        try:
            cells = raw.decode("utf-8").split("\t")
        except UnicodeDecodeError:
            yield _undecodable(number, raw)
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
        else:
            yield _record(number, header, cells[: len(columns)] if columns else cells, "\t".join(cells))


def read_csv(path: Path) -> Iterator[Row]:
    """Comma separated with RFC 4180 quoting; a record that spans lines stands at its first line."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        # surrogateescape keeps a broken byte in its cell, so that it spoils its own record only.
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file)
            header = [cell.strip() for cell in next(reader, [])]
            start = reader.line_num + 1
            for cells in reader:
                if cells:
                    raw = ",".join(cells).encode("utf-8", "surrogateescape")
                    try:
                        yield _record(start, header, cells, raw.decode("utf-8"))
                    except UnicodeDecodeError:
                        yield _undecodable(start, raw)
                start = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)


def _record(number: int, header: list[str], cells: list[str], shown: str) -> Row:
    if len(cells) != len(header):
        return Row(number, fault="wrong column count", shown=shown)
    return Row(number, dict(zip(header, cells, strict=True)))


def read_parquet(path: Path) -> Iterator[Row]:
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} is not a readable Parquet file ({error}); write it again") from error
    for start in range(0, table.num_rows, 1024):
        yield from _arrow_rows(table.slice(start, 1024), start + 1)


def _arrow_rows(table: pa.Table, first: int) -> Iterator[Row]:
    try:
        for number, values in enumerate(table.to_pylist(), start=first):
            yield Row(number, values)
    except UnicodeDecodeError as error:
        if table.num_rows == 1:
            yield _undecodable(first, error.object)
        else:
            for offset in range(table.num_rows):
                yield from _arrow_rows(table.slice(offset, 1), first + offset)


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": read_jsonl,
    ".tsv": read_tsv,
    ".csv": read_csv,
    ".parquet": read_parquet,
}
