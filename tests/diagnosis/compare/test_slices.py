from dataclasses import replace

import pandas as pd
import pytest

from whyrank.diagnosis.compare.slices import slices
from whyrank.diagnosis.compare.text import shorten
from whyrank.diagnosis.compare.worst import worst_queries

DRAWS = {"level": 0.95, "resamples": 100, "seed": 0}


@pytest.fixture(scope="module")
def table(recorded):
    return slices(recorded, "accuracy@1", **DRAWS)


def test_every_bin_of_a_slice_together_holds_all_test_queries_once(recorded, table):
    n = len(recorded.runs["base"].queries)
    assert set(table["slice"]) == {"type", "length", "overlap", "query cut", "answer cut"}
    assert (table.groupby(["slice", "system"])["n"].sum() == n).all()


def test_bins_average_to_the_whole(recorded, table):
    part = table[(table["slice"] == "length") & (table["system"] == "barlow")]
    mean = (part["value"] * part["n"]).sum() / part["n"].sum()
    assert mean == pytest.approx(recorded.runs["barlow"].queries["accuracy@1"].mean())


def test_length_is_in_quarters_and_overlap_in_thirds_in_rising_order(table):
    lengths = table.loc[table["slice"] == "length", "bin"].drop_duplicates().tolist()
    starts = [int(label.split("\u2013")[0]) for label in lengths]
    assert len(lengths) == 4 and starts == sorted(starts)
    assert table.loc[table["slice"] == "overlap", "bin"].nunique() == 3


def test_cut_answers_are_those_that_lost_tokens(recorded, table):
    row = table[(table["slice"] == "answer cut") & (table["bin"] == "cut") & (table["system"] == "base")].iloc[0]
    answers = recorded.data.answers
    cut = answers.loc[answers["tokens"] < answers["tokens_raw"], "answer_id"]
    queries = recorded.runs["base"].queries
    chosen = queries[queries["cluster"].isin(cut)]
    assert (row["n"], row["value"]) == (len(chosen), pytest.approx(chosen["accuracy@1"].mean()))


def test_slice_that_does_not_divide_the_queries_is_left_out(recorded):
    same = recorded.data.queries.assign(tokens_raw=7, tokens=7)
    data = replace(recorded.data, queries=same, tables={})
    names = set(slices(replace(recorded, data=data), "accuracy@1", **DRAWS)["slice"])
    assert names == {"type", "answer cut"}


def test_worst_queries_are_those_with_most_answers_above_the_right_one(recorded):
    found = worst_queries(recorded, "accuracy@1", n=5)
    queries = recorded.runs["base-tuned"].queries
    assert [query.system for query in found] == ["base-tuned"] * 5
    ranks = [int(query.place) for query in found]
    assert ranks == sorted(queries["above"] + 1, reverse=True)[:5]


def test_worst_query_carries_its_texts_its_hits_and_what_the_floors_did(recorded):
    query = worst_queries(recorded, "accuracy@1", n=1)[0]
    data, run = recorded.data, recorded.runs["base-tuned"]
    right = data.qrels.set_index("query_id").loc[query.query_id, "answer_id"]
    assert [hit.answer_id for hit in query.right] == [right]
    top = run.top[run.top["query_id"] == query.query_id].sort_values("rank")
    assert [hit.answer_id for hit in query.top] == top["answer_id"].head(3).tolist()
    assert not query.top[0].is_relevant
    assert set(query.others) == {"tfidf", "bm25"}
    above = recorded.runs["bm25"].queries.set_index("query_id").loc[query.query_id, "above"]
    assert query.others["bm25"] == str(above + 1)
    assert query.right[0].score == pytest.approx(run.queries.set_index("query_id").loc[query.query_id, "score"])


def test_right_answer_in_a_tie_has_a_range_of_ranks(recorded):
    run = recorded.runs["base-tuned"]
    tied = run.queries.assign(above=3, tied=4)
    records = replace(recorded, runs={"base-tuned": replace(run, queries=tied)})
    assert worst_queries(records, "accuracy@1", n=1)[0].place == "4 to 7"


def test_nothing_is_worst_where_every_right_answer_is_first(recorded):
    run = recorded.runs["base-tuned"]
    records = replace(recorded, runs={"base-tuned": replace(run, queries=run.queries.assign(above=0))})
    assert worst_queries(records, "accuracy@1") == []


def test_without_tuned_systems_the_best_of_the_others_is_taken(recorded):
    runs = {name: recorded.runs[name] for name in ("tfidf", "base", "barlow")}
    assert worst_queries(replace(recorded, runs=runs), "accuracy@1", n=1)[0].system == "base"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n b\t\x1b[31m\x00", "a b [31m"),  # a terminal's escape character is gone
        ("abc\u202edef\u2066", "abc def"),  # overrides of the reading direction too
        ("aaaa bbbb cccc", "aaaa bbbb…"),
        ("a" * 30, "a" * 11 + "…"),
    ],
)
def test_shortened_text_is_one_printable_line(text, expected):
    assert shorten(text, 12) == expected


def test_missing_overlap_table_only_loses_that_slice(recorded):
    data = replace(recorded.data, tables={"lengths": pd.DataFrame()})
    assert "overlap" not in set(slices(replace(recorded, data=data), "accuracy@1", **DRAWS)["slice"])
