"""The table of all queries against places worked by hand."""

from dataclasses import replace

import pandas as pd
import pytest

from whyrank.diagnosis.compare.queries import outcomes, query_table


def test_a_row_per_test_query_with_its_rank_in_each_system(recorded):
    table = query_table(recorded, "base-tuned")
    run = recorded.runs["base-tuned"].queries
    assert table["query_id"].tolist() == run["query_id"].tolist()
    assert list(table)[7:] == ["words", "overlap"] + [f"rank_{system}" for system in recorded.runs]
    assert table["rank_base-tuned"].tolist() == (run["above"] + 1).tolist()
    titles = recorded.data.answers.set_index("answer_id")["title"]
    assert table["answer"].tolist() == titles[run["cluster"]].tolist()
    is_first = table["rank_base-tuned"] == 1
    assert (table["first"] == table["answer"])[is_first].all() and 0 < is_first.mean() < 1
    assert not (table["first"] == table["answer"])[~is_first].any()


def test_equal_scores_have_the_mean_of_their_places(recorded):
    bm25 = recorded.runs["bm25"]
    tied = replace(bm25, queries=bm25.queries.assign(above=2, tied=4))  # places 3, 4, 5 and 6
    assert set(query_table(replace(recorded, runs={"bm25": tied}), "bm25")["rank_bm25"]) == {4.5}


def test_a_query_without_kept_answers_has_no_first_one(recorded):
    run = recorded.runs["base"]
    few = replace(run, top=run.top[run.top["query_id"] != run.queries["query_id"].iloc[0]])
    first = query_table(replace(recorded, runs={"base": few}), "base")["first"]
    assert first.iloc[0] == "" and (first.iloc[1:] != "").all()


def test_why_a_label_is_suspected_stands_beside_its_query(recorded):
    ids = recorded.runs["base"].queries["query_id"]
    rows = {"query_id": [ids.iloc[1], ids.iloc[1], "of train"], "why": ["label at rank 30", "again", "x"]}
    listed = {"rows_wrong-labels": pd.DataFrame(rows), "rows_labels-shifted": pd.DataFrame()}
    data = replace(recorded.data, tables=recorded.data.tables | listed)
    found = query_table(replace(recorded, data=data), "base")["suspected"]
    assert found.iloc[1] == "label at rank 30" and (found.drop(1) == "").all()
    assert (query_table(recorded, "base")["suspected"] == "").all()


def test_wins_and_losses_are_counted_by_rank():
    table = pd.DataFrame({"rank_a": [1, 1, 3, 2.5], "rank_b": [2, 1, 1, 3]})
    assert outcomes(table, "a", ["b"]).to_numpy().tolist() == [["b", 2, 1, 1]]
    assert outcomes(table, "b", ["a"]).to_numpy().tolist() == [["a", 1, 2, 1]]
    assert outcomes(table, "a", []).empty


@pytest.mark.parametrize("length", [100, 500])
def test_texts_are_cut_and_have_no_control_characters(recorded, length):
    data = replace(recorded.data, queries=recorded.data.queries.assign(raw_text="\u202e\x1b[2J" + "word " * length))
    text = query_table(replace(recorded, data=data), "base")["text"].iloc[0]
    assert len(text) <= 200 and text.startswith("[2Jword") and text.endswith("…")


def test_words_are_counted_in_any_script_and_the_overlap_is_that_of_prepare(recorded):
    run = recorded.runs["base"]
    one = run.queries["query_id"].iloc[0]
    queries = recorded.data.queries.copy()
    queries.loc[queries["query_id"] == one, "raw_text"] = "Why won't \u6211\u7684 app open?"
    data = replace(recorded.data, queries=queries)
    table = query_table(replace(recorded, data=data), "base").set_index("query_id")
    # why, won, t; two characters of Chinese; app, open
    assert table["words"][one] == 7
    prepared = recorded.data.tables["overlap"].set_index("query_id")["overlap"]
    assert table["overlap"].equals(prepared.loc[table.index])
    unknown = replace(recorded.data, tables={})
    assert query_table(replace(recorded, data=unknown), "base")["overlap"].isna().all()
