"""Which system is recommended, on numbers worked by hand, and what the table of systems says of the others."""

from dataclasses import replace

import pandas as pd
import pytest

from whyrank.core.options.systems import System
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.report.content import gather
from whyrank.diagnosis.report.markdown import table_blocks
from whyrank.diagnosis.report.recommended import recommended
from whyrank.diagnosis.report.sections.systems import section
from whyrank.diagnosis.report.tables import beaten, in_order
from whyrank.findings.finding import Finding

NAMES = ("tfidf", "bm25", "base", "barlow", "base-tuned", "barlow-tuned")


@pytest.fixture(scope="module")
def content(recorded):
    return gather(Examination(recorded, "accuracy@1", 0.95, 200, 0), [], {})


def with_values(content, values, rows=()):
    """values   of the systems by name;  rows   a, b, a - b, Holm's p"""
    systems = pd.DataFrame(
        [(name, "all", "accuracy@1", value, value, value, 100) for name, value in values.items()],
        columns=["system", "type", "metric", "value", "low", "high", "n"],
    )
    compared = [(a, b, "all", difference, p) for a, b, difference, p in rows]
    table = pd.DataFrame(compared, columns=["a", "b", "type", "difference", "p_holm"])
    return replace(content, systems=systems, comparisons=table)


def test_the_best_system_is_recommended_with_what_it_beats(content):
    rows = [
        ("base-tuned", "base", 0.2, 0.001),
        ("base-tuned", "tfidf", 0.3, 0.02),
        ("barlow-tuned", "base-tuned", -0.1, 0.3),
    ]
    values = {"tfidf": 0.3, "base": 0.4, "base-tuned": 0.6, "barlow-tuned": 0.5}
    assert recommended(with_values(content, values, rows)) == (
        "base-tuned",
        "the highest accuracy@1, 0.600; significantly above base and tfidf, not significantly above barlow-tuned.",
    )


def test_a_simpler_system_within_a_point_is_recommended(content):
    values = {"tfidf": 0.3, "base": 0.4, "base-tuned": 0.595, "barlow-tuned": 0.6}
    rows = [("barlow-tuned", "base-tuned", 0.005, 0.4), ("base-tuned", "base", 0.195, 0.01)]
    assert recommended(with_values(content, values, rows)) == (
        "base-tuned",
        "accuracy@1 0.595, and simpler than barlow-tuned, which is ahead by +0.5 points only; significantly above "
        "base, not significantly above barlow-tuned.",
    )
    surely = [("barlow-tuned", "base-tuned", 0.005, 0.01)]
    assert recommended(with_values(content, values, surely))[0] == "barlow-tuned"


def beside(content, **rivals):
    known = content.records.systems
    return replace(
        content, records=replace(content.records, systems=replace(known, options={**known.options, **rivals}))
    )


def test_a_cross_encoder_and_what_another_tool_made_are_not_called_simpler(content):
    reranked = System("reranker", "rival", "data/scores/bm25", model="theirs")
    fused = System("fusion", "rival", "data/scores/run")
    content = beside(content, reranked=reranked, theirs=System("run", "rival", "a.trec"), fused=fused)
    values = {"base": 0.4, "base-tuned": 0.6, "reranked": 0.595, "theirs": 0.596, "fused": 0.596}
    assert recommended(with_values(content, values)) == ("base-tuned", "the highest accuracy@1, 0.600.")
    better = {"base": 0.4, "base-tuned": 0.595, "reranked": 0.6}
    assert recommended(with_values(content, better))[0] == "base-tuned"
    # Nor is anything called simpler than what takes nobody knows how much.
    unknown = {"tfidf": 0.595, "base": 0.4, "theirs": 0.6}
    assert recommended(with_values(content, unknown)) == ("theirs", "the highest accuracy@1, 0.600.")


def test_a_recommendation_beside_errors_says_that_it_may_change(content):
    doubtful = replace(with_values(content, {"tfidf": 0.3, "base": 0.2}), findings=[Finding("x", "error")])
    assert recommended(doubtful) == (
        "tfidf", "the highest accuracy@1, 0.300. Fix the error first: what is best may change."
    )  # fmt: skip


def test_systems_stand_by_their_metric_and_a_letter_names_what_each_significantly_beats(content):
    rows = [("base-tuned", "base", 0.2, 0.001), ("barlow", "base", -0.1, 0.01), ("base", "tfidf", 0.1, 0.2)]
    one = with_values(content, {"tfidf": 0.3, "barlow": 0.35, "base": 0.4, "base-tuned": 0.6}, rows)
    assert list(dict.fromkeys(in_order(one.systems, "accuracy@1")["system"])) == [
        "base-tuned",
        "base",
        "barlow",
        "tfidf",
    ]
    assert beaten(one.comparisons, 0.95) == {("base-tuned", "all"): ["base"], ("base", "all"): ["barlow"]}
    table = section(one).blocks[2]
    assert [(row[0].text, row[0].above, row[1].above) for row in table.groups[0].rows] == [
        ("base-tuned", "a", "b"), ("base", "b", "c"), ("barlow", "c", ""), ("tfidf", "d", ""),
    ]  # fmt: skip


def test_the_terminal_shows_letters_before_names_and_behind_numbers(content):
    rows = [("base-tuned", "base", 0.2, 0.001), ("base-tuned", "tfidf", 0.3, 0.02)]
    one = with_values(content, {"tfidf": 0.3, "base": 0.4, "base-tuned": 0.6}, rows)
    text = "\n".join(table_blocks(section(one).blocks[2]))
    assert "| a base-tuned | 0.600*bc [0.600, 0.600] |" in text
    assert "| c tfidf      | 0.300    [0.300, 0.300] |" in text


def test_the_table_of_systems_has_the_cost_beside_the_quality(content):
    one = with_values(content, {"tfidf": 0.3, "base": 0.4}, [("base", "tfidf", 0.1, 0.01)])
    table = section(one).blocks[2]
    assert [(cell.text, cell.note) for cell in table.head[-2:]] == [
        ("Parameters", "size, layers"), ("Dimensions", "of an answer"),
    ]  # fmt: skip
    costs = {row[0].text: [(cell.text, cell.note) for cell in row[-2:]] for row in table.groups[0].rows}
    # 16 numbers of 4 bytes; a baseline has neither weights nor vectors.
    assert costs["base"] == [("22.7 M", "91 MB, 6 layers"), ("16", "64 B")]
    assert costs["tfidf"] == [("\u2013", ""), ("\u2013", "")]
