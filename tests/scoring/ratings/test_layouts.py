"""The same tokens as one text or as question and answer, as the tokenizer itself would set them."""

import numpy as np
import pytest

from whyrank.scoring.ratings.layouts import Special, joined, layout_of, other_layout, separated

QUESTIONS, ANSWERS = ["permit garden", "visa", "pension age payment"], ["fence", "travel border", "retire"]


@pytest.fixture
def special(tiny_encoder):
    return Special.of(tiny_encoder)


def rows_of(encoder, *columns):
    """Rows of texts, each set between special tokens."""
    sides = [[np.array(ids) for ids in encoder.tokenise(texts, 64)] for texts in columns]
    return list(zip(*sides, strict=True))


@pytest.fixture
def separate(tiny_encoder):
    return rows_of(tiny_encoder, QUESTIONS, ANSWERS)


@pytest.fixture
def joint(tiny_encoder):
    return [(np.array(ids),) for ids in tiny_encoder.tokenizer(QUESTIONS, ANSWERS)["input_ids"]]


def same(one, two):
    return [[part.tolist() for part in row] for row in one] == [[part.tolist() for part in row] for row in two]


def test_special_tokens_are_those_of_the_tokenizer(tiny_encoder, special):
    cls, sep = tiny_encoder.tokenizer.convert_tokens_to_ids(["[CLS]", "[SEP]"])
    assert special == ([cls], [sep], [sep], 64)


def test_question_and_answer_are_put_together_as_the_tokenizer_does_and_taken_apart_again(special, separate, joint):
    assert (layout_of(separate), layout_of(joint)) == ("separate", "joint")
    assert same(other_layout(separate, special), joint)
    assert same(other_layout(joint, special), separate)


def test_of_a_separator_of_two_tokens_none_is_left_behind():
    special = Special([0], [2, 2], [2], 20)
    (text,) = joined(np.array([0, 7, 8, 2]), np.array([0, 9, 2]), special)
    assert text.tolist() == [0, 7, 8, 2, 2, 9, 2]
    assert [part.tolist() for part in separated(text, special)] == [[0, 7, 8, 2], [0, 9, 2]]


def test_rows_of_one_part_have_no_other_layout(tiny_encoder, special):
    assert other_layout(rows_of(tiny_encoder, ANSWERS), special) is None


@pytest.mark.parametrize("special", [Special([], [], [2], 20), Special([], [], [], 20)])
def test_a_text_without_a_separator_has_no_other_layout(special):
    assert other_layout([(np.array([7, 8, 2]),)], special) is None


def test_what_an_encoder_cannot_take_is_cut_from_the_end_of_both():
    special = Special([0], [2], [2], 13)
    question, answer = np.array([0, *range(10, 22), 2]), np.array([0, *range(30, 38), 2])  # 12 and 8 of 20 for 10
    (text,) = joined(question, answer, special)
    assert text.tolist() == [0, *range(10, 16), 2, *range(30, 34), 2]


def test_an_empty_question_or_answer_keeps_its_place():
    special = Special([0], [2], [2], 13)
    assert [part.tolist() for part in separated(np.array([0, 2, 9, 2]), special)] == [[0, 2], [0, 9, 2]]
    assert [part.tolist() for part in separated(np.array([0, 9, 2, 2]), special)] == [[0, 9, 2], [0, 2]]
