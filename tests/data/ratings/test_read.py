"""Files of ratings as one table: labelled rows with folds, test and unlabelled rows beside them."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.prepared import RATING_COLUMNS
from whyrank.data.ratings.read import read_ratings


@pytest.fixture
def read(write_rows, rating_options):
    def of(rows, **changes):
        return read_ratings(rating_options(write_rows(rows), **changes))

    return of


def without_targets(rows, start):
    kept = [{key: value for key, value in row.items() if key not in ("helpful", "has_link")} for row in rows]
    return [row | {"qa_id": f"{start}{i}"} for i, row in enumerate(kept)]


def test_nothing_is_read_where_none_are_to_be_read(rating_options, tmp_path):
    off = read_ratings(rating_options(tmp_path / "nowhere.csv", read=False))
    assert off.rows.empty and off.tables == {}


def test_rows_have_texts_group_fold_and_targets_in_the_order_of_the_file(read, rated_rows):
    rows = read(rated_rows).rows
    assert list(rows.columns) == [*RATING_COLUMNS[:-2], "helpful", "has_link"]
    assert rows["rating_id"].tolist() == [row["qa_id"] for row in rated_rows]
    assert rows["answer"].tolist() == [row["answer"] for row in rated_rows]
    assert rows["helpful"].tolist() == [row["helpful"] for row in rated_rows]
    assert set(rows["use"]) == {"train"} and set(rows["fold"]) == set(range(5))
    assert len(rows[["group", "fold"]].drop_duplicates()) == rows["group"].nunique() == 12


def test_a_key_that_the_first_row_of_json_lacks_is_a_column_all_the_same(rated_rows, rating_options, tmp_path):
    def read_json(rows):
        path = tmp_path / "rated.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return read_ratings(rating_options(path)).rows

    first, *others = rated_rows
    without_body = {key: value for key, value in first.items() if key != "question_body"}
    assert read_json([without_body, *others])["body"].tolist()[:2] == ["", "body of question 0"]
    without_target = {key: value for key, value in first.items() if key != "has_link"}
    with pytest.raises(UserError, match=r"rated\.jsonl line 1, column 'has_link': '' is no number; give the row a"):
        read_json([without_target, *others])


def test_parquet_gives_what_csv_gives(read, rated_rows, tmp_path, rating_options):
    pd.DataFrame(rated_rows).to_parquet(tmp_path / "rated.parquet")
    from_parquet = read_ratings(rating_options(tmp_path / "rated.parquet"))
    from_csv = read(rated_rows)
    pd.testing.assert_frame_equal(from_parquet.rows, from_csv.rows)
    for name, table in from_csv.tables.items():
        # A row of Parquet has a number of its own, and 1 is written as 1.
        same = [column for column in table.columns if column not in ("line", "value")]
        pd.testing.assert_frame_equal(from_parquet.tables[name][same], table[same])


def test_rows_without_targets_come_from_the_same_folder_and_share_its_groups(write_rows, rated_rows, rating_options):
    folder = write_rows(rated_rows, "set/train.csv").parent
    write_rows(without_targets(rated_rows[:3], "t"), "set/test.csv")
    write_rows([{**row, "question_title": "Another"} for row in without_targets(rated_rows[:2], "u")], "set/more.csv")
    options = rating_options(folder, test="test.csv", unlabelled="more.csv")
    rows = read_ratings(options).rows
    assert rows["use"].tolist() == ["train"] * 24 + ["test"] * 3 + ["unlabelled"] * 2
    assert (rows["fold"] == -1).tolist() == [False] * 24 + [True] * 5
    assert rows["helpful"].isna().tolist() == [False] * 24 + [True] * 5
    train, test, more = (rows.loc[rows["use"] == use, "group"] for use in ("train", "test", "unlabelled"))
    assert test.tolist() == train.tolist()[:3]
    assert not set(more) & set(train)
    alone = read_ratings(dataclasses.replace(options, test="", unlabelled="")).rows
    assert alone["fold"].tolist() == rows["fold"].tolist()[:24]


def test_a_test_file_needs_no_group(write_rows, rated_rows, rating_options):
    folder = write_rows(rated_rows, "set/train.csv").parent
    for name in ("author", "question_title"):
        rows = [{**row, "author": row["qa_id"]} for row in rated_rows]
        write_rows(rows, "set/train.csv")
        write_rows(without_targets(rated_rows[:2], "t"), "set/test.csv")
        options = rating_options(folder, test="test.csv", group=name, exclude=[] if name == "author" else ["author"])
        test = read_ratings(options).rows.query("use == 'test'")
        assert (test["group"] == -1).all() == (name == "author")


def test_a_field_that_is_not_there_is_empty(read, rated_rows):
    rows = read(rated_rows, text={"title": "question_title", "body": "", "answer": "answer"}, exclude=["question_body"])
    assert set(rows.rows["body"]) == {""}


def test_a_bad_group_column_shows_in_the_table_of_folds(read, rated_rows):
    # The answers to one question stand 12 rows apart, so that even folds of single rows part them.
    apart = rated_rows[::2] + rated_rows[1::2]
    by_id = read(apart, group="qa_id").tables["rating_folds"]
    assert by_id["shared_rows"].sum() > 0
    assert read(apart).tables["rating_folds"]["shared_rows"].sum() == 0


def with_row(rows, number, **cells):
    return [row | cells if i == number else row for i, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("cells", "changes", "message"),
    [
        ({"qa_id": ""}, {}, r"rated.csv line 6, column 'qa_id': '' is refused: missing id; fix or remove the row"),
        ({"qa_id": "r01"}, {}, r"rated.csv line 6: id 'r01' stands in another row too; give each row its own"),
        ({"question_title": " "}, {}, r"line 6, column 'question_title': .* is refused: missing group; fix"),
        ({}, {"id": "id"}, r"no column 'id' \(found qa_id, .*; fix prepare.ratings.id"),
        ({}, {"group": "title"}, r"no column 'title' .*; fix prepare.ratings.group"),
        (
            {},
            {"text": {"title": "t", "body": "", "answer": "answer"}},
            r"no column 't' .*; fix prepare.ratings.text.ti",
        ),
        ({}, {"test": "test.csv"}, r"`prepare.ratings.test` is 'test.csv', which is not in the folder"),
    ],
)
def test_what_the_user_has_to_fix_is_one_line_with_place_value_and_remedy(read, rated_rows, cells, changes, message):
    excluded = {"exclude": ["question_body", "answer", "question_title"]} if "text" in changes else {}
    with pytest.raises(UserError, match=message) as error:
        read(with_row(rated_rows, 4, **cells), **excluded, **changes)
    assert "\n" not in str(error.value)


def test_a_row_without_any_text_is_refused(read, rated_rows):
    text = {"title": "", "body": "question_body", "answer": "answer"}
    with pytest.raises(UserError, match="line 6, column 'question_body and answer': '' is all the text of the row"):
        read(with_row(rated_rows, 4, question_body=" ", answer=""), text=text)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rated.csv", "", "is empty; it needs at least one row"),
        ("rated.txt", "x", r"'.txt' is no format that is read; use one of .*\.csv.*\.parquet"),
        ("rated.csv", "qa_id,answer\n1,a,b\n", "line 2: wrong column count: '1,a,b'; fix or remove it"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(tmp_path, rating_options, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        read_ratings(rating_options(tmp_path / name))


def test_a_file_and_a_folder_that_are_not_there_are_named(tmp_path, rating_options):
    with pytest.raises(UserError, match=r"nowhere\.csv does not exist; fix the path, or put"):
        read_ratings(rating_options(tmp_path / "nowhere.csv"))
    with pytest.raises(
        UserError, match=r"a folder of ratings needs one file train\.csv or train\.parquet \(found none\)"
    ):
        read_ratings(rating_options(tmp_path))


def test_a_file_outside_of_the_source_folder_is_refused_for_dvc_would_not_see_it_change(
    write_rows, rated_rows, rating_options
):
    folder = write_rows(rated_rows, "set/train.csv").parent
    write_rows(without_targets(rated_rows, "t"), "test.csv")
    with pytest.raises(
        UserError, match=r"`prepare\.ratings\.test` leads to .*set/\.\./test\.csv, which is not below `prepare"
    ):
        read_ratings(rating_options(folder, test="../test.csv"))


def test_files_of_the_folder_that_are_not_read_are_named(write_rows, rated_rows, rating_options):
    folder = write_rows(rated_rows, "set/train.csv").parent
    write_rows(without_targets(rated_rows[:3], "t"), "set/test.csv")
    (folder / "README.md").touch()
    assert read_ratings(rating_options(folder)).tables["rating_unread"]["file"].tolist() == [str(folder / "test.csv")]
    assert read_ratings(rating_options(folder, test="test.csv")).tables["rating_unread"].empty


def test_the_bundled_sample_has_a_grid_a_rare_target_and_no_fault(options):
    read = read_ratings(options("prepare", params.Prepare, {"ratings.read": True}).ratings)
    targets = read.tables["rating_targets"].set_index("target")
    assert len(read.rows) == 240 and len(targets) == 5
    assert targets.loc["answer_relevant", "distinct"] == 4
    assert targets.loc["answer_refund", "rare_share"] == pytest.approx(0.05)
    assert targets["constant_folds"].sum() == 0
    assert read.tables["rating_folds"]["rows"].tolist() == [48] * 5
    assert read.tables["rating_columns"]["is_target"].all()


def test_the_real_set_has_12_targets_and_a_category_that_is_none(real_data, rating_options):
    source = real_data / "ratings" / "stackexchange_ratings.csv"
    if not source.exists():
        pytest.skip(f"{source} is not there")
    read = read_ratings(rating_options(source))
    columns = read.tables["rating_columns"].set_index("column")
    assert columns["is_target"].sum() == 12 and columns.loc["category", "kind"] == "category"
    assert read.tables["rating_folds"]["shared_rows"].sum() == 0
    assert read.tables["rating_folds"]["rows"].tolist() == [791] * 4 + [790]
    labels = read.rows[read.tables["rating_targets"]["target"]].to_numpy()
    assert np.isfinite(labels).all() and labels.min() == 0 and labels.max() == 1
