"""Rows keep their place, and one broken line spoils one row."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from whyrank.core.errors import UserError
from whyrank.data.files.readers import (
    name_and_format,
    read_delimited,
    read_fields,
    read_jsonl,
    read_parquet,
    read_rows,
)


def test_jsonl_reports_each_broken_line_with_its_number_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"_id": "1"}\r\n\n{"_id": "\xff"}\n{"_id": \n[1]\n' + b"[" * 100_000 + b'\n{"_id": "2"}'
    )
    rows = list(read_jsonl(path))
    # Line 2 is blank and no row; line 6 nests deeper than the parser goes.
    assert [(row.line, row.fault) for row in rows] == [
        (1, None),
        (3, "cannot be decoded"),
        (4, "not a JSON object"),
        (5, "not a JSON object"),
        (6, "not a JSON object"),
        (7, None),
    ]
    assert rows[0].cells == {"_id": "1"}
    assert rows[1].shown == '{"_id": "\\xff"}'


def test_jsonl_does_not_break_a_line_at_a_unicode_line_separator(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a\u2028b\x85c"}\n', encoding="utf-8")
    assert [row.cells for row in read_jsonl(path)] == [{"text": "a\u2028b\x85c"}]


def test_fields_without_a_header_take_the_names_given_and_leave_out_those_after_them(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"1\tone\n\n2\ttwo\tmore\n3\n")
    rows = list(read_fields(path, ["_id", "text"]))
    assert [(row.line, row.fault) for row in rows] == [(1, None), (3, None), (4, "wrong column count")]
    assert rows[1].cells == {"_id": "2", "text": "two"}


def test_a_broken_row_of_cells_keeps_what_can_be_read_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeff_id,text\n1,"two\nlines, quoted"\né,é\né,é\n2,'.encode() + b"\xff\n3\n4,last,,\n,\n5,a,b\n")
    rows = list(read_delimited(path))
    assert [(row.line, row.fault) for row in rows] == [
        (2, None),
        (4, None),
        (5, None),
        (6, "cannot be decoded"),
        (7, "wrong column count"),
        (8, None),
        (10, "wrong column count"),
    ]
    assert rows[0].cells == {"_id": "1", "text": "two\nlines, quoted"}
    assert rows[3].shown == "2,\\xff" and rows[3].cells["_id"] == "2" and rows[4].cells == {"_id": "3"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "_id,text,text\n1,a,b\n",
            r"a\.csv line 1: column 'text' stands twice, as columns 2 and 3; rename or",
        ),
        ("a.tsv", "_id\ttext\t_id \n1\ta\tb\n", r"column '_id' stands twice, as columns 1 and 3"),
        (
            "a.jsonl",
            '[\n{"_id": "1"}\n]\n',
            r"a\.jsonl is one JSON document, and not a JSON object a line; write it so",
        ),
        ("a.jsonl", '[{"_id": "1"}, {"_id": "2"}]', r"a\.jsonl is one JSON document"),
    ],
)
def test_a_file_whose_columns_or_shape_say_two_things_is_refused(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        read_rows(tmp_path / name)


def test_a_repeated_key_of_json_is_a_broken_row_with_its_id(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"_id": "1", "text": "a", "text": "b"}\n{"_id": 2, "text": \n{"_id": "3", "m": {"x": 1, "x": 2}}\n'
    )
    rows = list(read_jsonl(path))
    assert [row.fault for row in rows] == ["key 'text' stands twice", "not a JSON object", "key 'x' stands twice"]
    assert [row.cells["_id"] for row in rows] == ["1", "2", "3"]


def test_two_columns_of_parquet_with_one_name_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array(["1"])] * 2, names=["_id", "_id"]), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="column '_id' stands twice"):
        read_rows(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("file", "name", "kind"),
    [
        ("train.tsv", "train", ".tsv"),
        ("test.TSV", "test", ".tsv"),
        ("dev.jsonl.GZ", "dev", ".jsonl"),
        ("a.b.csv.xz", "a.b", ".csv"),
        ("test.txt", "test", ""),
        ("corpus.tar.gz", "corpus", ""),
        ("corpus.parquet.gz", "corpus", ""),
    ],
)
def test_endings_tell_the_format_in_any_case_and_compressed(file: str, name: str, kind: str) -> None:
    assert name_and_format(Path(file)) == (name, kind)


def test_parquet_rejects_the_one_row_with_invalid_utf8(tmp_path: Path) -> None:
    texts = pa.array([b"good", b"bad \xff", b"good too"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"_id": ["1", "2", "3"], "text": texts}), tmp_path / "a.parquet")
    rows = list(read_parquet(tmp_path / "a.parquet"))
    assert [(row.line, row.fault) for row in rows] == [(1, None), (2, "cannot be decoded"), (3, None)]
    assert rows[2].cells == {"_id": "3", "text": "good too"}


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("not at all")
    with pytest.raises(UserError, match=r"a\.parquet is not a readable Parquet file"):
        list(read_parquet(tmp_path / "a.parquet"))
