"""What crosses the splits is listed, held-out query by held-out query."""

import pandas as pd

from whyrank.data.ranking.duplicates import find_duplicates
from whyrank.data.ranking.leaks import conflict_table, leak_table, leaked_share

LONG = "how do I move my old pension to another provider"  # 10 words, 8 3-grams


def a_set(rows: list[tuple[str, str, str, str]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(query, split, answers, text)"""
    queries = pd.DataFrame([(q, split, text) for q, split, _, text in rows], columns=["query_id", "split", "text"])
    pairs = [(q, answer) for q, _, answers, _ in rows for answer in answers.split()]
    return queries, pd.DataFrame(pairs, columns=["query_id", "answer_id"])


def test_every_held_out_query_with_a_duplicate_in_an_earlier_split_is_listed() -> None:
    queries, relevant = a_set(
        [
            ("q0", "train", "a", "Lost card"),
            ("q1", "train", "b", "lost card!"),
            ("q9", "train", "a", "lost card"),
            ("q2", "test", "a", "LOST CARD"),
            ("q3", "test", "b", "lost card?"),
            ("q4", "dev", "c", LONG),
            ("q5", "train", "c", f"good morning all, {LONG} if I live abroad"),
            ("q6", "test", "d", "nothing like it"),
            ("q7", "train", "b", "stolen phone"),
            ("q8", "train", "b", "stolen phone"),
        ]
    )
    leaks = leak_table(queries, relevant, find_duplicates(queries["text"].tolist()))
    # One left query for each answer wanted: q9 is a copy of q0 in text and answer.
    assert leaks.to_numpy().tolist() == [
        ["q0", "train", "q2", "test", "exact", 1.0, True],
        ["q0", "train", "q3", "test", "exact", 1.0, False],
        ["q1", "train", "q2", "test", "exact", 1.0, False],
        ["q1", "train", "q3", "test", "exact", 1.0, True],
        ["q5", "train", "q4", "dev", "contained", 1.0, True],
    ]
    # q2 and q3 of q2, q3, q6.
    assert leaked_share(leaks, queries) == 2 / 3
    assert leaked_share(leaks, queries, held_out="dev") == 1.0


def test_a_near_duplicate_of_a_repeated_text_is_found_through_any_copy() -> None:
    queries, relevant = a_set(
        [
            ("q0", "test", "a", LONG),
            ("q1", "train", "b", LONG),
            ("q2", "train", "a", LONG + " now"),
            ("q3", "dev", "a", LONG + " now"),
        ]
    )
    leaks = leak_table(queries, relevant, find_duplicates(queries["text"].tolist()))
    found = {(row.query_left, row.query_right): (row.kind, row.same_answer) for row in leaks.itertuples()}
    assert found == {
        ("q1", "q0"): ("exact", False),
        ("q2", "q0"): ("near", True),
        ("q3", "q0"): ("near", True),
        ("q1", "q3"): ("near", False),
        ("q2", "q3"): ("exact", True),
    }


def test_a_set_without_duplicates_has_empty_tables_with_their_columns() -> None:
    queries, relevant = a_set([("q0", "train", "a", "one"), ("q1", "test", "b", "two")])
    duplicates = find_duplicates(queries["text"].tolist())
    leaks = leak_table(queries, relevant, duplicates)
    assert (len(leaks), leaks.columns[0], leaks.columns[-1]) == (0, "query_left", "same_answer")
    assert leaked_share(leaks, queries) == 0.0
    assert conflict_table(queries, relevant, duplicates).empty


def test_equal_texts_with_disjoint_answers_are_conflicts() -> None:
    queries, relevant = a_set(
        [
            ("q0", "train", "a b", "Thanks"),
            ("q1", "train", "b", "thanks!"),
            ("q2", "test", "c", "THANKS"),
            ("q3", "test", "a", "thanks?"),
            ("q4", "test", "z", "no thanks"),
        ]
    )
    conflicts = conflict_table(queries, relevant, find_duplicates(queries["text"].tolist()))
    # q1 and q3 overlap with q0; q3 {a} contradicts q1 {b}; q2 {c} contradicts q0.
    assert conflicts.to_numpy().tolist() == [["q0", "train", "q2", "test"], ["q1", "train", "q3", "test"]]
