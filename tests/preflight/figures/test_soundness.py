"""Labels are judged where texts say something of them."""

import pandas as pd

from whyrank.core.prepared import Prepared
from whyrank.preflight.figures.soundness import soundness
from whyrank.preflight.figures.texts.read import Read

LONG = "words enough to say what this answer is about, and a few more"
TEXTS = [LONG] * 4 + ["Five words say too little"]
ANSWERS = pd.DataFrame({"answer_id": ["a", "a2", "b", "todo", "short"], "text": TEXTS})
QUERIES = pd.DataFrame({"query_id": ["q1", "q2", "q3", "hi"], "text": [LONG] * 4})


def judged(*rows: tuple[str, str, str], **tables: pd.DataFrame) -> pd.DataFrame:
    """rows   query, labelled answer, and the one that rankers agree on"""
    table = pd.DataFrame(rows, columns=["query_id", "answer_id", "first"])
    table = table.assign(rank=40.0, far=0.8, margin=2.0, is_agreed=True)
    named = {f"rows_{code.replace('_', '-')}": own for code, own in tables.items()}
    return soundness(named, Read(Prepared(ANSWERS, QUERIES, pd.DataFrame()))).judged(table)


def rows(**cells: list[str]) -> pd.DataFrame:
    n = max(map(len, cells.values()))
    return pd.DataFrame({name: cells.get(name, [""] * n) for name in ("query_id", "answer_id", "becomes", "why")})


def test_without_doubt_about_texts_every_label_is_judged_as_it_is():
    found = judged(("q1", "a", "b"), ("q2", "b", "b"))
    assert found["is_agreed"].all() and found["far"].tolist() == [0.8, 0.0]


def test_labels_of_texts_that_say_nothing_are_not_judged():
    stand_in, greeting = rows(answer_id=["todo"]), rows(query_id=["hi"])
    found = judged(
        ("q1", "todo", "b"), ("hi", "a", "b"), ("q2", "short", "b"), ("q3", "a", "b"),
        placeholder_answers=stand_in, queries_say_nothing=greeting,
    )  # fmt: skip
    assert found["query_id"].tolist() == ["q3"]


def test_rankers_that_agree_on_a_stand_in_say_nothing_against_a_label():
    found = judged(("q1", "a", "todo"), ("q2", "a", "b"), placeholder_answers=rows(answer_id=["todo"]))
    assert found["is_agreed"].tolist() == [False, True]


def test_a_copy_of_the_right_answer_is_right():
    found = judged(("q1", "a2", "a"), ("q2", "b", "a2"), near_copies=rows(answer_id=["a2"], becomes=["a"]))
    assert found["rank"].tolist() == [1.0, 40.0] and found["far"].tolist() == [0.0, 0.8]
    assert found["first"].tolist() == ["a2", "a2"]
