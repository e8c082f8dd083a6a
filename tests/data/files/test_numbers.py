"""Plain numbers are read, others are told by their spelling and read where that is allowed."""

import math

import pytest

from whyrank.data.files.numbers import number, remedy, spelling

WRITTEN = {
    "comma": {"0,5": 0.5, ",5": 0.5, "-1,25": -1.25, "1.234,5": 1234.5, "1 234,5": 1234.5, "1\u202f234,5": 1234.5},
    "percent": {"85%": 0.85, "85 %": 0.85, "12.5 %": 0.125, "12,5%": 0.125, "85 percent": 0.85, "85 Prozent": 0.85,
                "100\uff05": 1.0},
    "fraction": {"4/5": 0.8, "4 / 5": 0.8, "3 of 4": 0.75, "3 out of 4": 0.75, "4,5/5": 0.9, "1\u20442": 0.5},
    "boolean": {"true": 1.0, "FALSE": 0.0, "Yes": 1.0, "no": 0.0},
}  # fmt: skip


@pytest.mark.parametrize(("way", "text"), [(way, text) for way, texts in WRITTEN.items() for text in texts])
def test_a_spelling_is_told_and_read_where_it_is_allowed(way: str, text: str) -> None:
    assert spelling(text) == way
    assert math.isnan(number(text)) and math.isnan(number(text, [other for other in WRITTEN if other != way]))
    assert number(text, [way]) == pytest.approx(WRITTEN[way][text])


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.5", 0.5), (" .5 ", 0.5), ("5e-1", 0.5), ("+1", 1.0), ("\u22120.5", -0.5), ("٠٫٥", 0.5), (1, 1.0), (True, 1.0)],
)
def test_plain_numbers_are_read_whatever_is_allowed(text: object, value: float) -> None:
    assert number(text) == number(text, [*WRITTEN]) == value


@pytest.mark.parametrize("text", ["4 stars", "½", "~0.8", "★★★", "3.5 pts", "1'000", "<5", "5+"])
def test_numbers_with_something_beside_them_are_told_from_names(text: str) -> None:
    assert spelling(text) == "other" and math.isnan(number(text, [*WRITTEN]))


@pytest.mark.parametrize(
    "text", ["good", "", "q17", "2020-01-31", "31.01.2020", "12:30", "v1.2", "0_1", "nan", "inf", None, [1]]
)
def test_what_is_no_number_has_no_spelling(text: object) -> None:
    assert spelling(text) == "" and math.isnan(number(text, [*WRITTEN]))


def test_nothing_is_divided_by_zero() -> None:
    assert spelling("4/0") == "fraction" and math.isnan(number("4/0", ["fraction"]))


def test_the_remedy_names_all_that_is_needed() -> None:
    assert remedy("percent", "comma") == "read them with -S 'prepare.files.numbers=[comma,percent]'"
    assert remedy("comma", "other") == "write plain numbers, such as 0.8"
