"""Tokens by the parts of texts beside the tokenizer's own."""

import numpy as np
import pytest
from tokenizers import normalizers
from transformers import AutoTokenizer

from whyrank.model.encoder import tokenising
from whyrank.model.encoder.source import embedded_folder

from ...odd_texts import TEXTS, drawn

ODD = [
    "[SEP] a [MASK] b",
    "x[CLS]y",
    "a\x1cb \x85c",
    "\ufffd \x00",
    "\u200bzero width",
    "[UNK]",
    "don't-stop",
    "b" * 300,
]


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(embedded_folder())


def around(tokenizer, prompt):
    return [tokenizer.cls_token_id, *tokenizer(prompt, add_special_tokens=False)["input_ids"]], [tokenizer.sep_token_id]


@pytest.mark.parametrize("prompt", ["", "query: ", "query:", "re"])
def test_parts_give_the_tokens_that_whole_texts_have(tokenizer, prompt, monkeypatch) -> None:
    texts = TEXTS + ODD + drawn(2000)
    monkeypatch.setattr(tokenising, "FEWEST", 1)
    assert tokenising._is_of_parts(tokenizer, texts)
    by_parts = [
        tokenising.counted(tokenizer, texts),
        *(tokenising.tokenised(tokenizer, texts, n, prompt, lambda: around(tokenizer, prompt)) for n in (8, 64)),
    ]
    monkeypatch.setattr(tokenising, "FEWEST", 10**9)
    plain = [
        tokenising.counted(tokenizer, texts),
        *(tokenising.tokenised(tokenizer, texts, n, prompt, lambda: around(tokenizer, prompt)) for n in (8, 64)),
    ]
    assert by_parts[0] == plain[0]
    for rows, lists in zip(by_parts[1:], plain[1:], strict=True):
        assert [np.asarray(ids).dtype for ids in rows] == [np.int64] * len(rows)
        assert [list(ids) for ids in rows] == lists


def test_a_tokenizer_that_reads_across_spaces_reads_whole_texts(tokenizer, monkeypatch) -> None:
    monkeypatch.setattr(tokenising, "FEWEST", 1)
    other = AutoTokenizer.from_pretrained(embedded_folder())
    other.add_tokens(["two words"])
    texts = ["two words", "two  words"]
    assert tokenising.counted(other, texts) == [1, 2]
    other = AutoTokenizer.from_pretrained(embedded_folder(), truncation_side="left")
    found = tokenising.tokenised(other, ["one two three"], 3, "", lambda: around(other, ""))
    assert found == other(["one two three"], truncation=True, max_length=3)["input_ids"]
    assert other.decode(found[0][1:-1]) == "three"


def test_a_part_is_tokenised_once_and_by_its_own_tokenizer(tokenizer, monkeypatch) -> None:
    monkeypatch.setattr(tokenising, "FEWEST", 1)
    cased = AutoTokenizer.from_pretrained(embedded_folder(), do_lower_case=False)
    assert tokenising.counted(tokenizer, ["Visa Visa", "Visa"]) == [2, 1]
    other = cased(["Visa"], add_special_tokens=False)["input_ids"][0]
    assert tokenising.counted(cased, ["Visa Visa", "Visa"]) == [2 * len(other), len(other)]
    state, _ = tokenising._known[tokenizer]
    monkeypatch.setattr(tokenising, "_known", {tokenizer: (state, {"Visa": [1, 2, 3]})})
    assert tokenising.counted(tokenizer, ["Visa visa"]) == [4]


def test_a_tokenizer_that_was_changed_gives_its_new_ids(monkeypatch) -> None:
    monkeypatch.setattr(tokenising, "FEWEST", 1)
    changed = AutoTokenizer.from_pretrained(embedded_folder())
    assert tokenising.counted(changed, ["Xylozine", "Xylo"]) == [4, 3]
    changed.add_tokens(["xylozine"])
    assert tokenising.counted(changed, ["Xylozine", "Xylo"]) == [1, 3]
    changed.backend_tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    # No capital is in the vocabulary.
    assert tokenising.counted(changed, ["Xylo"]) == [1]
