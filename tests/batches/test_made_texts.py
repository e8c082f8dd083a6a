"""Texts that label-free views make: what they keep of a text, of which texts they are, and how they are numbered."""

import numpy as np
import pandas as pd
import pytest

from whyrank.batches import made_texts
from whyrank.batches.views import all_sides, sides, view_batches
from whyrank.core.errors import UserError
from whyrank.core.options.barlow import MadeTexts
from whyrank.core.prepared import PAIR_COLUMNS, Prepared

WORDS = [f"w{i}" for i in range(40)]
LONG, OTHER = " ".join(WORDS), " ".join(reversed(WORDS))


def options(**changes):
    return MadeTexts(**({"span": [0.2, 0.5], "kept_words": 0.4, "per_text": 3} | changes))


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def texts(make_prepared):
    return make_prepared(
        [("a0", LONG), ("a1", OTHER), ("a2", "two words"), ("a3", LONG)],
        [("q0", "question", "train", LONG + " x"), ("q1", "question", "dev", OTHER + " y"),
         ("q2", "conversation", "test", OTHER + " z")],
        [("q0", "a0", 1.0), ("q1", "a1", 1.0), ("q2", "a1", 1.0)],
    )  # fmt: skip


def test_a_span_is_words_that_stand_together_and_is_as_long_as_asked():
    lengths = set()
    for seed in range(200):
        words = made_texts.span(WORDS, options(), rng(seed))
        start = WORDS.index(words[0])
        assert words == WORDS[start : start + len(words)]
        lengths.add(len(words))
    assert min(lengths) >= 8 and max(lengths) <= 20 and len(lengths) > 8
    starts = {made_texts.span(WORDS, options(span=[0.5, 0.5]), rng(seed))[0] for seed in range(300)}
    assert starts == set(WORDS[:21])  # to the very end of the text


def test_a_deletion_keeps_its_share_of_the_words_in_their_order():
    kept = [made_texts.deletion(WORDS, options(), rng(seed)) for seed in range(50)]
    assert all(len(words) == 16 and words == sorted(words, key=WORDS.index) for words in kept)
    assert set().union(*kept) == set(WORDS) and len({tuple(words) for words in kept}) == 50


def test_a_text_without_spaces_is_cut_by_characters():
    text = "身份证丢失了应该去哪里办理新的呢请告诉我需要带哪些材料"
    words, joint = made_texts.words_of(text)
    assert words == list(text) and joint == ""
    assert made_texts.words_of("a few plain words") == (["a", "few", "plain", "words"], " ")


def test_spans_are_of_the_corpus_and_deletions_of_training_queries_too_but_never_of_those_held_out(texts):
    made = made_texts.made(texts, ["span-document", "deletion", "query-answer"], options(), rng())
    of = {view: set(part["of"]) for view, part in made.groupby("view")}
    # Number 2 is too short, 3 says what 0 does, 5 and 6 are queries of dev and test.
    assert of == {"span-document": {0, 1}, "deletion": {0, 1, 4}}
    assert made.groupby(["view", "of"]).size().max() <= 3
    whole = texts.texts.table["text"]
    assert all(set(row.text.split()) < set(whole[row.of].split()) for row in made.itertuples())


def test_texts_that_would_be_made_twice_stand_once(make_prepared):
    six = make_prepared([("a0", "a b c d e f"), ("a1", "g h i j k l")], [("q", "question", "train", "x")], [])
    made = made_texts.made(six, ["span-document"], options(per_text=500), rng())
    assert made.groupby("of")["text"].nunique().tolist() == made.groupby("of").size().tolist() == [4, 4]


def test_made_texts_are_numbered_behind_all_that_training_reads_and_test_pairs_are_left_out(texts):
    pairs = pd.DataFrame(
        [("p0", "s", "", "train", "", 1.0, 7, 8), ("p1", "s", "", "test", "", 0.0, 8, 9)], columns=PAIR_COLUMNS
    )
    own = pd.DataFrame({"text": ["one", "two", "three"], "input_ids": [[1], [2], [3]]})
    whole = Prepared(texts.answers, texts.queries, texts.qrels, pairs=pairs, pair_texts=own)
    made = made_texts.made(texts, ["span-document"], options(), rng()).assign(input_ids=[[9]] * 6)
    found = made_texts.with_made(whole, made)
    assert found.texts.of("view").tolist() == list(range(9, 15))
    assert found.texts.of("pair").tolist() == [7, 8] and found.pairs["pair_id"].tolist() == ["p0"]
    assert found.texts.table["text"].iloc[9:].tolist() == made["text"].tolist()
    assert len(found.training_token_ids) == 15


def test_a_batch_of_spans_pairs_each_with_its_own_answer(texts):
    found = made_texts.with_made(texts, made_texts.made(texts, ["span-document"], options(), rng()))
    both = sides(found, "span-document")
    table = found.texts.table["text"]
    for _ in range(10):
        views = next(view_batches(both, batches="across_answers", size=8, random=rng()))
        assert sorted(views.answer_B) == [0, 1] and (views.second_B == views.answer_B).all()
        pairs = zip(views.first_B, views.second_B, strict=True)
        assert all(table[first] in table[second] for first, second in pairs)


def test_held_out_spans_belong_to_no_view(texts):
    made = made_texts.held_out(texts, options(), rng())
    assert set(made["view"]) == {made_texts.HELD_OUT} and made["of"].tolist() == [0, 1]
    found = made_texts.with_made(texts, made)
    with pytest.raises(UserError, match="0 texts have both sides of the view span-document"):
        all_sides(found, ["span-document"])


def test_questions_and_conversations_of_a_thread_are_views_of_each_other(texts):
    queries = pd.DataFrame(
        {"query_id": list("abcdefg"), "type": ["question", "conversation"] * 3 + ["question"], "split": "train",
         "raw_text": "x", "text": "x", "thread": [0, 0, 4, 4, 5, -1, -1]}
    )  # fmt: skip
    queries.loc[4, "split"] = "test"
    found = Prepared(texts.answers, queries, texts.qrels)
    first, second = sides(found, "question-in-conversation")
    assert {key: rows.tolist() for key, rows in first.items()} == {0: [4], 4: [6]}
    assert {key: rows.tolist() for key, rows in second.items()} == {0: [5], 4: [7]}


def test_a_view_without_pairs_is_left_out_where_another_has_some_and_a_line_says_so(texts, capsys):
    texts = Prepared(texts.answers, texts.queries.assign(thread=-1), texts.qrels)
    made = made_texts.made(texts, ["span-document"], options(), rng())
    found = all_sides(made_texts.with_made(texts, made), ["question-in-conversation", "span-document"])
    assert list(found) == ["span-document"]
    said = capsys.readouterr().err
    assert said == "pretrain_barlow: 0 texts have both sides of the view question-in-conversation; left out\n"
