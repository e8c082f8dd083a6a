"""The same transformer in int8 and as an ONNX graph: the same vectors, as nearly as their numbers allow."""

import builtins

import numpy as np
import pytest
import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.model import formats

TEXTS = ["permit garden fence", "pension", "the visa border passport you how when about", "tax income"]


def encoded(encoder):
    return encoder.encode(encoder.tokenise(TEXTS, 16), batch_tokens=40, precision="fp32")


def cosines(one_ND, other_ND):
    return nn.functional.cosine_similarity(torch.from_numpy(one_ND), torch.from_numpy(other_ND)).numpy()


def test_a_graph_gives_the_vectors_of_the_encoder_for_batches_of_any_size(make_encoder, tiny_graph):
    encoder = make_encoder()
    before = encoded(encoder)
    formats.use(encoder, tiny_graph)
    np.testing.assert_allclose(encoded(encoder), before, atol=1e-5)
    (alone,) = encoder.encode(encoder.tokenise(TEXTS[2:3], 16), batch_tokens=40, precision="fp32")
    np.testing.assert_allclose(alone, before[2], atol=1e-5)


def test_a_graph_of_8_bits_is_smaller_and_near(make_encoder, tiny_graph):
    encoder = make_encoder()
    before = encoded(encoder)
    small = formats.rounded(tiny_graph)
    assert len(small) < 0.8 * len(tiny_graph)  # most of so tiny a graph are names
    formats.use(encoder, small)
    assert 0.95 < cosines(encoded(encoder), before).min() < 0.999999


def test_int8_with_torch_is_smaller_and_near(make_encoder):
    encoder = make_encoder()
    before, whole = encoded(encoder), sum(weight.nbytes for weight in encoder.transformer.parameters())
    assert formats.int8(encoder) < whole
    assert 0.95 < cosines(encoded(encoder), before).min() < 0.999999
    kinds = {type(part).__module__.rpartition(".")[2] for part in encoder.transformer.modules()}
    assert "Linear" not in {type(part).__name__ for part in encoder.transformer.modules() if type(part) is nn.Linear}
    assert "linear" in kinds


def test_static_gives_the_directions_of_the_library(make_encoder, monkeypatch):
    from model2vec import distill

    made, own = [], distill.distill_from_model
    monkeypatch.setattr(
        distill, "distill_from_model", lambda *given, **named: made.append(own(*given, **named)) or made[0]
    )
    encoder = make_encoder()
    formats.static(encoder)
    made[0].tokenizer.no_padding()
    assert cosines(encoded(encoder), made[0].encode(TEXTS)).min() > 0.99999


def test_static_gives_a_token_the_same_vector_in_any_text(make_encoder):
    encoder = make_encoder()
    width, ids = encoder.token_width, encoder.tokenizer.get_vocab()
    rows = encoder.embeddings
    assert formats.static(encoder) == rows * width * 4
    vector_ND = encoded(encoder)
    assert np.isfinite(vector_ND).all() and (np.linalg.norm(vector_ND, axis=1) > 0).all()
    moved = encoder.encode(encoder.tokenise(["fence permit garden"], 16), batch_tokens=40, precision="fp32")
    np.testing.assert_allclose(moved[0], vector_ND[0], atol=1e-6)
    token_VH = encoder.transformer.token_VH.numpy()
    assert not token_VH[[ids["[CLS]"], ids["[SEP]"]]].any()
    by_hand_H = token_VH[[ids[word] for word in TEXTS[0].split()]].sum(0) / 5
    np.testing.assert_allclose(vector_ND[0], by_hand_H, atol=1e-6)


def test_a_missing_package_is_named_with_the_command_that_installs_it(make_encoder, monkeypatch):
    own = builtins.__import__

    def absent(name, *more, **named):
        if name.startswith("onnxscript"):
            raise ImportError(name)
        return own(name, *more, **named)

    monkeypatch.setattr(formats.importlib, "import_module", lambda name: absent(name))
    with pytest.raises(UserError, match=r"onnxscript is not installed; pip install 'whyrank\[onnx\]'"):
        formats.graph(make_encoder())


def test_a_transformer_that_has_no_graph_is_one_line(make_encoder, monkeypatch):
    encoder = make_encoder()

    def broken(*given, **named):
        raise RuntimeError("no symbol for it\nand more")

    monkeypatch.setattr(formats.torch.onnx, "export", broken)
    with pytest.raises(UserError, match=r"^BertModel cannot be written as an ONNX graph: ") as caught:
        formats.graph(encoder)
    assert "\n" not in str(caught.value)
    assert encoded(encoder).any()  # its own attention is back
