"""Figures worked by hand on a set of five queries and three answers."""

import math

import pandas as pd
import pytest

from whyrank.data.files.cells import count_as
from whyrank.data.ranking.duplicates import CROSSING, LEAK_COLUMNS, find_duplicates
from whyrank.data.ranking.selection import fit_idf
from whyrank.data.ranking.statistics import (
    count_duplicates,
    count_leaks,
    count_per_answer,
    count_queries,
    count_rows,
    languages,
    lexical_overlap,
    tfidf_mass_lost,
    token_lengths,
    type_imbalance,
)

ANSWERS = pd.DataFrame(
    {"answer_id": ["a", "b", "c"], "raw_text": ["reset the PIN in settings", "call the bank branch", "nothing"]}
)
QUERIES = pd.DataFrame(
    [
        ("q0", "question", "question", "train", "how do I reset my PIN?"),
        ("q1", "question", "conversation", "train", "Reset settings"),
        ("q2", "conversation", "conversation", "train", "the bank refuses my transfer"),
        ("q3", "question", "question", "test", "of the"),
        ("q4", "conversation", "conversation", "test", "bank branch"),
    ],
    columns=["query_id", "type", "declared_type", "split", "raw_text"],
)
RELEVANT = pd.DataFrame(
    [("q0", "a"), ("q1", "a"), ("q2", "b"), ("q2", "a"), ("q3", "a"), ("q4", "b")], columns=["query_id", "answer_id"]
)


def test_a_declared_type_is_kept_and_an_undeclared_one_goes_by_length() -> None:
    declared = ["question", "conversation", "conversation", "", ""]
    texts = ["x" * 500, "x" * 99, "x" * 100, "x" * 99, "x" * 100]
    kinds = ["question", "conversation", "conversation", "question", "conversation"]
    assert count_as(declared, texts, short_conversation=100) == kinds


def test_counts_by_type_and_split() -> None:
    metrics, table = count_queries(ANSWERS, QUERIES, RELEVANT)
    assert metrics == {
        "answers": 3,
        "queries": 5,
        "relevant_pairs": 6,
        "queries_train": 3,
        "queries_dev": 0,
        "queries_test": 2,
        "questions": 3,
        "conversations": 2,
        "questions_train": 2,
        "questions_dev": 0,
        "questions_test": 1,
        "conversations_train": 1,
        "conversations_dev": 0,
        "conversations_test": 1,
        "queries_of_undeclared_type": 0,
    }
    assert table.to_numpy().tolist()[0] == ["question", "train", 2]


def test_queries_per_answer_and_balance_of_types() -> None:
    metrics, table = count_per_answer(ANSWERS, QUERIES, RELEVANT)
    # a: q0 q1 q2 q3; b: q2 q4; c: none.
    assert table.to_numpy().tolist() == [["a", 3, 1, 3, 0, 1], ["b", 0, 2, 1, 0, 1], ["c", 0, 0, 0, 0, 0]]
    assert metrics == {
        "answers_without_queries": 1,
        "answers_without_train_queries": 1,
        "queries_per_answer_min": 2,
        "queries_per_answer_median": 3,
        "queries_per_answer_max": 4,
        "train_queries_per_answer_min": 1,
        "train_queries_per_answer_median": 2,
        "train_queries_per_answer_max": 3,
    }
    # Three of each over all pairs; only a has both types, 3 to 1.
    assert type_imbalance(table) == {
        "answers_with_one_type": 1,
        "type_imbalance": 1.0,
        "type_imbalance_per_answer": 3.0,
    }
    assert type_imbalance(table.assign(question=0)) == {"answers_with_one_type": 2}


def test_token_lengths_and_shares_lost() -> None:
    texts = pd.DataFrame(
        {"type": ["answer"] * 4 + ["question"], "tokens_raw": [2, 4, 6, 28, 3], "tokens": [2, 4, 6, 8, 3]}
    )
    metrics, table = token_lengths(texts)
    # Answers: 20 of 40 tokens lost in one text of four.
    assert metrics["tokens_median_answer"] == 5
    assert metrics["texts_cut_share_answer"] == 0.25
    assert metrics["tokens_lost_share_answer"] == 0.5
    assert metrics["tokens_lost_share_question"] == 0.0
    raw = table.iloc[0]
    assert (raw["type"], raw["stage"], raw["n"], raw["mean"], raw["q50"], raw["max"]) == ("answer", "raw", 4, 10, 5, 28)
    assert table.iloc[1]["max"] == 8


def test_tfidf_mass_lost_weighs_words_by_rarity() -> None:
    idf = fit_idf(["common rare", "common", "common"])
    # Smoothed idf over 3 texts: common ln(4/4) + 1 = 1; rare ln(4/2) + 1.
    rare = math.log(2) + 1
    lost = tfidf_mass_lost(["answer", "question"], ["common rare common", "rare"], ["common", "rare"], idf)
    assert lost["tfidf_lost_share_answer"] == pytest.approx((rare + 1) / (rare + 2))
    assert lost["tfidf_lost_share_question"] == 0.0
    # A word cut in two makes no word that was there before.
    assert tfidf_mass_lost(["answer"], ["rare commonest"], ["common"], idf) == {"tfidf_lost_share_answer": 1.0}


def test_lexical_overlap_is_the_share_of_content_words_in_the_best_answer() -> None:
    metrics, table = lexical_overlap(ANSWERS, QUERIES, RELEVANT, IN_ENGLISH)
    # q0: reset, pin: 2 of 2. q1: 2 of 2. q2: bank of bank, refuses, transfer. q3: stop words only. q4: 2 of 2.
    assert table["query_id"].tolist() == ["q0", "q1", "q2", "q4"]
    assert table["overlap"].tolist() == pytest.approx([1, 1, 1 / 3, 1])
    assert metrics["queries_without_content_words"] == 1
    assert metrics["lexical_overlap"] == pytest.approx((3 + 1 / 3) / 4)
    assert metrics["lexical_overlap_question"] == 1.0
    assert metrics["lexical_overlap_conversation"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("answer", "query", "expected"), [("§ ¤ ¶", "reset the pin", 0.0), ("reset", "? !", None)])
def test_texts_without_words_overlap_with_nothing(answer: str, query: str, expected: float | None) -> None:
    answers = pd.DataFrame({"answer_id": ["a"], "raw_text": [answer]})
    queries = pd.DataFrame({"query_id": ["q"], "type": "question", "split": "test", "raw_text": [query]})
    metrics, table = lexical_overlap(answers, queries, QA, IN_ENGLISH)
    assert metrics.get("lexical_overlap") == expected
    assert list(table) == ["query_id", "type", "split", "overlap"]


IN_ENGLISH = pd.DataFrame({"language": ["en"], "share": [1.0]})
QA = pd.DataFrame({"query_id": ["q"], "answer_id": ["a"]})


def test_overlap_sees_forms_and_parts_of_words_in_the_language_of_the_texts() -> None:
    answers = pd.DataFrame({"answer_id": ["a"], "raw_text": ["Eine Kontolöschung ist endgültig"]})
    queries = pd.DataFrame({"query_id": ["q"], "type": "question", "split": "test", "raw_text": ["mein Konto"]})
    in_german = pd.DataFrame({"language": ["de", "en", "de"], "share": [0.6, 0.7, 0.3]})
    # Of mein konto, and of konto its groups kont onto: the groups.
    assert lexical_overlap(answers, queries, QA, in_german)[0]["lexical_overlap"] == 0.5
    assert lexical_overlap(answers, queries, QA, IN_ENGLISH)[0]["lexical_overlap"] == 0.0
    # Of no known language: words as they stand.
    assert lexical_overlap(answers, queries, QA, in_german.iloc[:0])[0]["lexical_overlap"] == 0.0


def test_overlap_counts_pairs_of_characters_where_words_are_written_together() -> None:
    answers = pd.DataFrame({"answer_id": ["a"], "raw_text": ["忘记密码请点这里"]})
    queries = pd.DataFrame({"query_id": ["q"], "type": "question", "split": "test", "raw_text": ["我忘记密码"]})
    # Of 我忘 忘记 记密 密码 three are in the answer.
    metrics, _ = lexical_overlap(answers, queries, QA, languages(queries.assign(type="question")))
    assert metrics["lexical_overlap"] == 0.75


def test_languages_are_counted_by_type_the_most_frequent_first() -> None:
    german, english = "Wo finde ich bitte meine Rechnung?", "Where can I find the invoice, please?"
    texts = pd.DataFrame({"type": ["question"] * 3 + ["answer"], "raw_text": [german, english, english, "12"]})
    table = languages(texts)
    assert list(table) == ["kind", "language", "share"]
    assert table.to_numpy().tolist() == [
        ["question", "en", pytest.approx(2 / 3)],
        ["question", "de", pytest.approx(1 / 3)],
    ]


def test_duplicates_leaks_and_rows_are_counted() -> None:
    found = count_duplicates(find_duplicates(["one", "One", "two", "ONE"]))
    assert found == {
        "duplicate_pairs_exact": 2,
        "duplicate_pairs_near": 0,
        "duplicate_pairs_contained": 0,
        "duplicate_groups": 1,
        "queries_duplicated": 3,
        "duplicate_group_max": 3,
    }
    leaks = pd.DataFrame(
        [(left, "train", "q4", "test", "near", 0.9, True) for left in ("q0", "q1")], columns=LEAK_COLUMNS
    )
    counted = count_leaks(leaks, pd.DataFrame(columns=CROSSING), QUERIES)
    # One of the two test queries, listed twice; there is no dev, so no share of it.
    assert counted == {
        "conflicting_duplicates": 0,
        "leaked_queries_train_dev": 0,
        "leaked_queries_train_test": 1,
        "leaked_share_train_test": 0.5,
        "leaked_queries_dev_test": 0,
        "leaked_share_dev_test": 0.0,
    }
    metrics, rows = count_rows(
        {"corpus": 3, "queries": 5},
        pd.DataFrame({"file": ["queries", "queries"]}),
        pd.DataFrame({"file": ["queries", "corpus"], "reason": ["no judgement", "no relevant answer"]}),
    )
    assert metrics == {
        "rows_read": 8,
        "rows_rejected": 2,
        "rows_left_out": 2,
        "queries_without_judgements": 1,
        "rejected_share": 0.25,
    }
    assert rows.to_numpy().tolist() == [["corpus", 3, 0, 1, 2], ["queries", 5, 2, 1, 2]]
