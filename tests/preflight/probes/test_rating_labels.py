"""Ratings: where the checks of prepared data begin, and that what they propose fixes the fault."""

import tempfile
from typing import Any

import pytest

from whyrank.core import io
from whyrank.findings.records import Records
from whyrank.preflight.examine import preflight

from ...diagnosis.probes.faults import of, planted, with_data
from ...diagnosis.probes.rated import NO_TARGETS, healthy_rows, rating_tables, token_table


def tables_anew(healthy: Records, **changes: Any) -> Records:
    """The tables of ratings anew, from other rows or settings: see `rating_tables`."""
    return with_data(healthy, tables=healthy.data.tables | rating_tables(**changes))


@planted("target-out-of-range", of("target-out-of-range", "target stars"))
def stars(lab: Any, healthy: Records) -> Records:
    return tables_anew(healthy, rows=healthy_rows(stars=lambda i: i % 5 + 1))


@planted("non-target-column", of("non-target-column", "ratings"))
def counted_columns(lab: Any, healthy: Records) -> Records:
    return tables_anew(healthy, rows=healthy_rows(**NO_TARGETS))


@planted("group-leak", of("group-leak", "ratings"))
def grouped_by_id(lab: Any, healthy: Records) -> Records:
    return tables_anew(healthy, settings={"prepare.ratings.group": "qa_id"})


@planted("numbers-not-read", of("numbers-not-read", "ratings"))
def decimal_commas(lab: Any, healthy: Records) -> Records:
    return tables_anew(healthy, rows=healthy_rows(stars=lambda i: f"0,{i % 6}"))


@planted("undefined-targets", of("undefined-targets", "ratings"))
def one_value(lab: Any, healthy: Records) -> Records:
    return tables_anew(healthy, rows=healthy_rows(polite=lambda i: 1.0))


@planted("fixed-allocation-truncates", of("fixed-allocation-truncates", "ratings"))
def wasted_tokens(lab: Any, healthy: Records, unused: float = 0.3) -> Records:
    table = token_table(fixed=0.1 + unused, adaptive=0.1, used="fixed")
    return with_data(healthy, tables=healthy.data.tables | {"rating_fields": table})


GRID = {"stars": lambda i: i % 5 + 1, "points": lambda i: i % 7 - 3}


WIDE = {"prepare.ratings.rescale": {"stars": [1.0, 5.0], "points": [-3.0, 3.0]}}


def read_back(table):
    with tempfile.TemporaryDirectory() as folder:
        io.write_table(f"{folder}/table.csv", table)
        return io.read_table(f"{folder}/table.csv")


def spoken(healthy, **changes):
    """Findings of `prepare` by code, read back from CSV as `diagnose` reads them."""
    tables = {
        name: read_back(table) if name.startswith("rating_") else table
        for name, table in (healthy.data.tables | rating_tables(**changes)).items()
    }
    return {finding.code: finding for finding in preflight(with_data(healthy, tables=tables).data)}


FIXED = {
    "target-out-of-range": ({"rows": healthy_rows(**GRID)}, WIDE),
    "non-target-column": (
        {"rows": healthy_rows(**NO_TARGETS)},
        {"prepare.ratings.exclude": ["category", "host", "url"]},
    ),
    "group-leak": ({"settings": {"prepare.ratings.group": "qa_id"}}, {"prepare.ratings.group": "question_title"}),
    "undefined-targets": ({"rows": healthy_rows(polite=lambda i: 1.0)}, {"prepare.ratings.exclude": ["polite"]}),
}


@pytest.mark.parametrize("code", FIXED)
def test_the_overrides_of_the_finding_silence_it(code, healthy):
    changes, fix = FIXED[code]
    found = spoken(healthy, **changes)
    assert set(found) == {code}
    if fix:
        assert found[code].fix.params == fix
    after = {"settings": changes.get("settings", {}) | found[code].fix.params}
    assert spoken(healthy, **changes | after) == {}


def test_a_fix_keeps_the_columns_that_are_excluded_already(healthy):
    rows = healthy_rows(**NO_TARGETS, polite=lambda i: 1.0)
    before = {"prepare.ratings.exclude": ["category", "url"]}
    found = spoken(healthy, rows=rows, settings=before)
    assert found["non-target-column"].fix.params == {"prepare.ratings.exclude": ["category", "url", "host"]}
    assert found["undefined-targets"].fix.params == {"prepare.ratings.exclude": ["category", "url", "polite"]}


def test_all_columns_on_another_scale_are_fixed_by_one_command_that_adds_their_ranges(healthy):
    rows = healthy_rows(**GRID)
    tables = healthy.data.tables | rating_tables(rows)
    found = [one for one in preflight(with_data(healthy, tables=tables).data) if one.severity == "error"]
    assert {system for finding in found for system in finding.systems} == {"target stars", "target points"}
    assert {finding.fix.command for finding in found} == {
        "dvc exp run -S '++prepare.ratings.rescale={stars:[1.0,5.0],points:[-3.0,3.0]}'"
    }


def test_a_slip_asks_for_the_row_and_not_for_another_scale(healthy):
    rows = healthy_rows(share=lambda i: 15 if i == 41 else 0.2 * (i % 6))
    found = spoken(healthy, rows=rows)["target-out-of-range"]
    assert found.fix.params == {} and "line 43" in found.fix.action
    assert "0.2 % of its rows are outside, the first in line 43 (15)" in found.sentence


def test_names_that_no_override_can_hold_are_an_action(healthy):
    rows = healthy_rows(**{"asker's home": lambda i: ["x.org", "y.org"][i % 2], "5 stars": lambda i: i % 5 + 1})
    found = spoken(healthy, rows=rows)
    assert all(finding.fix.params == {} for finding in found.values())
    assert "asker's home" in found["non-target-column"].fix.action
    assert "5 stars" in found["target-out-of-range"].fix.action


@pytest.mark.parametrize("name", ["", "NA", "None", "null", "2019"])
def test_names_that_csv_could_take_for_something_else_are_named(name, healthy):
    found = spoken(healthy, rows=healthy_rows(**{name: lambda i: 1000 + i}))
    assert set(found) == {"non-target-column"}
    assert f"'{name}' " in found["non-target-column"].sentence
    # All but one mean something else in an override, too.
    fix = found["non-target-column"].fix
    if name == "NA":
        assert fix.params == {"prepare.ratings.exclude": [name]}
    else:
        assert fix.action == f"add '{name}' to prepare.ratings.exclude in params.yaml"


def test_one_number_in_all_rows_is_no_scale_and_is_excluded_beside_the_ranges_of_others(healthy):
    rows = healthy_rows(**GRID, raters=lambda i: 5)
    tables = healthy.data.tables | rating_tables(rows)
    found = {one.system: one.fix for one in preflight(with_data(healthy, tables=tables).data)}
    exclude = {"prepare.ratings.exclude": ["raters"]}
    assert found["target raters"].params == exclude
    assert found["target stars"].params == WIDE | exclude
    assert spoken(healthy, rows=rows, settings=found["target stars"].params) == {}


def test_questions_without_a_title_are_like_no_other(healthy):
    rows = healthy_rows()
    for row in rows[::3]:
        row["question_title"] = ""
    assert spoken(healthy, rows=rows, settings={"prepare.ratings.group": "question_body"}) == {}


@pytest.mark.parametrize(("column", "fixed"), [("question_title", True), ("Frage (Titel)", False)])
def test_a_leak_is_fixed_by_a_column_only_where_an_override_can_name_it(column, fixed, healthy):
    tables = rating_tables(settings={"prepare.ratings.group": "qa_id"})
    fields = tables["rating_fields"]
    tables["rating_fields"] = fields.assign(column=fields["column"].replace("question_title", column))
    (found,) = preflight(with_data(healthy, tables=healthy.data.tables | tables).data)
    assert found.code == "group-leak" and found.fix.params == ({"prepare.ratings.group": column} if fixed else {})
    assert bool(found.fix.action) != fixed


BODY = "The pump of my garden hums all night, number"
OWN_TITLES = {"question_title": lambda i: f"T {i}"}
BODIES = OWN_TITLES | {"question_body": lambda i: f"{BODY} {i % 250}"}
RATED_ANSWERS = OWN_TITLES | {
    "answer": lambda i: f"{BODY} {i % 20}",
    "helpful": lambda i: i % 20 / 20,
    "has_steps": lambda i: float(i % 2),
}


@pytest.mark.parametrize(
    ("columns", "said", "group"),
    [(BODIES, "the body of", "question_body"), (RATED_ANSWERS, "the answer and all ratings of", "answer")],
)
def test_a_leak_by_body_or_by_rated_answer_is_found_and_fixed_by_that_column(columns, said, group, healthy):
    rows = healthy_rows(**columns)
    found = spoken(healthy, rows=rows)["group-leak"]
    assert said in found.sentence and found.fix.params == {"prepare.ratings.group": group}
    assert spoken(healthy, rows=rows, settings=found.fix.params) == {}


@pytest.mark.parametrize(
    ("columns", "numbers"),
    [
        ({"a": lambda i: f"0,{i % 6}"}, ["comma"]),
        ({"a": lambda i: f"{i % 101}%", "b": lambda i: f"{i % 6}/5"}, ["fraction", "percent"]),
        ({"a": lambda i: ["0,5", "85 %", "4/5"][i % 3]}, ["comma", "fraction", "percent"]),
    ],
)
def test_numbers_that_are_not_plain_are_never_excluded_but_read_as_the_fix_says(columns, numbers, healthy):
    found = spoken(healthy, rows=healthy_rows(**columns))
    assert set(found) == {"numbers-not-read"}
    assert found["numbers-not-read"].fix.params == {"prepare.files.numbers": numbers}
    assert spoken(healthy, rows=healthy_rows(**columns), settings=found["numbers-not-read"].fix.params) == {}
    assert found["numbers-not-read"].fix.command == f"dvc exp run -S 'prepare.files.numbers=[{','.join(numbers)}]'"


def test_numbers_with_words_beside_them_are_for_the_user_to_write(healthy):
    found = spoken(healthy, rows=healthy_rows(a=lambda i: f"{i % 5 + 1} stars"))["numbers-not-read"]
    assert found.fix.params == {} and "write plain numbers in 'a'" in found.fix.action
    assert "numbers with something else beside them, such as '1 stars' (line 2)" in found.sentence


def test_a_target_that_is_constant_in_one_fold_alone_is_undefined_too(healthy):
    fold = rating_tables()["rating_folds"]
    assert len(fold) == 5
    rows = healthy_rows(rude=lambda i: float(i in (0, 1, 2)))
    found = spoken(healthy, rows=rows)["undefined-targets"]
    assert "1 of 3 targets have one value in all rows of some fold, 0 of them in all rows" in found.sentence


@pytest.mark.parametrize(("unused", "speaks"), [(0.07, False), (0.08, True)])
def test_allocation_speaks_from_a_twentieth_of_all_tokens(unused, speaks, lab, healthy, findings):
    # Two thirds of the tokens are in answers, the one field that is cut.
    found = findings(wasted_tokens(lab, healthy, unused))
    assert set(found) == (of("fixed-allocation-truncates", "ratings") if speaks else set())


def test_shared_budgets_are_silent_however_much_is_cut(healthy, findings):
    tables = rating_tables()
    table = tables["rating_fields"].assign(share_lost=0.6, share_lost_adaptive=0.6, share_lost_fixed=0.9)
    assert findings(with_data(healthy, tables=healthy.data.tables | {"rating_fields": table})) == {}


def test_without_ratings_nothing_is_said_of_them(healthy):
    tables = {name: table for name, table in healthy.data.tables.items() if not name.startswith("rating_")}
    assert preflight(with_data(healthy, tables=tables).data) == []
