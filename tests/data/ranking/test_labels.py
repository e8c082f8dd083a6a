"""Fewer labels for training: how many, whose, and that dev and test keep all of theirs."""

import pandas as pd
import pytest

from whyrank.core.options.prepare import Labels
from whyrank.data.ranking.labels import kept

SPLITS = ["train"] * 60 + ["dev"] * 20 + ["test"] * 20
QUERIES = pd.DataFrame({"query_id": [f"q{i:03}" for i in range(100)], "split": SPLITS})
# Ten answers; every training query has two judgements, one of them of no relevance.
QRELS = pd.DataFrame(
    [(f"q{i:03}", f"a{i % 10}", 1.0) for i in range(100)] + [(f"q{i:03}", f"a{(i + 1) % 10}", 0.0) for i in range(60)],
    columns=["query_id", "answer_id", "score"],
)


def judged(queries=0, answers=1.0, seed=3):
    found = QRELS[kept(QUERIES, QRELS, Labels(queries=queries, answers=answers), seed)]
    return found, set(found["query_id"]) & set(QUERIES["query_id"][:60])


def test_all_stay_where_nothing_is_asked_for():
    assert len(judged()[0]) == len(QRELS)


@pytest.mark.parametrize("count", [1, 10, 59])
def test_so_many_training_queries_keep_all_of_their_judgements_and_those_held_out_theirs(count):
    found, train = judged(queries=count)
    assert len(train) == count and len(found) == 2 * count + 40


def test_fewer_are_among_more_and_another_seed_draws_others():
    few, more = judged(queries=10)[1], judged(queries=30)[1]
    assert few < more and judged(queries=10, seed=4)[1] != few


def test_a_share_of_the_answers_leaves_the_judgements_of_those_alone():
    found, _ = judged(answers=0.3)
    train = found[found["query_id"].isin(QUERIES["query_id"][:60])]
    assert train["answer_id"].nunique() == 3 and len(found) == len(train) + 40
    both, queries = judged(queries=5, answers=0.3)
    assert len(queries) == 5 and set(both.iloc[:0].columns) == set(QRELS)


# Every second training query has nothing but what is wrong for it, and two answers are right for nobody.
PARTLY = pd.DataFrame(
    [(f"q{i:03}", f"a{i % 10}", float(i % 2 == 0)) for i in range(60)]
    + [(f"q{i:03}", f"a{10 + i % 2}", 0.0) for i in range(60)]
    + [(f"q{i:03}", f"a{i % 10}", 1.0) for i in range(60, 100)],
    columns=["query_id", "answer_id", "score"],
)


@pytest.mark.parametrize(("queries", "answers"), [(12, 1.0), (0, 0.4), (4, 0.4)])
def test_labels_are_counted_by_what_is_right(queries, answers):
    found = PARTLY[kept(QUERIES, PARTLY, Labels(queries=queries, answers=answers), 3)]
    train = found[found["query_id"].isin(QUERIES["query_id"][:60])]
    right = train[train["score"] > 0]
    assert set(train["query_id"]) == set(right["query_id"])
    # Answers 0, 2, … 8 are right for six queries each.
    assert right["query_id"].nunique() == (queries or 12) and right["answer_id"].nunique() == (2 if answers < 1 else 5)
    assert {"a10"} <= set(train["answer_id"])
