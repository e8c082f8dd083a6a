"""Rows keep their place, and one broken line spoils one row."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from whyrank.core.errors import UserError
from whyrank.data.files.readers import read_csv, read_jsonl, read_parquet, read_tsv


def test_jsonl_reports_each_broken_line_with_its_number_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"_id": "1"}\r\n\n{"_id": "\xff"}\n{"_id": \n[1]\n' + b"[" * 100_000 + b'\n{"_id": "2"}'
    )
    rows = list(read_jsonl(path))
    # Line 2 is blank and no row; line 6 nests deeper than the parser goes.
    assert [(row.line, row.fault) for row in rows] == [
        (1, None),
        (3, "invalid UTF-8"),
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


def test_tsv_takes_quotes_for_characters_and_refuses_a_wrong_column_count(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b'_id\ttext\r\n1\t"open\r\n2\ta\tb\r\n3\t\xe9\r\n4\t\r\n')
    rows = list(read_tsv(path))
    assert [(row.line, row.fault) for row in rows] == [
        (2, None),
        (3, "wrong column count"),
        (4, "invalid UTF-8"),
        (5, None),
    ]
    assert rows[0].cells == {"_id": "1", "text": '"open'}
    assert rows[3].cells == {"_id": "4", "text": ""}


def test_tsv_without_a_header_takes_the_names_given_and_leaves_out_fields_after_them(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"1\tone\n\n2\ttwo\tmore\n3\n")
    rows = list(read_tsv(path, ["_id", "text"]))
    assert [(row.line, row.fault) for row in rows] == [(1, None), (3, None), (4, "wrong column count")]
    assert rows[1].cells == {"_id": "2", "text": "two"}


def test_csv_counts_a_record_over_several_lines_at_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbf_id,text\n1,"two\nlines, quoted"\n2,\xff\n3\n4,last\n')
    rows = list(read_csv(path))
    assert [(row.line, row.fault) for row in rows] == [
        (2, None),
        (4, "invalid UTF-8"),
        (5, "wrong column count"),
        (6, None),
    ]
    assert rows[0].cells == {"_id": "1", "text": "two\nlines, quoted"}
    assert rows[1].shown == "2,\\xff"


def test_csv_reads_a_cell_above_the_module_limit_and_leaves_the_limit_as_it_was(tmp_path: Path) -> None:
    import csv

    path = tmp_path / "a.csv"
    path.write_text("_id,text\n1," + "x" * 200_000 + "\n")
    before = csv.field_size_limit()
    assert len(next(iter(read_csv(path))).cells["text"]) == 200_000
    assert csv.field_size_limit() == before


def test_parquet_rejects_the_one_row_with_invalid_utf8(tmp_path: Path) -> None:
    texts = pa.array([b"good", b"bad \xff", b"good too"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"_id": ["1", "2", "3"], "text": texts}), tmp_path / "a.parquet")
    rows = list(read_parquet(tmp_path / "a.parquet"))
    assert [(row.line, row.fault) for row in rows] == [(1, None), (2, "invalid UTF-8"), (3, None)]
    assert rows[2].cells == {"_id": "3", "text": "good too"}


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_text("not at all")
    with pytest.raises(UserError, match=r"a\.parquet is not a readable Parquet file"):
        list(read_parquet(tmp_path / "a.parquet"))
