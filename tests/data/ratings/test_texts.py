"""Title, body and answer become what the encoder reads: ids, special tokens, the text left, and what was lost."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import tokenizers
import transformers
from tokenizers import models, pre_tokenizers, processors

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.options.ratings import Fields, FieldTokens
from whyrank.data.ratings.texts import laid_out, longest_text

CLS, SEP = 2, 3
ROWS = pd.DataFrame(
    {
        "use": ["train", "train", "test"],
        "title": ["Permit garden", "visa", "visa"],
        "body": ["please how when", "", ""],
        "answer": ["tax income return refund", "the car", "school child place term school child"],
    }
)


@pytest.fixture
def make(options):
    def of(title=8, body=8, answer=8, **changes):
        ratings = options(
            "prepare", params.Prepare, {f"ratings.{key}": value for key, value in changes.items()}
        ).ratings
        return dataclasses.replace(ratings, tokens=FieldTokens(title, body, answer))

    return of


@pytest.fixture
def roberta(tiny_encoder):
    """The tiny encoder with a tokenizer of bytes that marks a word behind a space, and RoBERTa's special tokens."""
    letters = [*"abcdefghijklmnopqrstuvwxyzP", "Ġ"]
    pieces = {piece: i for i, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", *letters, "Ġv", "Ġp"])}
    backend = tokenizers.Tokenizer(models.BPE(pieces, [("Ġ", "v"), ("Ġ", "p")], unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    names = {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    tiny_encoder.tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **names)
    return tiny_encoder


def own(encoder, text):
    """Ids of a text without special tokens."""
    return encoder.tokenizer(text, add_special_tokens=False)["input_ids"]


def ids_of(laid, column):
    return [laid.texts["input_ids"][place].tolist() if place >= 0 else None for place in laid.rows[column]]


def test_joint_is_one_text_with_the_special_tokens_of_the_encoder(tiny_encoder, make):
    laid = laid_out(tiny_encoder, ROWS, make(layout="joint"))
    question, answer = own(tiny_encoder, "permit garden please how when"), own(tiny_encoder, ROWS["answer"][0])
    assert ids_of(laid, "first")[0] == [CLS, *question, SEP, *answer, SEP]
    assert laid.rows["second"].tolist() == [-1, -1, -1]
    assert laid.texts["text"][0] == "Permit garden please how when tax income return refund"
    # What the tokenizer itself makes of the two.
    pair = tiny_encoder.tokenizer("Permit garden please how when", ROWS["answer"][0])
    assert ids_of(laid, "first")[0] == pair["input_ids"]
    assert laid.longest == 24 + 3


def test_separate_is_a_text_each_and_equal_questions_stand_once(tiny_encoder, make):
    laid = laid_out(tiny_encoder, ROWS, make(layout="separate"))
    assert ids_of(laid, "first")[1] == [CLS, *own(tiny_encoder, "visa"), SEP]
    assert ids_of(laid, "second")[1] == [CLS, *own(tiny_encoder, "the car"), SEP]
    assert laid.rows["first"][1] == laid.rows["first"][2]
    assert laid.texts["text"].tolist() == [
        "Permit garden please how when",
        "tax income return refund",
        "visa",
        "the car",
        "school child place term school child",
    ]


def test_the_roberta_family_has_its_own_special_tokens_and_marks_of_words(roberta, make):
    assert roberta.tokens_around(2) == [[0], [2, 2], [2]]
    rows = ROWS.assign(title="a", body="visa", answer="pension")[:1]
    laid = laid_out(roberta, rows, make(layout="joint"))
    assert ids_of(laid, "first")[0] == roberta.tokenizer("a visa", "pension")["input_ids"]
    separate = laid_out(roberta, rows, make(layout="separate"))
    assert ids_of(separate, "second")[0] == roberta.tokenizer("pension")["input_ids"]


def test_a_cut_field_keeps_the_ids_and_the_words_of_its_two_ends(tiny_encoder, make):
    laid = laid_out(tiny_encoder, ROWS, make(answer=4, layout="separate", allocation="fixed", head_share=0.5))
    kept = own(tiny_encoder, "school child school child")
    assert ids_of(laid, "second")[2] == [CLS, *kept, SEP]
    assert laid.texts["text"][laid.rows["second"][2]] == "school child school child"
    head = laid_out(tiny_encoder, ROWS, make(answer=4, layout="separate", allocation="fixed", head_share=1.0))
    assert head.texts["text"][head.rows["second"][2]] == "school child place term"


def test_adaptive_gives_the_answer_what_title_and_body_leave(tiny_encoder, make):
    texts = {}
    for allocation in ("fixed", "adaptive"):
        laid = laid_out(tiny_encoder, ROWS, make(2, 2, 2, layout="joint", allocation=allocation, head_share=1.0))
        texts[allocation] = [laid.texts["text"][place] for place in laid.rows["first"]]
    assert texts["fixed"] == ["Permit garden please how tax income", "visa the car", "visa school child"]
    assert texts["adaptive"][2] == "visa school child place term school"
    assert texts["adaptive"][:2] == texts["fixed"][:2]


def test_adaptive_gives_each_of_two_texts_no_more_than_the_encoder_takes(tiny_encoder, make):
    rows = pd.DataFrame({"use": "train", "title": ["tax"], "body": ["visa " * 90], "answer": ["car " * 20]})
    laid = laid_out(tiny_encoder, rows, make(2, 60, 62, layout="separate", allocation="adaptive"))
    question, answer = (ids_of(laid, name)[0] for name in ("first", "second"))
    # Of 124 tokens the answer takes 20, and the question would take 91; its text has 64 places with [CLS] and [SEP].
    assert len(question) == 64 == laid.longest and len(answer) == 22
    fields = laid.fields.set_index("field")
    assert fields["tokens_kept_mean"].tolist() == [1, 61, 20]
    assert fields.loc["body", "share_lost_adaptive"] == pytest.approx(29 / 90)


def test_what_each_field_loses_is_counted_over_training_rows_with_either_allocation(tiny_encoder, make):
    rows = pd.concat([ROWS[:2], ROWS[2:].assign(use="train"), ROWS[2:].assign(answer="tax " * 30)])
    fields = laid_out(tiny_encoder, rows, make(2, 2, 2, allocation="fixed")).fields.set_index("field")
    assert fields["column"].tolist() == ["question_title", "question_body", "answer"]
    # Of 64 places three are special.
    assert fields["budget"].tolist() == [2, 2, 2] and fields["one_text_takes"].tolist() == [61] * 3
    # Of the answers, 4 + 2 + 6 tokens, fixed keeps 2 + 2 + 2, adaptive 2 + 2 + 5.
    answer = fields.loc["answer"]
    assert answer[["rows", "tokens_mean", "tokens_kept_mean"]].tolist() == [3, 4, 2]
    assert answer["share_lost"] == answer["share_lost_fixed"] == pytest.approx(6 / 12)
    assert answer["share_lost_adaptive"] == pytest.approx(3 / 12)
    assert answer["rows_cut"] == pytest.approx(2 / 3)
    assert fields.loc["title", "share_lost"] == 0


def test_without_an_answer_the_question_is_one_text(tiny_encoder, make):
    options = dataclasses.replace(make(), text=Fields("question_title", "question_body", ""))
    laid = laid_out(tiny_encoder, ROWS, options)
    assert ids_of(laid, "first")[0] == [CLS, *own(tiny_encoder, "permit garden please how when"), SEP]
    assert laid.fields["field"].tolist() == ["title", "body"]


def test_no_text_is_longer_than_the_budget_allows_in_any_layout(tiny_encoder, make):
    random = np.random.default_rng(0)
    words = [" ".join(random.choice(["tax", "visa", "car"], n)) for n in random.integers(0, 60, 30)]
    rows = pd.DataFrame({"use": "train", "title": words[:10], "body": words[10:20], "answer": words[20:]})
    for layout in ("joint", "separate"):
        for allocation in ("fixed", "adaptive"):
            laid = laid_out(tiny_encoder, rows, make(5, 20, 15, layout=layout, allocation=allocation))
            assert max(len(row) for row in laid.texts["input_ids"]) <= laid.longest


def test_no_rows_are_no_texts_and_no_table(tiny_encoder, make):
    laid = laid_out(tiny_encoder, ROWS[:0], make(9999, 9999, 9999))
    assert laid.texts.empty and laid.tables() == {} and laid.longest == 0


@pytest.mark.parametrize(
    ("tokens", "layout", "allocation", "longest"),
    [
        ((1, 40, 20), "joint", "fixed", 64),
        ((1, 40, 20), "separate", "fixed", 43),
        ((1, 40, 20), "separate", "adaptive", 63),
        ((2, 40, 20), "joint", "fixed", None),
        ((3, 40, 20), "separate", "adaptive", 64),
        ((2, 60, 62), "separate", "adaptive", 64),
        ((3, 60, 20), "separate", "adaptive", None),
        ((3, 60, 20), "separate", "fixed", None),
        ((0, 0, 0), "joint", "fixed", None),
    ],
)
def test_budgets_are_checked_against_the_64_places_of_the_encoder(
    tiny_encoder, make, tokens, layout, allocation, longest
):
    options = make(*tokens, layout=layout, allocation=allocation)
    if longest:
        assert longest_text(tiny_encoder, options) == longest
    else:
        with pytest.raises(
            UserError, match=r"`prepare\.ratings\.tokens` makes texts of -?\d+ tokens, .* takes \d to 64"
        ):
            longest_text(tiny_encoder, options)
