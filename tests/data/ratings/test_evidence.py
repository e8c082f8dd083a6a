"""What a column holds, told by its cells."""

import numpy as np
import pytest

from whyrank.data.ratings.evidence import judge, numbers

HUNDRED = range(100)
COLUMNS = {
    "ratings": [i % 5 / 4 for i in HUNDRED],
    "ratings as CSV has them": [f"{i % 5 / 4}" for i in HUNDRED],
    "one value": [1.0] * 100,
    "hosts": ["stackoverflow.com", "math.stackexchange.com"] * 50,
    "urls": [f"https://example.org/q/{i}" for i in HUNDRED],
    "names": ["culture", "science", "life"] * 33 + ["life"],
    "one name": ["science"] * 100,
    "titles": [f"How do I mend number {i}?" for i in HUNDRED],
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
