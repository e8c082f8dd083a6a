"""Packed texts give what transformers gives text by text: vectors, gradients, in any company and any family."""

import numpy as np
import pytest
import torch
import transformers

from whyrank.model.encoder import packed as packed_attention
from whyrank.model.encoder.encoder import PACKED, Encoder
from whyrank.model.encoder.packed import LIKE_LENGTH, Layout, Rearranged

CPU = torch.device("cpu")
# Of equal, of like and of very unlike lengths, so that groups with and without padding occur.
LENGTHS = [30, 30, 29, 26, 12, 12, 5, 5, 5, 2]


def test_groups_hold_texts_of_like_length_and_cover_every_token_once():
    layout = Layout(LENGTHS, CPU)
    assert [(one.texts, one.longest) for one in layout.groups] == [(4, 30), (2, 12), (3, 5), (1, 2)]
    assert [one.tokens for one in layout.groups] == [115, 24, 15, 2]
    # Texts of one length need neither index nor mask.
    assert [one.place_T is None for one in layout.groups] == [False, True, True, True]
    assert layout.starts.tolist() == np.cumsum([0, *LENGTHS[:-1]]).tolist()
    assert layout.positions(2).tolist() == [2 + place for length in LENGTHS for place in range(length)]


def test_padding_stays_below_the_bound_whatever_the_lengths():
    random = np.random.default_rng(0)
    for _ in range(20):
        lengths = sorted(random.integers(2, 300, 64).tolist(), reverse=True)
        for one in Layout(lengths, CPU).groups:
            assert one.tokens >= LIKE_LENGTH * one.texts * one.longest


def test_texts_that_are_not_longest_first_are_refused():
    with pytest.raises(AssertionError, match="longest text first"):
        Layout([2, 3], CPU)


def family(name, seed=0):
    """A tiny encoder of a family, its weights large enough that texts lie apart."""
    config = transformers.AutoConfig.for_model(
        name,
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        pad_token_id=1,
        attention_probs_dropout_prob=0.0,
        hidden_dropout_prob=0.0,
    )
    torch.manual_seed(seed)
    transformer = transformers.AutoModel.from_config(config)
    for parameter in transformer.parameters():
        if parameter.ndim > 1:
            parameter.data *= 5
    return transformer.eval()


def rows_of(lengths):
    random = np.random.default_rng(3)
    return [random.integers(5, 50, length) for length in random.permutation(lengths)]


@pytest.mark.parametrize("name", sorted(PACKED))
def test_every_family_gives_the_vectors_and_gradients_that_transformers_gives_text_by_text(name, make_encoder):
    tokenizer = make_encoder().tokenizer
    packed, alone = Encoder(family(name), tokenizer, "mean"), family(name)
    assert packed.is_packed
    rows = rows_of(LENGTHS)
    vector_BD = packed(rows)
    expected_BD = torch.stack([alone(torch.as_tensor(row)[None]).last_hidden_state[0].mean(0) for row in rows])
    torch.testing.assert_close(vector_BD, expected_BD, atol=2e-5, rtol=0)
    weight_BD = torch.randn(expected_BD.shape, generator=torch.Generator().manual_seed(1))
    (vector_BD * weight_BD).sum().backward()
    (expected_BD * weight_BD).sum().backward()
    compared = 0
    for (key, mine), theirs in zip(packed.transformer.named_parameters(), alone.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(mine.grad, theirs.grad, atol=2e-4, rtol=1e-3, msg=key)
            compared += 1
    assert compared > 30


@pytest.mark.parametrize("name", sorted(PACKED))
def test_in_bfloat16_attention_is_trained_in_float32_and_gradients_stay_near_the_exact_ones(
    name, make_encoder, monkeypatch
):
    asked = []
    attend = packed_attention.scaled_dot_product_attention
    monkeypatch.setattr(
        packed_attention,
        "scaled_dot_product_attention",
        lambda *given, **named: asked.append({one.dtype for one in given}) or attend(*given, **named),
    )

    def gradients(precision, training):
        encoder = Encoder(family(name), make_encoder().tokenizer, "mean").train(training)
        for module in encoder.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        with encoder.autocast(precision):
            vector_BD = encoder(rows_of(LENGTHS))
        vector_BD.float().pow(3).sum().backward()
        return torch.cat([one.grad.flatten() for one in encoder.parameters() if one.grad is not None])

    exact, half = gradients("fp32", training=True), gradients("bf16", training=True)
    assert asked and set.union(*asked) == {torch.float32}
    assert torch.nn.functional.cosine_similarity(half, exact, dim=0) > 0.99
    assert not torch.equal(half, exact)
    gradients("bf16", training=False)
    assert torch.bfloat16 in set.union(*asked)  # encoding is faster in it


def test_the_gradient_of_rearranged_rows_is_that_of_index_select():
    layout = Layout([10, 10, 9], CPU)
    (one,) = layout.groups
    there, back = one.token_GL.flatten(), one.place_T
    random = torch.Generator().manual_seed(0)
    for spread in (True, False):
        row_NHF = torch.randn(29 if spread else 30, 2, 3, generator=random, requires_grad=True)
        twin_NHF = row_NHF.detach().clone().requires_grad_()
        if spread:
            found, expected = Rearranged.apply(row_NHF, there, back, None), twin_NHF.index_select(0, there)
            weight = torch.randn(found.shape, generator=random) * one.real_GL.flatten()[:, None, None]
        else:
            padding = ~one.real_GL.flatten()
            found, expected = Rearranged.apply(row_NHF, back, there, padding), twin_NHF.index_select(0, back)
            weight = torch.randn(found.shape, generator=random)
        (found * weight).sum().backward()
        (expected * weight).sum().backward()
        assert torch.equal(found, expected) and torch.equal(row_NHF.grad, twin_NHF.grad)


def test_a_family_that_is_not_known_to_be_right_packed_works_on_padded_batches(make_encoder):
    config = transformers.DistilBertConfig(vocab_size=50, dim=32, n_layers=2, n_heads=2, hidden_dim=64)
    torch.manual_seed(0)
    transformer = transformers.DistilBertModel(config).eval()
    encoder = Encoder(transformer, make_encoder().tokenizer, "mean")
    assert not encoder.is_packed
    rows = rows_of(LENGTHS)
    with torch.no_grad():
        expected_BD = torch.stack(
            [transformer(torch.as_tensor(row)[None]).last_hidden_state[0].mean(0) for row in rows]
        )
        torch.testing.assert_close(encoder(rows), expected_BD, atol=1e-5, rtol=0)


def test_attention_dropout_is_passed_on_and_drawn_anew_each_time(make_encoder):
    encoder = make_encoder()
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    rows = [row % 20 for row in rows_of(LENGTHS)]
    encoder.train()
    assert torch.equal(encoder(rows), encoder(rows))
    encoder.transformer.encoder.layer[0].attention.self.dropout.p = 0.5
    assert not torch.allclose(encoder(rows), encoder(rows), atol=1e-3)


@pytest.mark.parametrize("name", sorted(PACKED))
def test_vectors_after_each_block_are_those_of_transformers_text_by_text_and_the_last_those_of_forward(
    name, make_encoder
):
    packed, alone = Encoder(family(name), make_encoder().tokenizer, "mean"), family(name)
    rows = rows_of(LENGTHS)
    with torch.no_grad():
        found_BKD = packed.after_layers(rows, [2, 1])
        states = [alone(torch.as_tensor(row)[None], output_hidden_states=True).hidden_states for row in rows]
        assert torch.equal(found_BKD[:, 0], packed(rows))
    expected_BKD = torch.stack([torch.stack([state[2], state[1]])[:, 0].mean(1) for state in states])
    torch.testing.assert_close(found_BKD, expected_BKD, atol=2e-5, rtol=0)
