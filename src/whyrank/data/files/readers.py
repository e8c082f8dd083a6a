"""Rows as they were read, not yet judged, and one reader per file format: path -> rows.

A broken line becomes a row with a fault, counted where it stands.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from whyrank.core.errors import UserError
from whyrank.core.options.files import Files
from whyrank.data.files.delimited import read_records
from whyrank.data.files.lines import COMPRESSED, lines, undecodable

Content = TypeVar("Content")
PLAIN = Files(encoding="auto", quoting="auto", numbers=[])
INVALID = "cannot be decoded"
SHOWN = 500
_JSON_ID = re.compile(r'"_id"\s*:\s*(?:"((?:[^"\\]|\\.)+)"|(-?\d+))')
SPLITS = ("train", "dev", "test")
# The hub says "validation" where BEIR says "dev".
SPLIT_NAMES = {"train": "train", "dev": "dev", "val": "dev", "valid": "dev", "validation": "dev", "test": "test"}


@dataclass(frozen=True)
class Row:
    """One record: its 1-based line (row number in Parquet and on the hub) and its cells.

    fault   why it cannot be read; then `cells` are those that could be, and `shown` is the line or its beginning
    """

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
    """qrels    keyed by split; its one key is `all` when there is one file, which is then ours to split
    unread   names of files beside them that nothing reads
    """

    corpus: RawTable
    queries: RawTable
    qrels: dict[str, RawTable]
    unread: list[str] = field(default_factory=list)


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


class _RepeatedKeyError(ValueError):
    """JSON takes the last of several equal keys, and says nothing of the others."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RepeatedKeyError(next(key for place, (key, _) in enumerate(pairs) if key in dict(pairs[:place])))
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def read_jsonl(path: Path, how: Files = PLAIN) -> Iterator[Row]:
    """One JSON object a line. Raises UserError for a file that is one JSON document over several lines."""
    is_first = True
    for number, text in lines(path, how.encoding):
        line = text.strip()
        if not line:
            continue
        if is_first and (line in ("[", "{", "[{") or (line.startswith("[{") and line.endswith("}]"))):
            raise UserError(
                f"{path} is one JSON document, and not a JSON object a line; write it so, as "
                "`jq -c '.[]'` or pandas' `to_json(orient='records', lines=True)` do"
            )
        is_first = False
        yield _broken(number, line, _id_in(line) if not line.isascii() else {}) or _parsed(number, line)


def _parsed(number: int, line: str) -> Row:
    try:
        values = _DECODER.decode(line)
    except _RepeatedKeyError as error:
        return Row(number, _id_in(line), f"key '{error}' stands twice", line[:SHOWN])
    except (ValueError, RecursionError):
        values = None
    if isinstance(values, dict):
        return Row(number, values)
    return Row(number, _id_in(line), "not a JSON object", line[:SHOWN])


def _id_in(line: str) -> dict[str, str]:
    """The id of a line of JSON that cannot be read, so that what points to it is no second fault."""
    found = _JSON_ID.search(line)
    return {"_id": found[1] or found[2]} if found else {}


def _broken(number: int, line: str, cells: dict[str, str]) -> Row | None:
    shown = undecodable(line)
    return None if shown is None else Row(number, cells, INVALID, shown[:SHOWN])


def read_delimited(path: Path, how: Files = PLAIN) -> Iterator[Row]:
    """Cells between separators, the first record their names: separator and quoting are recognised, see `delimited`.

    Raises UserError for a column that stands twice, as `lines` does, and for unclosed quotation marks.
    """
    usual = "\t" if ".tsv" in path.suffixes[-2:] else ","
    separator, records = read_records(path, list(lines(path, how.encoding)), usual, how.quoting)
    header = [cell.strip() for cell in records[0].cells] if records else []
    repeated = [name for place, name in enumerate(header) if name and name in header[:place]]
    if repeated:
        first, second = [place for place, name in enumerate(header, start=1) if name == repeated[0]][:2]
        raise UserError(
            f"{path} line {records[0].line}: column '{repeated[0]}' stands twice, as columns {first} and {second}; "
            "rename or remove one"
        )
    for record in records[1:]:
        yield _record(record.line, header, record.cells, separator)


def read_fields(path: Path, columns: list[str], how: Files = PLAIN) -> Iterator[Row]:
    """Tab separated, without a header and without quoting.

    columns   names of the first fields; those after them are left out
    """
    for number, line in lines(path, how.encoding):
        if line.strip():
            yield _record(number, columns, line.split("\t")[: len(columns)], "\t")


def _record(number: int, header: list[str], cells: list[str], separator: str) -> Row:
    # Spreadsheets fill rows up with empty cells.
    kept = cells[: len(header)] if not any(cells[len(header) :]) else cells
    shown = separator.join(kept)
    values = dict(zip(header, kept, strict=False))
    if (broken := _broken(number, shown, values)) is not None:
        return broken
    if len(kept) != len(header):
        return Row(number, values, "wrong column count", shown[:SHOWN])
    return Row(number, values)


def read_parquet(path: Path, how: Files = PLAIN) -> Iterator[Row]:
    try:
        # A dataset, of one file or of a folder of them, has a schema before it is read.
        dataset = pq.ParquetDataset(path)
        names = dataset.schema.names
        if repeated := [name for place, name in enumerate(names) if name in names[:place]]:
            raise UserError(f"{path}: column '{repeated[0]}' stands twice; rename or remove one")
        table = dataset.read()
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} is not a readable Parquet file ({error}); write it again") from error
    for start in range(0, table.num_rows, 1024):
        yield from _arrow_rows(table.slice(start, 1024), start + 1)


def _arrow_rows(table: pa.Table, first: int) -> Iterator[Row]:
    try:
        for number, values in enumerate(table.to_pylist(), start=first):
            yield Row(number, values)
    except UnicodeDecodeError as error:
        if table.num_rows == 1:
            yield Row(first, fault=INVALID, shown=error.object.decode("utf-8", "backslashreplace")[:SHOWN])
        else:
            for offset in range(table.num_rows):
                yield from _arrow_rows(table.slice(offset, 1), first + offset)


READERS: dict[str, Callable[[Path, Files], Iterator[Row]]] = {
    ".jsonl": read_jsonl,
    ".tsv": read_delimited,
    ".csv": read_delimited,
    ".parquet": read_parquet,
}
FORMATS = f"{', '.join(READERS)} (text also {', '.join(COMPRESSED)})"


def name_and_format(path: Path) -> tuple[str, str]:
    """`train` and `.tsv` of `train.TSV.gz`; the format is empty where nothing reads the file."""
    name = path.name
    packed = next((ending for ending in COMPRESSED if name.lower().endswith(ending)), "")
    name = name[: len(name) - len(packed)]
    kind = next((ending for ending in READERS if name.lower().endswith(ending)), "")
    if not kind or (packed and kind == ".parquet"):
        return path.name.split(".")[0], ""
    return name[: -len(kind)], kind


def _instead(path: Path) -> str:
    if path.is_symlink() and not path.exists():
        return "is a link that leads nowhere"
    if not path.exists():
        return "does not exist"
    return "is a folder" if path.is_dir() else "is no file"


def read_rows(path: Path, how: Files = PLAIN, *, least: int = 1) -> list[Row]:
    """All rows of a file. Raises UserError for what is no file, cannot be read or has fewer rows than `least`."""
    kind = name_and_format(path)[1]
    if not kind:
        raise UserError(f"{path}: '{path.suffix}' is no format that is read; use one of {FORMATS}")
    if not path.is_file() and not (kind == ".parquet" and path.is_dir()):
        raise UserError(f"{path} {_instead(path)}; fix the path, or put the file there")
    rows = list(READERS[kind](path, how))
    if len(rows) < least:
        raise UserError(f"{path} is empty; it needs at least one row")
    return rows
