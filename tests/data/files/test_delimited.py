"""Cells come out as their writer put them in, and quotation marks that make no cells are named with their line."""

import csv
import io
import random
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.data.files.delimited import read_records, separator_of

PATH = Path("queries.csv")
TEXTS = [
    "everything looks foggy",
    'everything looks "foggy" and pink',
    '"foggy" it is',
    'it is "foggy"',
    '"all of it"',
    '"',
    '""',
    'a "" b',
    "one, two; three | four",
    "a\ttab",
    "two\nlines",
    'two "quoted\n\nlines", and a comma',
    " spaces around ",
    "back\\slash",
    "naïve “quotes”",
    "",
]


def read(text: str, usual: str = ",", quoting: str = "auto") -> list[list[str]]:
    lines = list(enumerate(text.split("\n"), start=1))
    return [record.cells for record in read_records(PATH, lines, usual, quoting)[1]]


def rows_of(texts: Sequence[str]) -> list[list[str]]:
    return [["_id", "text", "type"], *([f"q{i}", text, "question"] for i, text in enumerate(texts))]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("usual", [",", "\t"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_what_a_csv_writer_wrote_is_read_with_any_separator(separator: str, usual: str, quoting: int) -> None:
    file = io.StringIO()
    csv.writer(file, delimiter=separator, quoting=quoting, lineterminator="\n").writerows(rows_of(TEXTS))
    assert read(file.getvalue(), usual) == rows_of(TEXTS)


@pytest.mark.parametrize("separator", [",", "\t"])
def test_random_cells_of_pandas_come_back(separator: str) -> None:
    draw = random.Random(0)
    for _ in range(200):
        texts = ["".join(draw.choice(['"', ",", "\t", "\n", ";", "a", "b ", "é"]) for _ in range(9)) for _ in range(6)]
        # One mark at least tells a tab separated file that is quoted from one that is not.
        table = pd.DataFrame(rows_of([*texts, 'say "so"'])[1:], columns=["_id", "text", "type"])
        assert (
            read(table.to_csv(sep=separator, index=False, lineterminator="\n"), separator)[1:]
            == table.to_numpy().tolist()
        )


@pytest.mark.parametrize("separator", [",", "\t"])
def test_marks_escaped_by_a_backslash_are_read_as_r_and_mysql_write_them(separator: str) -> None:
    text = f'"_id"{separator}"text"\n"q1"{separator}"looks \\"foggy\\", and C:\\dir"\n"q2"{separator}"plain"\n'
    assert read(text, separator) == [["_id", "text"], ["q1", 'looks "foggy", and C:\\dir'], ["q2", "plain"]]


@pytest.mark.parametrize(
    "texts",
    [
        ['"open and never closed', "plain"],
        ['"foggy" it is', 'it is "foggy"'],
        ['"all of it"', "plain"],
        ['it is 5" wide', 'a "word"'],
        ['"starts', "plain", 'ends"'],
        ['"Hello, you"', "and a comma, too"],
    ],
)
def test_a_tab_separated_file_that_does_not_quote_keeps_its_marks(texts: list[str]) -> None:
    text = "\n".join("\t".join(row) for row in rows_of(texts))
    assert read(text, "\t") == rows_of(texts)


def test_marks_at_the_ends_of_two_texts_of_a_row_make_no_cell() -> None:
    rows = [["premise", "hypothesis", "label"], ['"Hello', 'says he"', "1"], ["plain", "plain", "0"]]
    assert read("\n".join("\t".join(row) for row in rows), "\t") == rows


def test_excel_quotes_tab_separated_cells_for_their_commas() -> None:
    assert read('_id\ttext\nq1\t"Hello, you"\nq2\tplain\n', "\t") == [
        ["_id", "text"],
        ["q1", "Hello, you"],
        ["q2", "plain"],
    ]


def test_spaces_behind_separators_and_excels_own_first_line_spoil_no_cell() -> None:
    spaced = '_id, text, type\nq1, "Hello, you", question\nq2, plain, question\n'
    assert read(spaced)[1:] == [["q1", "Hello, you", " question"], ["q2", " plain", " question"]]
    assert read("sep=;\n_id;text\nq1;a, b\n") == [["_id", "text"], ["q1", "a, b"]]


@pytest.mark.parametrize(
    ("header", "usual", "separator"),
    [
        ("_id,text", ",", ","),
        ("_id;text, all of it;kind", ",", ";"),
        ("_id\ttext, all of it\tkind, too, really", ",", "\t"),
        ('"_id, or name";"text"', ",", ";"),
        ("_id,text", "\t", ","),
        ("text", "\t", "\t"),
        ("a;b,c", ";", ";"),
    ],
)
def test_the_first_line_tells_the_separator(header: str, usual: str, separator: str) -> None:
    assert separator_of(header, usual) == separator


def test_lines_without_a_cell_are_none_of_the_rows() -> None:
    assert read('\n_id,text\n\nq1,a\n,\n""\nq2,b\n\n') == [["_id", "text"], ["q1", "a"], ["q2", "b"]]
    assert read("\n \n") == []


def many(start: int, count: int, text: str = "some text") -> str:
    return "".join(f"q{i},{text} {i}\n" for i in range(start, start + count))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'_id,text\n{many(0, 3)}q3,"open\n{many(4, 40)}', "a quotation mark opened in line 5 is never closed; "),
        (
            f'_id,text\n{many(0, 20)}q20,"open\n{many(21, 39)}q60,"fog" it is\n',
            "a quotation mark opened in line 22 is never closed before line 62 (behind it stands 'fog",
        ),
        (
            f'_id,text\n{many(0, 20)}q20,"open\n{many(21, 39)}q60,it ends"\n',
            "a quotation mark opened in line 22 is never closed before line 62 (the lines between are rows)",
        ),
        (
            f'_id,text,type\n{many(0, 3, "a,")}q3,"open,question\nq4,it ends",question,question\n',
            "opened in line 5 is never closed before line 6 (it would make 4 cells of 3)",
        ),
        (
            '_id,text\nq1,"fog" it is\n',
            "line 2: a quotation mark opens a cell, and the next one does not end it (behind it",
        ),
        ('premise,hypothesis,label\na b,"c d,0\n' + "e f,g h,1\n" * 120 + 'i j,k l",2\n', "before line 123"),
    ],
)
def test_a_mark_that_swallows_what_follows_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        read(text)
    assert said in str(error.value) and "-S prepare.files.quoting=none" in str(error.value)
    assert "\n" not in str(error.value)
    if "rows)" in said or "cells" in said:
        assert read(text, quoting="quoted")


def test_a_tab_separated_file_that_quotes_has_no_unclosed_mark() -> None:
    with pytest.raises(UserError, match="a quotation mark opened in line 3 is never closed"):
        read('_id\ttext\nq1\t"looks ""foggy"""\nq2\t"open\nq3\tplain\n', "\t")


def test_a_text_of_many_lines_is_no_swallowed_table() -> None:
    mail = "\n".join(["Hello,", "the pump hums, and the lamp flickers.", "", "Thanks,", "John", "Sales, Berlin"])
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([["_id", "text"], *([f"q{i}", mail] for i in range(50))])
    assert read(file.getvalue())[1:] == [[f"q{i}", mail] for i in range(50)]


def test_without_quoting_a_mark_is_a_character() -> None:
    assert read('_id,text\nq1,"open\nq2,a "b"\n', quoting="none") == [["_id", "text"], ["q1", '"open'], ["q2", 'a "b"']]
