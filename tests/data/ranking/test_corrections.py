"""Corrections: what a row does, what it counts as, what is refused, and that a second file keeps the first."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.core.io import write_table
from whyrank.core.prepared import CORRECTION_COLUMNS
from whyrank.data.files.readers import PLAIN
from whyrank.data.ranking.corrections import ROWS, apply, with_earlier
from whyrank.data.ranking.source import read_source
from whyrank.data.ranking.validate import Validated, validate

Write = Callable[..., Path]


@pytest.fixture
def valid(write_set: Write) -> Validated:
    """Six queries, whose right answer has their number; query 5 has a second one, -1, which looks like a formula."""
    ids = ["-1x", *(f"a{i}" for i in range(6))]
    judged = [(f"q{i}", f"a{i}", 1) for i in range(6)] + [("q5", "-1x", 1), ("q0", "a1", 0)]
    folder = write_set(
        [(name, f"answer {name}") for name in ids],
        [(f"q{i}", f"what is {i}", "question") for i in range(6)],
        {"train": judged[:4], "test": judged[4:7]},
    )
    return validate(read_source(folder))


def corrected(valid: Validated, folder: Path, *rows: tuple[str, str, str]) -> Validated:
    file = folder / "rows.csv"
    write_table(file, pd.DataFrame([(*row, "a reason") for row in rows], columns=CORRECTION_COLUMNS))
    return apply(valid, file)


def judged(valid: Validated) -> set[tuple[str, str]]:
    return set(zip(valid.qrels["query_id"], valid.qrels["answer_id"], strict=True))


ALL = {(f"q{i}", f"a{i}") for i in range(6)} | {("q5", "-1x")}


@pytest.mark.parametrize(
    ("row", "gone", "new", "queries", "answers"),
    [
        (("q0", "a0", "a1"), {("q0", "a0")}, {("q0", "a1")}, 6, 7),
        (("q0", "a0", ""), {("q0", "a0")}, set(), 5, 7),  # it was the only one of its query
        (("q5", "-1x", ""), {("q5", "-1x")}, set(), 6, 7),
        (("q5", "a5", "-1x"), {("q5", "a5")}, set(), 6, 7),  # which is judged already
        (("q5", "", ""), {("q5", "a5"), ("q5", "-1x")}, set(), 5, 7),
        (("", "a3", ""), {("q3", "a3")}, set(), 5, 6),
        (("", "a3", "a2"), {("q3", "a3")}, {("q3", "a2")}, 6, 6),
    ],
)
def test_a_row_changes_what_it_names_and_nothing_else(valid, tmp_path, row, gone, new, queries, answers):
    found = corrected(valid, tmp_path, row)
    assert judged(found) == ALL - gone | new
    assert (len(found.queries), len(found.answers)) == (queries, answers)
    assert found.given is not None and set(found.given) == set(found.queries["query_id"])
    lost = found.left_out["file"].value_counts()
    kept = {"corpus.jsonl": len(found.answers), "queries.jsonl": len(found.queries)}
    assert {file: n - lost.get(file, 0) for file, n in found.rows_in.items() if file in kept} == kept
    assert sum(lost.get(file, 0) for file in found.rows_in if file not in kept) == 7 - len(found.qrels)


def test_rows_are_applied_at_once_so_that_two_answers_can_change_places(valid, tmp_path):
    found = corrected(valid, tmp_path, ("q5", "a5", "a0"), ("q5", "-1x", "a5"), ("", "a0", "a1"))
    assert judged(found) == ALL - {("q0", "a0"), ("q5", "-1x")} - {("q5", "a5")} | {
        ("q0", "a1"),
        ("q5", "a1"),
        ("q5", "a5"),
    }


def test_a_file_without_a_row_changes_nothing(valid, tmp_path):
    assert corrected(valid, tmp_path) is valid


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("q9", "a0", "")], "line 2, column query_id: no query that is read has the id 'q9'"),
        ([("q0", "a9", "")], "line 2, column answer_id: no answer that is read has the id 'a9'"),
        ([("q0", "a0", "b")], "line 2, column becomes: no answer that is read has the id 'b'"),
        ([("q0", "a0", ""), ("q0", "a2", "")], "line 3: the qrels do not judge 'a2' for the query 'q0'"),
        ([("q0", "", "a1")], "line 2: a row names a query, an answer, or both"),
        ([("q0", "a0", "a1"), ("q0", "a0", "")], "line 3 contradicts line 2"),
        ([("", "a0", "a1"), ("", "a1", "a0")], "answer 'a0' is merged into itself"),
        ([(f"q{i}", "", "") for i in range(6)], "leaves no query with a relevant answer"),
        ([(f"q{i}", "", "") for i in (4, 5)], "leaves the test split no query with a relevant answer; correct fewer"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(valid, tmp_path, rows, told):
    with pytest.raises(UserError, match=re.escape(told)) as error:
        corrected(valid, tmp_path, *rows)
    assert "\n" not in str(error.value)


def test_another_header_is_named(valid, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("query,answer_id,becomes,why\nq0,a0,a1,x\n")
    with pytest.raises(UserError, match="no column 'query_id'; its first line is query_id,answer_id,becomes,why"):
        apply(valid, file)


def test_a_second_file_holds_the_first_and_names_judgements_as_the_source_does(valid, tmp_path):
    """Found after q0's label moved from a0 to a1, and a3 was merged into a2: both labels are to move on."""
    once = corrected(valid, tmp_path, ("q0", "a0", "a1"), ("", "a3", "a2"), ("q1", "a1", ""))
    new = pd.DataFrame([("q0", "a1", "a4", "new"), ("q3", "a2", "a4", "new")], columns=CORRECTION_COLUMNS)
    tables = {f"{ROWS}wrong-labels": new, f"{ROWS}others": new[:0], "counts": new}
    found = with_earlier(tables, once)
    assert set(found) == {f"{ROWS}wrong-labels"}  # an empty one asks for nothing
    rows = list(found[f"{ROWS}wrong-labels"][["query_id", "answer_id", "becomes"]].itertuples(index=False, name=None))
    assert rows == [("", "a3", "a2"), ("q1", "a1", ""), ("q0", "a0", "a4"), ("q3", "a3", "a4")]
    twice = corrected(valid, tmp_path, *rows)
    now = judged(once) - {("q0", "a1"), ("q3", "a2")} | {("q0", "a4"), ("q3", "a4")}
    assert judged(twice) == now
    assert with_earlier(tables, replace(valid)) == {}


def test_a_list_of_ours_is_read_where_the_files_of_the_set_have_no_quoting(valid, tmp_path):
    file = tmp_path / "rows.csv"
    write_table(file, pd.DataFrame([("q0", "a0", "a1", "answers, moved down by a row")], columns=CORRECTION_COLUMNS))
    found = apply(valid, file, replace(PLAIN, quoting="none"))
    assert ("q0", "a1") in judged(found) and ("q0", "a0") not in judged(found)
