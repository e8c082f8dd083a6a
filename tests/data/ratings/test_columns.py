"""Which columns are targets, which are left out by name, and what stops the run."""

import numpy as np
import pytest

from whyrank.core.errors import UserError
from whyrank.data.ratings.columns import find_targets, judge, numbers
from whyrank.data.ratings.files import read_files


@pytest.fixture
def found(write_rows, rating_options):
    def find(rows, **changes):
        options = rating_options(write_rows(rows), **changes)
        return find_targets(read_files(options)["train"], options)

    return find


def changed(rows, **columns):
    """Rows with further columns, each given as a function of the number of the row."""
    return [row | {name: value(i) for name, value in columns.items()} for i, row in enumerate(rows)]


def test_targets_are_all_columns_but_id_texts_and_group_in_the_order_of_the_file(found, rated_rows):
    targets = found(rated_rows)
    assert targets.names == ["helpful", "has_link"]
    assert targets.label_NT.tolist() == [[row["helpful"], row["has_link"]] for row in rated_rows]
    assert targets.table["kind"].tolist() == ["target", "target"]


def test_what_is_no_target_is_left_out_by_name_with_its_reason(found, rated_rows):
    rows = changed(
        rated_rows,
        category=lambda i: ["LIFE", "SCIENCE"][i % 2],
        host=lambda i: "math.stackexchange.com",
        views=lambda i: 1000 + i,
    )
    targets = found(rows)
    assert targets.names == ["helpful", "has_link"]
    table = targets.table.set_index("column")
    assert table.loc[["category", "host", "views"], "kind"].tolist() == ["category", "address", "id"]
    assert table["is_target"].tolist() == [True, True, False, False, False]
    assert table.loc["category", "why"] == "holds 2 names, such as 'LIFE'"
    assert table.loc["views", ["minimum", "maximum", "numeric_share", "line"]].tolist() == [1000, 1023, 1.0, 2]


def test_listed_targets_are_taken_in_their_order_without_those_that_are_excluded(found, rated_rows):
    rows = changed(rated_rows, other=lambda i: 0.5)
    assert found(rows, targets=["has_link", "helpful"]).names == ["has_link", "helpful"]
    both = found(rows, targets=["has_link", "helpful"], exclude=["helpful"])
    assert both.names == ["has_link"]
    assert both.table["kind"].tolist() == ["excluded", "target", "unlisted"]


def test_a_declared_range_becomes_0_to_1_and_an_undeclared_one_is_left_out(found, rated_rows):
    rows = changed(rated_rows, stars=lambda i: i % 5 + 1)
    declared = found(rows, rescale={"stars": [1, 5]})
    assert declared.names == ["helpful", "has_link", "stars"]
    assert declared.label_NT[:5, 2].tolist() == [0, 0.25, 0.5, 0.75, 1]
    undeclared = found(rows)
    assert undeclared.names == ["helpful", "has_link"]
    line = undeclared.table.set_index("column").loc["stars"]
    assert line[["kind", "minimum", "maximum", "line", "value"]].tolist() == ["out_of_range", 1, 5, 3, "2"]
    assert line["outside_share"] == pytest.approx(19 / 24)


@pytest.mark.parametrize(("listed", "kind"), [([], "id"), (["helpful", "views"], "out_of_range")])
def test_whoever_lists_a_column_of_counts_says_that_it_is_on_another_scale(listed, kind, found, rated_rows):
    targets = found(changed(rated_rows, views=lambda i: 1000 + i), targets=listed)
    assert "views" not in targets.names
    assert targets.table.set_index("column").loc["views", "kind"] == kind


def test_a_column_without_a_name_is_no_target_whatever_it_holds(found, rated_rows):
    targets = found([{"": 0.5} | row for row in rated_rows])
    assert targets.names == ["helpful", "has_link"]
    assert targets.table[["column", "kind"]].iloc[0].tolist() == ["", "unnamed"]


@pytest.mark.parametrize(
    ("columns", "changes", "message"),
    [
        ({"helpful": lambda i: "" if i == 3 else 0.5}, {}, r"rated.csv line 5, column 'helpful': '' is no number; "),
        (
            {"helpful": lambda i: "n/a" if i == 3 else 0.5},
            {},
            r"line 5, column 'helpful': 'n/a' is no number; .*ex",
        ),
        (
            {"kind": lambda i: "x"},
            {"targets": ["kind"]},
            r"line 2, column 'kind': 'x' is no rating, and the column holds the text 'x' alone; take it out of prepare",
        ),
        (
            {"kind": lambda i: ""},
            {"rescale": {"kind": [0, 5]}},
            r"line 2, column 'kind': '' is no rating, and the column is empty; take it out of prepare.ratings.rescale",
        ),
        (
            {"half": lambda i: 0.5 if i % 3 == 1 else ""},
            {},
            r"line 2, column 'half': '' is no number; give the row a number, take it out, or name the column in ",
        ),
        ({}, {"targets": ["helpfull"]}, r"no column 'helpfull' \(found qa_id, .*; fix prepare.ratings.targets"),
        ({}, {"exclude": ["category"]}, r"no column 'category' .*; fix prepare.ratings.exclude"),
        (
            {"stars": lambda i: 9 if i == 2 else 3},
            {"rescale": {"stars": [1, 5]}},
            r"line 4, column 'stars': '9' is outside of 1 to 5; fix it or prepare.ratings.rescale.stars",
        ),
        ({}, {"exclude": ["helpful", "has_link"]}, r"no target is left: 'helpful' is excluded; 'has_link' is excluded"),
        ({"fold": lambda i: i % 2}, {}, r"target 'fold' has a name that the prepared table needs .*rename the column"),
    ],
)
def test_what_the_user_has_to_fix_is_one_line_with_place_value_and_remedy(found, rated_rows, columns, changes, message):
    with pytest.raises(UserError, match=message) as error:
        found(changed(rated_rows, **columns), **changes)
    assert "\n" not in str(error.value)


HUNDRED = range(100)
COLUMNS = {
    "ratings": [i % 5 / 4 for i in HUNDRED],
    "ratings as CSV has them": [f"{i % 5 / 4}" for i in HUNDRED],
    "one value": [1.0] * 100,
    "hosts": ["stackoverflow.com", "math.stackexchange.com"] * 50,
    "urls": [f"https://example.org/q/{i}" for i in HUNDRED],
    "names": ["culture", "science", "life"] * 33 + ["life"],
    "one name": ["science"] * 100,
    "titles": [f"How do I repair number {i}?" for i in HUNDRED],
    "long texts of a few kinds": [
        "the first of two rather long explanations, written out",
        "the other one, which is certainly no shorter than it",
    ]
    * 50,
    "nothing": ["", None] * 50,
    "row numbers": [str(7000 + i) for i in HUNDRED],
    "views": [i * i % 4001 for i in [*range(99), 98]],
    "stars": [i % 5 + 1 for i in HUNDRED],
    "percent": [i % 40 * 2.5 for i in HUNDRED],
    "whole percent": [i % 50 * 2 for i in HUNDRED],
    "from -1": [i % 3 - 1 for i in HUNDRED],
    "one slip": [0.5] * 99 + [1.5],
}
KINDS = {
    "ratings": "ratings",
    "ratings as CSV has them": "ratings",
    "one value": "ratings",
    "hosts": "address",
    "urls": "address",
    "names": "category",
    "one name": "constant_text",
    "titles": "free_text",
    "long texts of a few kinds": "free_text",
    "nothing": "empty",
    "row numbers": "id",
    "views": "count",
    "stars": "out_of_range",
    "percent": "out_of_range",
    "whole percent": "out_of_range",
    "from -1": "out_of_range",
    "one slip": "out_of_range",
}


@pytest.mark.parametrize("name", COLUMNS)
def test_the_kind_of_a_column_is_told_by_its_cells(name):
    values = COLUMNS[name]
    assert judge(values, numbers(values)).kind == KINDS[name]


def test_the_first_row_that_shows_it_is_named():
    assert judge(COLUMNS["one slip"], numbers(COLUMNS["one slip"])).row == 99
    assert judge(["", "red", "blue"] * 20, numbers(["", "red", "blue"] * 20)).row == 1


def test_what_is_no_finite_number_is_none():
    assert np.isnan(numbers(["", None, "n/a", "nan", "inf", "1,5", 10**400])).all()
    assert numbers([" 0.5 ", True, 1, "1e-2"]).tolist() == [0.5, 1.0, 1.0, 0.01]
