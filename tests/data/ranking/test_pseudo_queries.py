"""Queries made of answers: from which parts, which are kept, and that they stand among the training queries alone."""

import pandas as pd
import pytest

from whyrank.core.options.prepare import PseudoQueries
from whyrank.data.ranking.pseudo_queries import MARK, candidates, pseudo_queries

ASK = PseudoQueries(per_answer=5, of="all", within=3)


def answers(*rows):
    table = pd.DataFrame(rows, columns=["answer_id", "title", "body", "sections"])
    return table.assign(raw_text=table["title"] + " " + table["body"])


CAT = ("cat", "Feeding a cat", "How often does it eat? Twice a day, wet food or dry.",
       [{"title": "Milk and fish", "text": "x"}])  # fmt: skip
CAR = ("car", "Changing a tyre", "Loosen the nuts before you lift it. Is the spare one flat?", None)


def test_title_headings_questions_and_first_words_are_candidates_in_the_order_of_the_text():
    assert list(candidates(answers(CAT).to_dict("records")[0])) == [
        "Feeding a cat", "Milk and fish", "How often does it eat?", "How often does it eat?",
    ]  # fmt: skip
    assert list(candidates(answers(CAR).to_dict("records")[0]))[-1] == "Loosen the nuts before you lift it."


def test_each_stands_once_with_its_answer_and_an_id_of_its_own():
    made = pseudo_queries(answers(CAT, CAR), [], ASK)
    assert made["answer_id"].tolist() == ["cat"] * 2 + ["car"] * 3
    assert made["raw_text"].tolist()[:2] == ["Feeding a cat", "How often does it eat?"]
    assert made["query_id"].is_unique and made["query_id"].str.startswith(MARK).all()


def test_only_answers_without_a_training_query_get_some_unless_all_are_asked_for():
    unlabelled = PseudoQueries(per_answer=1, of="unlabelled", within=3)
    made = pseudo_queries(answers(CAT, CAR), ["cat"], unlabelled)
    assert made["answer_id"].tolist() == ["car"] and made["raw_text"].tolist() == ["Changing a tyre"]
    assert pseudo_queries(answers(CAT, CAR), ["cat", "car"], unlabelled).empty
    assert pseudo_queries(answers(CAT), [], PseudoQueries(per_answer=0, of="all", within=3)).empty


def test_one_that_does_not_find_its_answer_again_or_stands_for_several_is_left_out():
    several = [(f"a{i}", "General overview", f"word{i} " * 30, None) for i in range(5)]
    lost = ("lost", "zebra", "general overview of nothing", [{"title": "word1 word2", "text": "x"}])
    made = pseudo_queries(answers(*several, lost), [], ASK)
    assert "General overview" not in set(made["raw_text"])
    # Its words are those of two other answers, and not its own.
    assert "word1 word2" not in set(made["raw_text"])


@pytest.mark.parametrize("text", ["one", " ".join(["word"] * 60)])
def test_one_word_and_a_text_as_long_as_an_answer_are_no_queries(text):
    made = pseudo_queries(answers(("a", text, "something else to say", None), CAR), [], ASK)
    assert text not in set(made["raw_text"])


@pytest.mark.parametrize(("within", "is_kept"), [(1, False), (2, True)])
def test_one_is_kept_where_its_answer_is_among_the_best_so_many(within, is_kept):
    shop = ("shop", "Our shop", "sells a red kettle of iron besides forty other goods",
            [{"title": "Red kettle", "text": "x"}])  # fmt: skip
    about = ("about", "Boiling", "red kettle, red kettle, red kettle", None)
    made = pseudo_queries(answers(shop, about, CAT), [], PseudoQueries(per_answer=5, of="all", within=within))
    assert ("Red kettle" in set(made["raw_text"])) == is_kept
