"""Figures of a tokenizer, and an id without an embedding."""

from itertools import product

import pandas as pd
import pytest
import tokenizers
import torch
import transformers

from whyrank.core.errors import UserError
from whyrank.core.prepared import Prepared
from whyrank.findings.records import DataRecords
from whyrank.model.encoder import budgets, source
from whyrank.preflight.figures import tokenizer
from whyrank.preflight.probes.encoder import tokenizer_mismatch

TEXTS = ["Where is the Pump of my Sprigbox?", "The lamp of the Sprigbox stays dark, said Anna."]


def prepared(answers, queries=()):
    kinds = pd.DataFrame({"type": "question", "text": list(queries)})
    return Prepared(pd.DataFrame({"text": list(answers)}), kinds, pd.DataFrame())


def spoken(encoder, texts):
    table = tokenizer.figures(encoder, prepared(texts))
    data = DataRecords(pd.DataFrame(), pd.DataFrame(), pd.DataFrame(), {}, {"tokenizer": table}, pd.DataFrame())
    return list(tokenizer_mismatch(data))


def with_tokenizer(encoder, file, *, lowercase):
    """`encoder` under a WordPiece tokenizer of the pieces in `file` or of a list of them."""
    pieces = {piece: i for i, piece in enumerate(file)} if isinstance(file, list) else file
    wordpiece = tokenizers.BertWordPieceTokenizer(pieces, lowercase=lowercase)
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    encoder.tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(wordpiece.to_str()), model_max_length=64, **special
    )
    return encoder


def with_embeddings(encoder, rows):
    encoder.transformer.set_input_embeddings(torch.nn.Embedding(rows, encoder.width))
    return encoder


def test_figures_by_hand(tiny_encoder):
    # "please" is a piece, "Permit" one of small letters, "zebra" is unknown, "ages" is "age" and "##s".
    table = tokenizer.figures(tiny_encoder, prepared(["please Permit zebra"], ["ages"])).set_index("kind")
    answer, question = table.loc["answer"], table.loc["question"]
    assert (answer["texts"], answer["pieces"]) == (1, 3)
    assert answer["unknown"] == pytest.approx(1 / 3) and answer["cased"] == pytest.approx(1 / 3)
    assert (question["unknown"], question["pieces_per_word"]) == (0.0, 2.0)
    assert (table["lower_cases"] == 1).all()
    # [MASK], which this tokenizer does not know to be special.
    assert table["cased_vocabulary"].tolist() == pytest.approx([1 / (len(tiny_encoder.tokenizer) - 4)] * 2)
    assert (table["vocabulary"] == len(tiny_encoder.tokenizer)).all()
    assert (table["embeddings"] == table["vocabulary"]).all()
    assert list(table.index) == ["question", "answer"]


def test_a_character_is_a_word_where_words_are_written_together(tiny_encoder):
    # BERT's tokenizer takes each for a word too, whether it knows it or not.
    table = tokenizer.figures(tiny_encoder, prepared(["重置密码 age", "ages"]))
    assert table.loc[0, ["pieces", "pieces_per_word"]].tolist() == [7, 7 / 6]


def test_of_many_texts_some_are_looked_at_from_the_first_to_the_last(tiny_encoder, monkeypatch):
    monkeypatch.setattr(tokenizer, "TEXTS", 3)
    table = tokenizer.figures(tiny_encoder, prepared(["zebra", "age", "age", "age", "age age"]))
    assert table.loc[0, ["texts", "pieces"]].tolist() == [3, 4] and table.loc[0, "unknown"] == 0.25


@pytest.fixture(scope="module")
def embedded():
    """The embedded encoder's own tokenizer and the number of its embeddings, without its weights."""
    folder = source.embedded_folder()

    class Bare:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        embeddings = 30522

    return Bare, str(folder / "vocab.txt")


def test_the_tokenizer_of_the_embedded_encoder_fits(embedded):
    assert spoken(embedded[0], TEXTS) == []


def test_its_vocabulary_without_small_letters_leaves_capitals_unknown(embedded):
    bare, file = embedded
    spoilt = with_tokenizer(type("Spoilt", (bare,), {}), file, lowercase=False)
    (finding,) = spoken(spoilt, TEXTS)
    assert "no capitals" in finding.cause and "tokenizer files that came with the weights" in finding.fix.action
    # The action: with the tokenizer that came with the weights it is silent.
    assert spoken(bare, TEXTS) == []


def test_a_writing_without_letters_in_the_vocabulary_is_an_error_and_a_vocabulary_of_its_own_fixes_it(tiny_encoder):
    texts = ["ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ᎣᏏᏲ ᏣᎳᎩ"] * 10
    (finding,) = spoken(tiny_encoder, texts)
    assert finding.severity == "error" and "100 %" in finding.sentence
    assert "encoder.source=scratch" in finding.fix.action
    own = source.scratch(texts, pooling="mean", attention_dropout=0.0, vocabulary=200)
    assert spoken(own, texts) == []


def test_capitals_made_small_before_a_vocabulary_with_capitals(tiny_encoder):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(i) for i in range(33, 127)]
    pieces = [*special, *letters, *(f"##{letter}" for letter in letters)]
    with_embeddings(tiny_encoder, len(pieces))
    (finding,) = spoken(with_tokenizer(tiny_encoder, pieces, lowercase=True), TEXTS)
    assert finding.severity == "warning" and "lower-cases all text" in finding.sentence
    assert spoken(with_tokenizer(tiny_encoder, pieces, lowercase=False), TEXTS) == []


def test_more_pieces_than_embeddings_and_far_more_embeddings_than_pieces(tiny_encoder):
    pieces = len(tiny_encoder.tokenizer)
    known = ["please permit the garden"]
    assert spoken(with_embeddings(tiny_encoder, pieces + 900), known) == []  # padded
    for rows in (pieces + 1100, pieces - 1):
        assert "embeddings" in spoken(with_embeddings(tiny_encoder, rows), known)[0].sentence


def test_an_id_without_an_embedding_is_a_user_error_before_anything_is_encoded(tiny_encoder, topics):
    budget = budgets.Budgets(dict.fromkeys(("question", "conversation", "answer", "pair"), 16), {})
    budgets.tokenised(tiny_encoder, topics, budget)
    with_embeddings(tiny_encoder, 10)
    with pytest.raises(UserError, match=r"`encoder\.source`: its tokenizer gives id \d+, but the encoder has 10 emb"):
        budgets.tokenised(tiny_encoder, topics, budget)


@pytest.mark.parametrize(("prefix", "marked"), [("##", 0.5), ("", 0.0)])
def test_a_tokenizer_that_lost_the_mark_of_its_vocabulary_never_uses_it(prefix, marked, tiny_encoder):
    words = [one + two for one, two in product("bcdfghklmnprst", "aeiou")]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words, *(f"##{word}" for word in words)]
    model = tokenizers.models.WordPiece(
        {piece: i for i, piece in enumerate(vocabulary)}, unk_token="[UNK]", continuing_subword_prefix=prefix
    )
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tiny_encoder.tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")
    table = tokenizer.figures(tiny_encoder, prepared(TEXTS))
    assert (table["mark"] == "##").all() and table["marked"].tolist() == pytest.approx([marked], abs=0.1)
