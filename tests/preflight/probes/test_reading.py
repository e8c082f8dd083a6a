"""What reading left out or took in one of several ways is said, and a plain set says nothing."""

from typing import Any

import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.data.ratings.columns import TABLE_COLUMNS
from whyrank.findings.finding import Finding
from whyrank.findings.records import Records
from whyrank.preflight.examine import preflight, stop

from ...diagnosis.probes.faults import of, planted, with_data

LEFT_OUT = ["file", "reason", "rows", "line", "is_consequence"]


def rows_table(rejected: int, left_out: int) -> pd.DataFrame:
    """400 queries of 40 documents, some of them lost."""
    table = pd.DataFrame({"file": ["corpus.jsonl", "queries.jsonl", "qrels/train.tsv"], "rows": [40, 400, 400]})
    table["rejected"], table["left_out"] = [rejected, 0, 0], [0, left_out, left_out]
    return table.assign(kept=table["rows"] - table["rejected"] - table["left_out"])


def with_tables(healthy: Records, **tables: pd.DataFrame) -> Records:
    return with_data(healthy, tables=healthy.data.tables | tables)


def of_code(records: Records, code: str) -> list[Finding]:
    return [finding for finding in preflight(records.data) if finding.code == code]


@planted("rows-not-used", of("rows-not-used", "data"))
def empty_documents(lab: Any, healthy: Records) -> Records:
    lost = [
        ("queries.jsonl", "its answer is rejected", 27, 1, True),
        ("qrels/train.tsv", "its answer is rejected", 27, 2, True),
    ]
    return with_tables(healthy, rows=rows_table(3, 27), left_out=pd.DataFrame(lost, columns=LEFT_OUT))


@planted("files-not-read", of("files-not-read", "data"))
def a_spreadsheet_beside(lab: Any, healthy: Records) -> Records:
    return with_tables(healthy, unread=pd.DataFrame({"file": ["corpus.xlsx", "qrels/notes.txt"]}))


@planted("query-types-ignored", of("query-types-ignored", "data"))
def another_vocabulary(lab: Any, healthy: Records) -> Records:
    return with_tables(healthy, types=types(("faq", 54, ""), ("question", 30, "question")))


@planted("graded-relevance", of("graded-relevance", "data"))
def grades(lab: Any, healthy: Records) -> Records:
    return with_tables(healthy, scores=scores((0, 10, False), (1, 300, True), (2, 100, True)))


@planted("range-never-reached", of("range-never-reached", "pairs of sts"))
def divided_by_five(lab: Any, healthy: Records) -> Records:
    ranges = pd.DataFrame(
        [("sts", 500, 0.0, 5.0, 0.0, 1.0)], columns=["source", "n", "low", "high", "minimum", "maximum"]
    )
    counts = pd.DataFrame({"source": ["nli", "sts"], "use": "train", "kept": 400})
    return with_tables(healthy, pair_ranges=ranges, pair_counts=counts)


def types(*rows: tuple[str, int, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["type", "queries", "read_as"])


def scores(*rows: tuple[float, int, bool]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["score", "judgements", "is_relevant"])


def test_causes_and_consequences_are_counted_apart(healthy):
    (found,) = of_code(empty_documents(None, healthy), "rows-not-used")
    assert found.severity == "warning"
    assert found.sentence.startswith(
        "57 of 840 rows are not used: 3 rejected, 54 that point to rejected ones. 373 of 400"
    )


def test_queries_that_nobody_judged_are_information(healthy):
    lost = pd.DataFrame([("queries.jsonl", "no judgement", 100, 1, False)], columns=LEFT_OUT)
    rows = rows_table(0, 100).assign(left_out=[0, 100, 0])
    (found,) = of_code(with_tables(healthy, rows=rows, left_out=lost), "rows-not-used")
    assert found.severity == "info" and "100 without a judgement or a relevant answer" in found.sentence
    assert not of_code(with_tables(healthy, rows=rows_table(0, 0), left_out=lost.iloc[:0]), "rows-not-used")


def test_what_is_as_expected_is_not_mentioned(healthy):
    tables = {
        "unread": pd.DataFrame({"file": []}),
        "types": types(("question", 30, "question"), ("chat", 20, "conversation")),
        "scores": scores((0, 10, False), (1, 300, True)),
    }
    assert preflight(with_tables(healthy, **tables).data) == []
    stated = scores((0, 10, False), (1, 300, False), (2, 90, True), (3, 9, True))
    assert preflight(with_tables(healthy, scores=stated).data) == []
    assert (
        preflight(with_tables(healthy, types=types()).data)
        == preflight(with_tables(healthy, scores=scores()).data)
        == []
    )


@pytest.mark.parametrize(
    ("n", "low", "high", "minimum", "maximum", "asked"),
    [
        (500, 0.0, 5.0, 0.0, 5.0, False),
        (500, 0.0, 5.0, 0.2, 4.8, False),
        (500, 0.0, 5.0, 0.0, 3.7, True),
        (500, 1.0, 5.0, 2.1, 5.0, True),
        (500, 0.0, 100.0, 1.0, 5.0, True),
        (19, 0.0, 5.0, 0.0, 1.0, False),
        (500, float("nan"), float("nan"), 0.0, 0.5, False),
    ],
)
def test_a_range_is_questioned_where_its_upper_or_lower_quarter_is_empty(
    healthy, n, low, high, minimum, maximum, asked
):
    row = dict.fromkeys(TABLE_COLUMNS, "") | {"column": "stars", "kind": "target", "is_target": True, "n": n}
    table = pd.DataFrame([row | {"low": low, "high": high, "minimum": minimum, "maximum": maximum}])
    found = of_code(with_tables(healthy, rating_columns=table), "range-never-reached")
    assert [finding.system for finding in found] == ["target stars"] * asked


def test_files_beside_ratings_and_sts_files_without_a_counterpart_are_named_too(healthy):
    tables = {"rating_unread": pd.DataFrame({"file": ["quest/test.csv"]})}
    tables["pair_unpaired"] = pd.DataFrame({"source": ["sts12"], "file": ["STS12/STS.gs.ALL.txt"]})
    (found,) = of_code(with_tables(healthy, **tables), "files-not-read")
    assert found.sentence == "2 files in a source folder are not read: quest/test.csv, STS12/STS.gs.ALL.txt."


def test_the_fix_of_a_range_is_that_of_its_source(healthy):
    (found,) = of_code(divided_by_five(None, healthy), "range-never-reached")
    assert found.fix.params == {"prepare.pairs.sources.1.range": [0.0, 1.0]}


def test_what_does_not_stop_the_run_is_printed_a_line_each(healthy, capsys):
    findings = preflight(a_spreadsheet_beside(None, healthy).data)
    stop(findings, "error")
    assert capsys.readouterr().err == (
        "preflight: info: files-not-read: 2 files in a source folder are not read: corpus.xlsx, qrels/notes.txt.\n"
    )
    with pytest.raises(UserError, match=r"preflight: files-not-read: .* Remedy: rename"):
        stop(findings, "info")
    assert capsys.readouterr().err == ""
