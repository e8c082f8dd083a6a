"""Malformed raw files, by what is wrong: of any file in any format, of rows, of whole sets, of pairs and of ratings.

What is said of a whole file is a pattern of the one line that ends the run; what is said of a row is the reason that it
is counted under.
"""

import bz2
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

Make = Callable[[Path], object]
COLUMNS = {
    "corpus": ["_id", "title", "text"],
    "queries": ["_id", "text"],
    "qrels/train": ["query-id", "corpus-id", "score"],
}
ROWS = {
    "corpus": [[f"a{i}", f"Title {i}", f"press button {i}"] for i in range(6)],
    "queries": [[f"q{i}", f"how do i start {i}?"] for i in range(30)],
    "qrels/train": [[f"q{i}", f"a{i % 6}", "1"] for i in range(30)],
}
SEPARATOR = {".csv": ",", ".tsv": "\t"}


def content(stem: str, kind: str, rows: list[list[str]] | None = None, columns: list[str] | None = None) -> bytes:
    """A sound file of a part of the set, or one with other rows or columns."""
    rows, columns = ROWS[stem] if rows is None else rows, columns or COLUMNS[stem]
    if kind == ".jsonl":
        return "".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows).encode()
    return "".join(f"{SEPARATOR[kind].join(row)}\n" for row in [columns, *rows]).encode()


def bytes_of(make: Callable[[bytes], bytes]) -> Callable[[str, str], Make]:
    return lambda stem, kind: lambda path: path.write_bytes(make(content(stem, kind)))


def linked(target: str) -> Callable[[str, str], Make]:
    return lambda stem, kind: lambda path: path.symlink_to(path.name if target == "itself" else target)


def without(column: int) -> Callable[[str, str], Make]:
    def make(stem: str, kind: str) -> Make:
        rows = [[cell for place, cell in enumerate(row) if place != column] for row in ROWS[stem]]
        columns = [name for place, name in enumerate(COLUMNS[stem]) if place != column]
        return lambda path: path.write_bytes(content(stem, kind, rows, columns))

    return make


# By what is wrong with the file: how to make it, of a part in a format, and what is said.
WHOLE: dict[str, tuple[Callable[[str, str], Make], str]] = {
    "empty": (bytes_of(lambda _: b""), "is empty; it needs at least one row"),
    "blank lines": (bytes_of(lambda _: b"\n \r\n\n"), "is empty"),
    "only a mark": (bytes_of(lambda _: b"\xef\xbb\xbf"), "is empty"),
    "a folder": (lambda stem, kind: Path.mkdir, "is a folder; fix the path"),
    "a link to nowhere": (linked("nowhere"), "is a link that leads nowhere"),
    "a link to itself": (linked("itself"), "is a link that leads nowhere"),
    "zero bytes": (bytes_of(lambda text: b"\0" * len(text)), "is no text: .* bytes are zero"),
    "half of it zero bytes": (bytes_of(lambda text: text[: len(text) // 2] + b"\0" * len(text)), "is no text"),
    "a workbook": (bytes_of(lambda _: b"PK\x03\x04\x14\0\x06\0"), "is a ZIP archive or an Excel workbook; save"),
    "a web page": (bytes_of(lambda _: b"<!doctype HTML><html>Sign in</html>"), "is a web page, .*download it again"),
    "a pointer of Git LFS": (bytes_of(lambda _: b"version https://git-lfs.github.com/spec/v1\n"), "run `git lfs pull`"),
    "Parquet": (bytes_of(lambda _: b"PAR1\x15\x04\x15"), "is Parquet; give its name the ending"),
    "a PDF": (bytes_of(lambda _: b"%PDF-1.7\n%\xe2\xe3\n"), "is a PDF"),
    "torn gzip": (bytes_of(lambda text: gzip.compress(text, mtime=0)[:-9]), "is torn or damaged"),
    "torn bzip2": (bytes_of(lambda text: bz2.compress(text)[:-9]), "is torn or damaged"),
    "torn xz": (bytes_of(lambda text: lzma.compress(text)[:-9]), "is torn or damaged"),
    "torn UTF-16": (bytes_of(lambda text: text.decode().encode("utf-16")[:-1]), "is torn or damaged"),
    "random bytes": (
        bytes_of(lambda _: bytes(range(128, 256)) * 4 + b"\n" + bytes(range(255, 127, -1))),
        "valid|empty|column",
    ),
    "no first column": (without(0), "no column '(_id|query-id)'"),
}
# Parts of the set as CSV, with letters outside of ASCII.
ACCENTED = {
    stem: content(stem, ".csv").decode().replace("start", "stärt").replace("press", "préss")
    for stem in ("corpus", "queries")
}
# Of files with separators alone.
TABLES: dict[str, tuple[Callable[[str, str], Make], str]] = {
    "only a header": (lambda stem, kind: lambda path: path.write_bytes(content(stem, kind, [])), "is empty"),
    "a column twice": (
        lambda stem, kind: (
            lambda path: path.write_bytes(
                content(stem, kind, [[*row, "x"] for row in ROWS[stem]], [*COLUMNS[stem], COLUMNS[stem][1]])
            )
        ),
        "stands twice, as columns 2 and",
    ),
    "a column three times": (
        lambda stem, kind: (
            lambda path: path.write_bytes(
                content(stem, kind, [[*row, "x", "y"] for row in ROWS[stem]], [*COLUMNS[stem], *COLUMNS[stem][1:2] * 2])
            )
        ),
        "stands twice, as columns 2 and",
    ),
    "no header": (
        lambda stem, kind: lambda path: path.write_bytes(content(stem, kind).split(b"\n", 1)[1]),
        "no column .*if the first line is a header at all",
    ),
    "separated by spaces": (
        lambda stem, kind: lambda path: path.write_bytes(content(stem, kind).replace(SEPARATOR[kind].encode(), b" ")),
        "no column",
    ),
}
JSON: dict[str, tuple[bytes, str]] = {
    "a list": (b'[{"_id": "1"}, {"_id": "2"}]', "is one JSON document, and not a JSON object a line"),
    "indented": (json.dumps([{"_id": "1"}], indent=1).encode(), "is one JSON document"),
    "one indented object": (b'{\n"_id": "1"\n}', "is one JSON document"),
    "Python": (b"{'_id': '1'}\n{'_id': '2'}\n", "no valid row; the first, line 1, not a JSON object"),
    "numbers": (b"1\n2\n", "no valid row; the first, line 1, not a JSON object: '1'"),
    "texts": (b'"a"\n"b"\n', "no valid row"),
    "nested too deep": (b"[" * 100_000 + b"\n", "no valid row; the first, line 1, not a JSON object"),
    "other keys": (b'{"id": "1", "body": "x"}\n', "no column '.*' .found id, body"),
}


def parquet(**columns: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


SOUND = parquet(_id=["a0", "a1"], text=["x", "y"])
PARQUET: dict[str, tuple[bytes, str]] = {
    "text": (b"not at all", "is not a readable Parquet file"),
    "empty file": (b"", "is not a readable Parquet file"),
    "torn": (SOUND[: len(SOUND) // 2], "is not a readable Parquet file"),
    "without its end": (SOUND[:-8], "is not a readable Parquet file"),
    "without rows": (parquet(_id=pa.array([], pa.string()), text=pa.array([], pa.string())), "is empty"),
    "without columns": (parquet(), "is empty"),
    "other columns": (parquet(id=["a0"], body=["x"]), "no column '_id'"),
    "texts that are numbers": (
        parquet(_id=["a0"], text=[1.5]),
        "no valid row; the first, line 1, column text, not text",
    ),
    "texts that are lists": (parquet(_id=["a0"], text=[["x"]]), "no valid row.* column text, not text"),
    "texts that are bytes": (parquet(_id=["a0"], text=[b"x"]), "no valid row.* column text, not text"),
    "ids that are dates": (parquet(_id=pa.array([0], pa.date32()), text=["x"]), "no valid row.* column _id, not text"),
    "ids that are missing": (parquet(_id=pa.array([None], pa.string()), text=["x"]), "no valid row.* missing id"),
}
# A row more in queries, and the reason that it is rejected for; `None`: it takes all others with it, and this is said.
QUERY_ROWS: dict[str, tuple[str, str]] = {
    "torn": ('{"_id": "x", "text": "how', "not a JSON object"),
    "a list": ("[1, 2]", "not a JSON object"),
    "null": ("null", "not a JSON object"),
    "two objects": ('{"_id": "x", "text": "t"}{"_id": "y", "text": "t"}', "not a JSON object"),
    "comma behind": ('{"_id": "x", "text": "t"},', "not a JSON object"),
    "a raw tab": ('{"_id": "x", "text": "a\tb"}', "not a JSON object"),
    "a key twice": ('{"_id": "x", "text": "t", "text": "u"}', "key 'text' stands twice"),
    "no id": ('{"text": "t"}', "missing id"),
    "id null": ('{"_id": null, "text": "t"}', "missing id"),
    "id NaN": ('{"_id": NaN, "text": "t"}', "missing id"),
    "id empty": ('{"_id": " ", "text": "t"}', "missing id"),
    "id true": ('{"_id": true, "text": "t"}', "not text"),
    "id a list": ('{"_id": ["x"], "text": "t"}', "not text"),
    "id an object": ('{"_id": {"$oid": "x"}, "text": "t"}', "not text"),
    "id broken number": ('{"_id": 1.5, "text": "t"}', "not text"),
    "id twice": ('{"_id": "q0", "text": "another"}', "duplicate id"),
    "row twice": ('{"_id": "q0", "text": "how do i start 0?"}', "duplicate row"),
    "no text": ('{"_id": "x"}', "empty text"),
    "text null": ('{"_id": "x", "text": null}', "empty text"),
    "text NaN": ('{"_id": "x", "text": NaN}', "empty text"),
    "text empty": ('{"_id": "x", "text": ""}', "empty text"),
    "text of spaces": ('{"_id": "x", "text": " \\u00a0\\u200b\\n"}', "empty text"),
    "text of controls": ('{"_id": "x", "text": "\\u0000\\u0001"}', "empty text"),
    "text a number": ('{"_id": "x", "text": 7}', "not text"),
    "text a list": ('{"_id": "x", "text": ["a", "b"]}', "not text"),
    "text an object": ('{"_id": "x", "text": {"en": "a"}}', "not text"),
    "half a surrogate": ('{"_id": "x", "text": "\\ud83d"}', "lone surrogate"),
    "metadata broken": ('{"_id": "x", "text": "t", "metadata": "{"}', "not JSON"),
    "metadata a list": ('{"_id": "x", "text": "t", "metadata": [1]}', "not a JSON object"),
}
# The same of judgements.
QRELS_ROWS: dict[str, tuple[str, str]] = {
    "unknown query": ("q99\ta0\t1", "unknown query"),
    "unknown answer": ("q0\ta99\t1", "unknown answer"),
    "ids exchanged": ("a0\tq0\t1", "unknown query"),
    "no query": ("\ta0\t1", "missing id"),
    "no answer": ("q0\t\t1", "missing id"),
    "no score": ("q0\ta1\t", "not a finite number"),
    "score a word": ("q0\ta1\thigh", "not a finite number"),
    "score NaN": ("q0\ta1\tnan", "not a finite number"),
    "score infinite": ("q0\ta1\t-inf", "not a finite number"),
    "score with a comma": (
        "q0\ta1\t0,5",
        "numbers with a decimal comma; read them with -S 'prepare.files.numbers=[comma]'",
    ),
    "score in percent": ("q0\ta1\t50%", "percentages; read them with -S 'prepare.files.numbers=[percent]'"),
    "two cells": ("q0\ta1", "wrong column count"),
    "four cells": ("q0\t0\ta1\t1", "wrong column count"),
    "one cell": ("q0 a1 1", "wrong column count"),
    "judged twice": ("q0\ta0\t1", "duplicate row"),
    "judged otherwise": ("q0\ta0\t2", "duplicate id"),
    "undecodable": ("q0\ta1\udcff\t1", "cannot be decoded"),
}
RATED_COLUMNS = ["qa_id", "question_title", "question_body", "answer", "helpful"]
RATED_ROWS = [[f"r{i}", f"Title {i // 2}", f"body {i // 2}", f"answer {i}", f"{i % 5 / 4}"] for i in range(24)]


def rated(place: int | None = None, cell: str = "", column: int = 4, columns: list[str] | None = None) -> bytes:
    """Rated rows as CSV, with another cell in one row, or in all rows."""
    rows = [[*row] for row in RATED_ROWS]
    for number, row in enumerate(rows):
        if number == place or place == -1:
            row[column] = cell
    return pd.DataFrame(rows, columns=columns or RATED_COLUMNS).to_csv(index=False).encode()


RATINGS: dict[str, tuple[bytes, str]] = {
    "no rating": (rated(3), "line 5, column 'helpful': '' is no number; give"),
    "a word": (rated(3, "good"), "line 5, column 'helpful': 'good' is no number"),
    "NaN": (rated(3, "nan"), "line 5, column 'helpful': 'nan' is no number"),
    "infinite": (rated(3, "inf"), "line 5, column 'helpful': 'inf' is no number"),
    "n/a": (rated(3, "n/a"), "line 5, column 'helpful': 'n/a' is no number"),
    "a comma": (rated(3, "0,5"), "line 5, column 'helpful': '0,5' is one of numbers with a decimal comma; read them"),
    "a percentage": (rated(3, "50 %"), "'50 %' is one of percentages; read them with"),
    "a fraction": (rated(3, "4/5"), "'4/5' is one of fractions; read them with"),
    "stars": (rated(3, "4 stars"), "is one of numbers with something else beside them; write plain numbers"),
    "commas alone": (
        rated(-1, "0,5"),
        "no target is left: 'helpful' holds numbers with a decimal comma, such as '0,5'; read",
    ),
    "words alone": (rated(-1, "good"), "no target is left: 'helpful' holds the text 'good' alone"),
    "empty alone": (rated(-1, ""), "no target is left: 'helpful' is empty"),
    "no id": (rated(3, "", 0), "line 5, column 'qa_id': '' is refused: missing id"),
    "id twice": (rated(3, "r0", 0), "line 5: id 'r0' stands in another row too"),
    "no group": (rated(3, " ", 1), "line 5, column 'question_title': .* missing group"),
    "one group": (rated(-1, "One", 1), "`prepare.ratings.folds` is 5, but the rows have 1 groups"),
    "no group column": (rated(columns=["qa_id", "title", *RATED_COLUMNS[2:]]), "no column 'question_title'"),
    "no id column": (rated(columns=["id", *RATED_COLUMNS[1:]]), "no column 'qa_id'"),
    "no target": (rated(columns=[*RATED_COLUMNS[:4], "answer2"]), ""),
    "a column twice": (rated(columns=[*RATED_COLUMNS[:4], "answer"]), "column 'answer' stands twice"),
    "a name of ours": (
        rated(columns=[*RATED_COLUMNS[:4], "fold"]),
        "target 'fold' has a name that the prepared table needs",
    ),
    "a cell too many": (
        rated() + b"r99,T,b,a,0.5,x\n",
        "line 26: wrong column count: 'r99,T,b,a,0.5,x'; fix or remove it",
    ),
    "a cell too few": (rated() + b"r99,T,b,a\n", "line 26: wrong column count"),
    "a mark never closed": (rated() + b'r99,T,"b,a,0.5\n', "a quotation mark opened in line 26 is never closed"),
    "a damaged byte": (rated() + b"r99,T,b,a \xff\xfe,0.5\n", "line 26: cannot be decoded: 'r99,T,b,a"),
    "only a header": (rated().split(b"\n")[0] + b"\n", "is empty"),
    "zero bytes": (b"\0" * 900, "is no text"),
    "half a surrogate": (rated() + b"r99,T,b,a \xed\xa0\xbd,0.5\n", "line 26: cannot be decoded"),
}
PAIR_HEADER = "sentence1,sentence2,score\n"
SCORED = PAIR_HEADER + "".join(f"a {i},b {i},{i % 6}\n" for i in range(24))
# Of pairs with scores: what is said, or the reason of the one rejected row.
PAIRS: dict[str, tuple[str | bytes, str]] = {
    "no texts": (SCORED + ",b,1\n", "=empty text"),
    "text of spaces": (SCORED + 'a," ",1\n', "=empty text"),
    "score a word": (SCORED + "a,b,high\n", "=not a finite number"),
    "score NaN": (SCORED + "a,b,nan\n", "=not a finite number"),
    "score with a comma": (
        SCORED + 'a,b,"4,5"\n',
        "=numbers with a decimal comma; read them with -S 'prepare.files.numbers=[comma]'",
    ),
    "score a fraction": (SCORED + "a,b,4/5\n", "=fractions; read them with -S 'prepare.files.numbers=[fraction]'"),
    "a cell too many": (SCORED + "a,b,1,x\n", "=wrong column count"),
    "a cell too few": (SCORED + "a,b\n", "=wrong column count"),
    "damaged": (SCORED.encode() + b"a \xff\xfe,b,1\n", "=cannot be decoded"),
    "above the range": (SCORED + "a,b,9\n", "line 26, column score: score 9 is outside the range"),
    "below the range": (SCORED + "a,b,-1\n", "line 26, column score: score -1 is outside"),
    "a mark never closed": (SCORED + '"a,b,1\n', "a quotation mark opened in line 26 is never closed"),
    "a mark closed far below": (
        PAIR_HEADER + 'a,"b,1\n' + "c,d,1\n" * 120 + 'e,f",1\n',
        "a quotation mark opened in line 2 is never closed before line 123 .the lines between are rows",
    ),
    "a mark within": (
        SCORED + 'a,"b" c,1\n',
        "line 26: a quotation mark opens a cell, and the next one does not end it",
    ),
    "other columns": ("left,right,score\na,b,1\n", "no known columns of sentence pairs .found left, right, score"),
    "no score column": ("sentence1,sentence2\na,b\n", "no known columns"),
    "classes": ("sentence1,sentence2,label\na,b,yes\n", "column label holds classes, not scores"),
    "a column twice": ("sentence1,sentence2,score,score\na,b,1,2\n", "column 'score' stands twice"),
    "no row": (PAIR_HEADER, "is empty"),
    "empty": ("", "is empty"),
    "scores missing": (PAIR_HEADER + "a,b,\n" * 9, "no sound pair in pairs.csv .9 without a label"),
    "scores all with commas": (PAIR_HEADER + 'a,b,"4,5"\n' * 9, "no sound pair .*decimal comma; read them with"),
    "a workbook": (b"PK\x03\x04rest", "is a ZIP archive or an Excel workbook"),
    "Windows-1252": ((SCORED + "café,thé,1\n" * 4).encode("cp1252"), "not UTF-8, as 4 of 4 .*encoding=cp1252"),
    "UTF-16 torn": (SCORED.encode("utf-16")[:-1], "is torn or damaged"),
}
