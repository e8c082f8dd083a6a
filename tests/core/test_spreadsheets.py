"""Cells of a CSV file: a spreadsheet runs none, numbers stay numbers, and what is read back is what was written."""

import csv

import pandas as pd
import pytest

from whyrank.core import io, spreadsheets

FORMULAS = ["=1+1", "=LINK(\"http://x\")", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1",
            "\uff1d1+1", "'=1", "''@x", "--help", "-", "=", "+49 30 1234", "-1,5"]  # fmt: skip
HARMLESS = [
    "",
    "a=1",
    "'quoted'",
    "'s",
    "it's",
    " =1",
    "-3",
    "+4.5",
    "-1e-5",
    ".5",
    "-.5",
    "1.",
    "NA",
    "None",
    "#1",
    "…",
]


def cells(file):
    with open(file, newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text, tmp_path):
    io.write_table(tmp_path / "t.csv", pd.DataFrame({"id": [text], text: ["x"]}))
    assert cells(tmp_path / "t.csv") == [["id", f"'{text}"], [f"'{text}", "x"]]
    back = io.read_table(tmp_path / "t.csv")
    assert back.columns.tolist() == ["id", text] and back["id"].tolist() == [text]


@pytest.mark.parametrize("text", HARMLESS)
def test_a_harmless_text_and_a_number_stay_as_they_are(text, tmp_path):
    io.write_table(tmp_path / "t.csv", pd.DataFrame({"id": [text, "x"]}))
    assert cells(tmp_path / "t.csv") == [["id"], [text] if text else [""], ["x"]]


def test_numbers_are_numbers_whatever_their_sign(tmp_path):
    table = pd.DataFrame({"x": [-1.5, 2.0], "n": [-3, 4], "b": [True, False], "mixed": [-1, "=x"]})
    io.write_table(tmp_path / "t.csv", table)
    assert cells(tmp_path / "t.csv")[1:] == [["-1.5", "-3", "True", "-1"], ["2", "4", "False", "'=x"]]


@pytest.mark.parametrize("texts", [["=1", None, "b"], [None, None, "-x"], ["a", "b", "c"]])
def test_missing_cells_stay_missing(texts, tmp_path):
    io.write_table(tmp_path / "t.csv", pd.DataFrame({"a": texts, "n": [1, 2, 3]}))
    back = io.read_table(tmp_path / "t.csv")
    assert back["a"].astype(object).where(back["a"].notna(), None).tolist() == texts


def test_two_columns_of_one_name_and_no_columns_are_written(tmp_path):
    io.write_table(tmp_path / "t.csv", pd.DataFrame([["=1", "=2"]], columns=["a", "a"]))
    assert cells(tmp_path / "t.csv") == [["a", "a"], ["'=1", "'=2"]]
    io.write_table(tmp_path / "e.csv", pd.DataFrame(columns=["step"]))
    assert cells(tmp_path / "e.csv") == [["step"]]


@pytest.mark.parametrize("text", ["a\r=1", "a\r\n=1", "a\n=1", 'a"\r"=1'])
def test_a_line_end_within_a_text_begins_no_row(text, tmp_path):
    io.write_table(tmp_path / "t.csv", pd.DataFrame({"id": [text, None], "x": [0.5, 2.0]}))
    assert cells(tmp_path / "t.csv") == [["id", "x"], [text, "0.5"], ["", "2"]]
    back = io.read_table(tmp_path / "t.csv")
    assert back["id"].tolist()[0] == text and back["x"].tolist() == [0.5, 2.0]


def test_what_users_name_stays_text_and_numbers_stay_numbers(tmp_path):
    names = {name: ["007", "1e3", "12"] for name in spreadsheets.NAMES}
    io.write_table(tmp_path / "t.csv", pd.DataFrame(names | {"n": [7, 1, 0]}))
    back = io.read_table(tmp_path / "t.csv")
    assert {name: back[name].tolist() for name in names} == names and back["n"].tolist() == [7, 1, 0]
