"""What sentence-transformers gives for a folder, beside vectors that differ from it in one known way."""

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from whyrank.core.errors import UserError
from whyrank.model import library
from whyrank.model.encoder import loading
from whyrank.model.encoder.encoder import Encoder

from .encoder import foreign

SIDES = ["query", "answer", "query", "answer", "query"]
LONG = 200
PROMPTS = {"prompts": {"query": "What do I need? ", "document": ""}}


def texts(words=10_000):
    """The sentences of the fixture, each of so many words at most as `text`."""
    cut = [" ".join(sentence.split()[:words]) for sentence in foreign.SENTENCES]
    return pd.DataFrame({"side": SIDES, "row": range(5), "raw_text": foreign.SENTENCES, "text": cut})


def ours(folder, table, *, limit=24, prompts=True, modules=True):
    encoder, found = loading.load(folder), []
    if not modules:
        encoder = Encoder(encoder.transformer, encoder.tokenizer, encoder.pooling)
    for side, text in table[["side", "text"]].itertuples(index=False):
        rows = encoder.tokenise([text], limit, ("document" if side == "answer" else "query") if prompts else None)
        found.append(encoder.encode(rows, batch_tokens=100, precision="fp32")[0])
    return np.stack(found)


def test_a_folder_that_is_read_alike_agrees_in_every_way(tmp_path):
    folder = foreign.library_folder(tmp_path / "model", above=("Dense",), **PROMPTS)
    table = texts()
    found = library.agreement(folder, table, ours(folder, table))
    assert list(found) == library.COLUMNS and found["side"].tolist() == SIDES
    assert found[["again", "alone", "reloaded", "ours", "ours_same_text"]].to_numpy().min() >= library.SAME
    assert set(found["because"]) == {""}
    assert (found["moved"] < 0.9999).all()


@pytest.mark.parametrize("times", [1, 20])
def test_a_sum_over_pieces_does_not_see_the_order_of_words_also_where_it_cuts_texts(tmp_path, times):
    _, pieces = foreign.architecture("bert")
    pieces.backend_tokenizer.enable_truncation(100)
    static = StaticEmbedding(pieces.backend_tokenizer, embedding_dim=16)
    SentenceTransformer(modules=[static], device="cpu").save_pretrained(str(tmp_path / "static"))
    table = texts()
    for column in ("raw_text", "text"):
        table[column] = [" ".join([text] * times) for text in table[column]]
    encode = library.encoder(tmp_path / "static")
    own = np.stack([encode(side, [text])[0] for side, text in table[["side", "text"]].itertuples(index=False)])
    found = library.agreement(tmp_path / "static", table, own)
    np.testing.assert_allclose(found[["moved", "ours", "alone"]].to_numpy(), 1, atol=1e-6)


def test_a_text_that_whyrank_cut_differs_whole_and_agrees_cut(tmp_path):
    folder, table = foreign.library_folder(tmp_path / "model"), texts(words=4)
    found = library.agreement(folder, table, ours(folder, table))
    assert (found["ours"] < 0.999).all() and (found["ours_same_text"] >= library.SAME).all()


def test_a_prompt_that_only_the_library_sets_is_named(tmp_path):
    folder, table = foreign.library_folder(tmp_path / "model", **PROMPTS), texts(words=6)
    found = library.agreement(folder, table, ours(folder, table, prompts=False)).set_index("side")
    assert set(found.loc["query", "because"]) == {"prompt"} and set(found.loc["answer", "because"]) == {""}


def test_a_length_that_only_the_library_cuts_at_is_named(tmp_path):
    folder, table = foreign.library_folder(tmp_path / "model"), texts()
    table["text"] = table["raw_text"] = [" ".join(foreign.SENTENCES)] * 5
    found = library.agreement(folder, table, ours(folder, table, limit=LONG))
    assert set(found["because"]) == {"max_seq_length"}


def test_modules_that_whyrank_left_out_are_named(tmp_path):
    folder, table = foreign.library_folder(tmp_path / "model", above=("Dense",)), texts(words=6)
    found = library.agreement(folder, table, ours(folder, table, modules=False))
    assert set(found["because"]) == {"modules above the pooling"}


def test_half_precision_of_the_files_is_named(tmp_path, monkeypatch):
    # Two small layers lose little.
    monkeypatch.setattr(library, "SAME", 0.999999)
    folder, table = foreign.library_folder(tmp_path / "model"), texts(words=6)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    found = library.agreement(folder, table, ours(folder, table))
    assert (found["ours_same_text"] < library.SAME).any()
    assert set(found.loc[found["ours_same_text"] < library.SAME, "because"]) == {"half precision"}


def test_dropout_that_is_live_shows_as_another_vector_each_time(tmp_path, monkeypatch):
    class Live(SentenceTransformer):
        def eval(self):
            return self.train()

    folder, table = foreign.library_folder(tmp_path / "model"), texts(words=6)
    monkeypatch.setattr("sentence_transformers.SentenceTransformer", Live)
    found = library.agreement(folder, table, ours(folder, table))
    assert (found[["again", "alone", "reloaded"]] < 0.999).all(axis=None)


def test_a_folder_that_the_library_cannot_read_is_one_line(tmp_path):
    (tmp_path / "modules.json").write_text("[]")
    with pytest.raises(UserError, match=rf"^{tmp_path}: sentence-transformers cannot read it: [^\n]+$"):
        library.agreement(tmp_path, texts(), np.zeros((5, 4), dtype=np.float32))
