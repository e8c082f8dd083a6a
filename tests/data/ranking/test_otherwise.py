"""Cut texts of the dev set under every way to select."""

import numpy as np
import pandas as pd
import pytest

from whyrank.data.ranking.otherwise import TRIED, otherwise
from whyrank.data.ranking.selection import SELECTIONS, Document


def select(kind: str, documents: list[Document], way: str) -> list[str]:
    return [f"{way}: {document.whole}" for document in documents]


WAYS = {"question": "head", "conversation": "head_tail", "answer": "head"}


def tried(given, documents, way="head_tail", **lost):
    return otherwise(*given, documents, select, used=WAYS | {"conversation": way}, lost=lost)


def tables(n: int, cut: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Every other query is of the dev set; the first `cut` queries are cut, and no answer is."""
    ids = [f"q{i:03d}" for i in range(n)]
    queries = pd.DataFrame({"query_id": ids, "type": "conversation", "split": ["dev", "train"] * (n // 2)})
    queries = queries.assign(raw_text=ids, text=[f"head_tail: {one}" for one in ids], tokens=9)
    queries["tokens_raw"] = np.where(np.arange(n) < cut, 20, 9)
    answers = pd.DataFrame({"answer_id": ["a", "b"], "text": ["x", "y"], "tokens": 5, "tokens_raw": 5})
    return answers, queries, pd.DataFrame({"query_id": ids, "answer_id": ["a", "b"] * (n // 2)})


def test_each_cut_dev_text_is_there_once_for_each_way_and_the_way_in_use_is_known():
    table = tried(tables(20, 10), [Document("", "x"), Document("", "y")], conversation=0.3)
    ways = [way for way in SELECTIONS if way != "tfidf_sections"]
    assert table["way"].drop_duplicates().tolist() == ways and set(table["kind"]) == {"conversation"}
    assert table.loc[table["way"] == "tail", "id"].tolist() == ["q000", "q002", "q004", "q006", "q008"]
    assert table.loc[table["is_used"], "way"].unique().tolist() == ["head_tail"]
    assert table.loc[table["way"] == "tail", "text"].tolist()[0] == "tail: q000"


@pytest.mark.parametrize(
    ("lost", "way", "n"), [(0.24, "head_tail", 0), (0.26, "head_tail", 10), (0.0, "head", 10), (0.0, "tail", 0)]
)
def test_nothing_is_tried_where_little_is_lost_and_the_end_is_kept(lost, way, n):
    table = tried(tables(200, 20), [Document("", "x"), Document("", "y")], way, conversation=lost)
    assert len(table) == n * 4


def test_only_conversations_are_tried_for_their_end_alone():
    answers, queries, relevant = tables(200, 200)
    assert tried((answers, queries.assign(type="question"), relevant), [Document("", "x")] * 2).empty


def test_many_are_sampled_evenly():
    ids = tried(tables(400, 400), [Document("", "x")] * 2, conversation=0.5)["id"].unique()
    assert len(ids) == TRIED and (ids[0], ids[-1]) == ("q000", "q398")


def test_answers_are_those_that_dev_queries_ask_for_with_their_sections():
    answers, queries, relevant = tables(20, 0)
    answers["tokens_raw"] = 50
    documents = [Document("A", "x", (("one", "x"),)), Document("B", "y")]
    table = tried((answers, queries, relevant), documents, answer=0.3)
    # Dev queries are the even ones, whose answer is a.
    assert set(table["id"]) == {"a"} and set(table["kind"]) == {"answer"} and set(table["way"]) == set(SELECTIONS)
    assert table.loc[table["way"] == "tail", "text"].tolist() == ["tail: A x"]
    assert table.loc[table["is_used"], "way"].tolist() == ["head"]
