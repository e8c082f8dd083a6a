"""The prepared set as row numbers."""

from dataclasses import replace

import numpy as np
import pytest

from whyrank.core import prepared


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


def test_pairs_of_a_use_have_their_texts(paired):
    test = paired.pairs_of("test")
    assert len(test) == 18 and set(test["use"]) == {"test"}
    text = dict(enumerate(paired.pair_texts["text"], start=len(paired.token_ids)))
    assert test["text1"].tolist() == [text[number] for number in test["first"]]
    assert test["text2"].tolist() == [text[number] for number in test["second"]]


def test_training_reads_the_texts_of_pairs_up_to_those_of_the_test_alone(paired, topics):
    read = paired.pairs[paired.pairs["use"] != "test"][["first", "second"]].to_numpy().max() + 1
    assert len(topics.token_ids) < len(paired.training_token_ids) == read <= read + len(paired.pair_texts)
    assert len(topics.training_token_ids) == len(topics.token_ids)


@pytest.mark.parametrize("which", ["topics", "paired"])
def test_a_set_reads_back_as_it_was_written(which, request, tmp_path):
    topics = request.getfixturevalue(which)
    prepared.write(tmp_path, topics)
    back = prepared.read(tmp_path)
    assert back.relevant.equals(topics.relevant)
    assert back.pairs["pair_id"].tolist() == topics.pairs["pair_id"].tolist()
    assert len(back.training_token_ids) == len(topics.training_token_ids)
    assert back.queries["query_id"].tolist() == topics.queries["query_id"].tolist()
    assert all(np.array_equal(one, two) for one, two in zip(back.token_ids, topics.token_ids, strict=True))


def test_texts_give_the_same_bytes_whether_pandas_or_python_holds_them(small, tmp_path):
    small.answers["sections"] = [[], [{"title": "t", "text": "x"}], []]
    for name, kind in (("pandas", "str"), ("python", object)):
        held = small.answers.astype(dict.fromkeys(("answer_id", "title", "raw_text", "text"), kind)).copy()
        prepared.write(tmp_path / name, replace(small, answers=held))
    one, two = ((tmp_path / name / "answers.parquet").read_bytes() for name in ("pandas", "python"))
    assert one == two
