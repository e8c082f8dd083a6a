"""Questions and conversations of one user: by what the set declares, by words that one contains; torn threads."""

import pandas as pd
import pytest

from whyrank.data.ranking.threads import threads, torn_table

ASKED = "How do I renew my licence?"


def found(*rows):
    queries = pd.DataFrame(rows, columns=["type", "split", "raw_text", "declared_thread"])
    return threads(queries).tolist()


def test_a_conversation_that_contains_a_question_is_of_its_thread_and_other_queries_are_of_none():
    said = "user: I moved last year. HOW do I, renew my licence -- thanks"
    rows = [
        ("question", "train", ASKED, ""), ("conversation", "train", "user: something else entirely here", ""),
        ("conversation", "train", said, ""), ("question", "train", "Where do I pay my tax?", ""),
    ]  # fmt: skip
    first, none, second, other = found(*rows)
    assert first == second >= 0 and none == other == -1


@pytest.mark.parametrize("split", ["dev", "test"])
def test_queries_held_out_belong_to_no_thread(split):
    rows = [("question", "train", ASKED, "t"), ("conversation", split, f"Hello. {ASKED}", "t")]
    assert found(*rows) == [-1, -1]


def test_a_declared_thread_joins_whatever_its_queries_say():
    rows = [("question", "train", "one", "t1"), ("conversation", "train", "two", "t1"),
            ("question", "train", "three", "t2"), ("conversation", "train", "four", "")]  # fmt: skip
    assert found(*rows) == [0, 0, -1, -1]


def test_words_in_another_order_or_part_of_a_word_are_no_question_inside():
    rows = [("question", "train", "renew my old licence", ""), ("conversation", "train", "licence my old renew", ""),
            ("conversation", "train", "to renew my old licences", "")]  # fmt: skip
    assert found(*rows) == [-1, -1, -1]


def test_a_short_question_and_one_that_many_conversations_contain_say_nothing():
    many = [("conversation", "train", f"case {i}: {ASKED}", "") for i in range(4)]
    assert found(("question", "train", ASKED, ""), *many) == [-1] * 5
    assert found(("question", "train", ASKED, ""), *many[:3]) == [0] * 4
    short = "my licence please"
    assert found(("question", "train", short, ""), ("conversation", "train", short, "")) == [-1, -1]


def test_a_torn_thread_lists_each_later_query_once_for_each_earlier_split():
    rows = [("q1", "test", "t"), ("q2", "train", "t"), ("q3", "train", "t"), ("q4", "test", "t"), ("q5", "dev", "t"),
            ("q6", "train", "u"), ("q7", "train", "u"), ("q8", "train", ""), ("q9", "test", "")]  # fmt: skip
    torn = torn_table(pd.DataFrame(rows, columns=["query_id", "split", "declared_thread"]))
    assert sorted(torn.itertuples(index=False, name=None)) == [
        ("q2", "train", "q1", "test"), ("q2", "train", "q4", "test"), ("q2", "train", "q5", "dev"),
        ("q5", "dev", "q1", "test"), ("q5", "dev", "q4", "test"),
    ]  # fmt: skip


def test_no_query_at_all():
    assert found() == []


@pytest.mark.parametrize(
    ("question", "is_found"), [("期限はいつ", False), ("運転免許証の更新期限はいつまでですか", True)]
)
def test_a_few_characters_written_together_are_a_short_question(question, is_found):
    rows = [
        ("question", "train", question, ""),
        ("conversation", "train", f"すみません。{question}。教えてください", ""),
    ]
    assert found(*rows) == ([0, 0] if is_found else [-1, -1])
