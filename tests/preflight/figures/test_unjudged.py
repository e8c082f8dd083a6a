"""Unjudged answers that say the same as the right one, in hand-made scores."""

import numpy as np
import pandas as pd
import pytest

from whyrank.core.prepared import Prepared
from whyrank.preflight.figures import rankers, unjudged
from whyrank.preflight.figures.texts.read import Read

TEXTS = {
    "a": "open the settings and tap reset then wait for a minute until the lamp is green again",
    "a2": "open the settings and tap reset then wait for a minute until the lamp is blue again",
    "b": "send the parcel back within thirty days and we refund the whole price to your card",
    "book": "open the settings and tap reset then wait for a minute until the lamp is green again "
    "send the parcel back within thirty days and we refund the whole price to your card and more besides",
    "c": "a pump that hums is no fault as long as water comes out of it",
}
ORDER = list(TEXTS)


def tables(scores: dict[str, list[float]], judged: list[tuple[str, str, int]]) -> dict[str, pd.DataFrame]:
    """scores   of the answers in the order of TEXTS, by query;  judged   query, answer, score"""
    answers = pd.DataFrame({"answer_id": ORDER, "text": list(TEXTS.values()), "raw_text": list(TEXTS.values())})
    queries = pd.DataFrame({"query_id": list(scores), "split": "test", "type": "question"})
    prepared = Prepared(answers, queries, pd.DataFrame(judged, columns=["query_id", "answer_id", "score"]))
    pairs = prepared.relevant.assign(row=prepared.relevant["query"], split="test", type="question")
    score_SA = np.array(list(scores.values()), dtype=np.float32)
    ranked = rankers.Ranked(
        np.arange(len(queries)), pairs, dict.fromkeys(rankers.RANKERS, score_SA), rankers.RANKERS, 9.0
    )
    return unjudged.tables(ranked, Read(prepared))


def merges(found: dict[str, pd.DataFrame]) -> list[tuple[str, ...]]:
    rows = found["rows_missing-judgements"][["query_id", "answer_id", "becomes"]]
    return list(rows.itertuples(index=False, name=None))


def test_a_copy_above_the_right_answer_is_a_missing_judgement_and_is_merged():
    found = tables({"q": [1, 2, 0, 0, 0]}, [("q", "a", 1)])
    (row,) = found["unjudged"].itertuples(index=False)
    assert (row.answer_id, row.unjudged, row.right, row.completed) == ("a", "a2", 0.0, 1.0)
    assert row.overlap == pytest.approx(13 / 17)
    assert merges(found) == [("", "a2", "a")]


def test_an_equal_score_is_shared_and_a_copy_below_costs_nothing():
    found = tables({"tied": [2, 2, 0, 0, 0], "below": [2, 1, 0, 0, 0]}, [("tied", "a", 1), ("below", "a", 1)])
    table = found["unjudged"].set_index("query_id")
    assert table.loc["tied", ["unjudged", "right", "completed"]].tolist() == ["a2", 0.5, 1.0]
    assert table.loc["below", ["unjudged", "right", "completed"]].tolist() == ["", 1.0, 1.0]


def test_an_answer_that_holds_the_right_one_says_it_and_is_not_merged_into_it():
    found = tables({"q": [0, 0, 1, 2, 0]}, [("q", "b", 1)])
    assert found["unjudged"].loc[0, ["unjudged", "completed"]].tolist() == ["book", 1.0]
    assert found["rows_missing-judgements"].empty


def test_another_answer_first_leaves_the_metric_as_it_is():
    found = tables({"q": [1, 2, 0, 0, 3]}, [("q", "a", 1)])["unjudged"]
    assert found.loc[0, ["unjudged", "right", "completed"]].tolist() == ["a2", 0.0, 0.0]


def test_what_was_judged_is_not_missing_relevant_or_not():
    scores = {"q": [1, 2, 0, 0, 0]}
    for score in (0, 1):
        found = tables(scores, [("q", "a", 1), ("q", "a2", score)])
        assert found["unjudged"]["unjudged"].tolist() == [""] and found["rows_missing-judgements"].empty


def test_two_copies_are_merged_one_way_for_most_queries():
    scores = {"q1": [1, 2, 0, 0, 0], "q2": [1, 2, 0, 0, 0], "q3": [2, 1, 0, 0, 0]}
    found = tables(scores, [("q1", "a", 1), ("q2", "a", 1), ("q3", "a2", 1)])
    assert merges(found) == [("", "a2", "a")]
