"""Texts of all parts, numbered as the prepared set says."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd

from whyrank.core.prepared import RATING_COLUMNS
from whyrank.data.assembly import assembled

SENTENCES = pd.DataFrame([("p0", "nli", "", "train", "", 1.0, "one", "two")], columns=[
    "pair_id", "source", "subset", "use", "class_name", "label", "text1", "text2"
])  # fmt: skip


def ranking(answers=3, queries=4):
    return SimpleNamespace(
        answers=pd.DataFrame({"answer_id": range(answers)}),
        queries=pd.DataFrame({"query_id": range(queries)}),
        qrels=pd.DataFrame(),
    )


def rated(first, second):
    rows = pd.DataFrame({"rating_id": ["r0", "r1"], "use": "train", "group": 0, "fold": [0, 1]})
    rows = rows.assign(title="t", body="b", answer="a", helpful=[0.0, 1.0], first=first, second=second)
    texts = sorted({place for place in (*first, *second) if place >= 0})
    return SimpleNamespace(rows=rows, texts=pd.DataFrame({"text": texts, "input_ids": [[place] for place in texts]}))


def test_texts_of_ratings_stand_behind_the_queries_and_before_the_pairs():
    texts = assembled(ranking(), rated([0, 2], [1, 3]), SENTENCES)
    assert texts.ratings["first"].tolist() == [7, 9] and texts.ratings["second"].tolist() == [8, 10]
    assert texts.pairs[["first", "second"]].to_numpy().tolist() == [[11, 12]]
    assert [texts.texts.of(kind)[0] for kind in ("rated text", "pair")] == [7, 11]
    assert list(texts.ratings.columns) == [*RATING_COLUMNS, "helpful"] and texts.rating_targets == ["helpful"]


def test_a_row_with_one_text_has_no_second():
    texts = assembled(ranking(), rated([0, 1], [-1, -1]), SENTENCES)
    assert texts.ratings["first"].tolist() == [7, 8] and texts.ratings["second"].tolist() == [-1, -1]
    assert texts.pairs["first"].tolist() == [9]


def test_without_ratings_the_set_is_what_it_was_before_there_were_any():
    nothing = SimpleNamespace(rows=pd.DataFrame(), texts=pd.DataFrame())
    texts = assembled(ranking(), nothing, SENTENCES)
    assert list(texts.ratings.columns) == RATING_COLUMNS and texts.ratings.empty and texts.rating_texts.empty
    assert texts.pairs["first"].tolist() == [7]


def test_rows_are_held_out_by_fold_and_those_without_targets_never_trained_on():
    made = rated([0, 1], [-1, -1])
    unlabelled = made.rows.assign(rating_id=["u0", "u1"], use="unlabelled", fold=-1, helpful=float("nan"))
    rows = SimpleNamespace(rows=pd.concat([made.rows, unlabelled]), texts=made.texts)
    texts = assembled(ranking(), rows, SENTENCES)
    for held_out, expected in ((0, ["r0"]), (1, ["r1"]), (-1, [])):
        folded = replace(texts, held_out=held_out)
        assert folded.rated(held_out=True)["rating_id"].tolist() == expected
        assert set(folded.rated(held_out=False)["rating_id"]) == {"r0", "r1"} - set(expected)
