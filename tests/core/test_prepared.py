"""The prepared set as row numbers."""

import numpy as np
import pytest

from whyrank.core import io, prepared


@pytest.fixture
def small(make_prepared):
    return make_prepared(
        [("a0", "zero"), ("a1", "one"), ("a2", "two")],
        [("q0", "question", "train", "x"), ("q1", "conversation", "test", "y"), ("q2", "question", "train", "z")],
        # In no order, with one judgement that is not relevant.
        [("q2", "a0", 1.0), ("q0", "a2", 2.0), ("q0", "a1", 1.0), ("q1", "a0", 0.0), ("q1", "a1", 0.5)],
    )


def test_relevant_pairs_are_row_numbers_in_the_order_of_the_queries_without_scores_of_zero(small):
    assert small.relevant.to_numpy().tolist() == [[0, 1, 1.0], [0, 2, 2.0], [1, 1, 0.5], [2, 0, 1.0]]


def test_pairs_and_rows_of_a_split(small):
    assert small.rows("train").tolist() == [0, 2]
    assert small.rows("dev").tolist() == []
    assert small.relevant_in("train")[["query", "answer"]].to_numpy().tolist() == [[0, 1], [0, 2], [2, 0]]
    assert small.relevant_in("test").index.tolist() == [0]


def test_a_judgement_of_a_text_that_is_not_there_is_caught(make_prepared):
    broken = make_prepared([("a0", "zero")], [("q0", "question", "train", "x")], [("q0", "a9", 1.0)])
    with pytest.raises(AssertionError, match="qrels name a text"):
        _ = broken.relevant


def test_texts_are_numbered_answers_first(small):
    small.answers["input_ids"] = [[1], [2], [3]]
    small.queries["input_ids"] = [[4, 4], [5], [6]]
    assert [list(row) for row in small.token_ids] == [[1], [2], [3], [4, 4], [5], [6]]


def test_a_set_reads_back_as_it_was_written(topics, tmp_path):
    for name in ("answers", "queries", "qrels"):
        io.write_table(tmp_path / f"{name}.parquet", getattr(topics, name))
    back = prepared.read(tmp_path)
    assert back.relevant.equals(topics.relevant)
    assert back.queries["query_id"].tolist() == topics.queries["query_id"].tolist()
    assert all(np.array_equal(one, two) for one, two in zip(back.token_ids, topics.token_ids, strict=True))
