"""Where objectives get their vectors: table, encoder, or the last blocks on kept activations; all the same numbers."""

import numpy as np
import pytest
import torch

from whyrank.training.engine.vectors import FrozenVectors, LastLayersVectors, LiveVectors

LIMITS = {"batch_tokens": 64, "precision": "fp32"}
INDEX = np.array([3, 0, 3, 50, 7, 0, 3])  # some texts more than once, in no order


@pytest.fixture
def rows(topics):
    return topics.token_ids


@pytest.fixture
def table(tiny_encoder, rows):
    return FrozenVectors(tiny_encoder.encode(rows, **LIMITS), torch.device("cpu"))


def test_the_table_holds_what_the_live_encoder_gives_in_evaluation_mode(tiny_encoder, rows, table):
    live = LiveVectors(tiny_encoder.eval(), rows, **LIMITS)
    for ask in ("__call__", "inference"):
        torch.testing.assert_close(getattr(live, ask)(INDEX).detach(), getattr(table, ask)(INDEX), atol=1e-5, rtol=0)
    assert table(INDEX).shape == (7, 32) and table(INDEX).dtype == torch.float32


def test_a_text_that_stands_in_a_batch_twice_is_encoded_once_and_gets_the_gradient_of_both(
    tiny_encoder, rows, monkeypatch
):
    live = LiveVectors(tiny_encoder, rows, **LIMITS)
    encoded = []
    forward = tiny_encoder.transformer.forward
    monkeypatch.setattr(
        tiny_encoder.transformer, "forward", lambda **kw: encoded.append(len(kw["layout"].lengths)) or forward(**kw)
    )
    weight = tiny_encoder.transformer.embeddings.word_embeddings.weight

    def gradient(index):
        weight.grad = None
        live(np.array(index))[:, 0].sum().backward()
        return weight.grad.clone()

    assert live(INDEX).shape == (7, 32)
    assert encoded == [4]  # 0, 3, 7 and 50
    torch.testing.assert_close(gradient([3, 3, 0]), 2 * gradient([3]) + gradient([0]), atol=1e-5, rtol=1e-4)


def test_inference_gives_no_gradients_and_training_calls_do(tiny_encoder, rows):
    live = LiveVectors(tiny_encoder, rows, **LIMITS)
    last = LastLayersVectors(tiny_encoder, rows, 1, **LIMITS)
    for vectors in (live, last):
        assert vectors(INDEX).requires_grad
        assert not vectors.inference(INDEX).requires_grad


@pytest.mark.parametrize("last", [1, 2])
def test_the_last_layers_on_kept_activations_give_the_vectors_of_the_whole_encoder(tiny_encoder, rows, table, last):
    vectors = LastLayersVectors(tiny_encoder, rows, last, **LIMITS)
    tiny_encoder.eval()
    for ask in ("__call__", "inference"):
        torch.testing.assert_close(getattr(vectors, ask)(INDEX).detach(), table(INDEX), atol=1e-5, rtol=0)


def test_gradients_of_the_last_block_are_those_of_the_whole_encoder_and_no_other_weight_has_one(make_encoder, rows):
    whole, cut = make_encoder(), make_encoder()
    LiveVectors(whole, rows, **LIMITS)(INDEX).square().sum().backward()
    LastLayersVectors(cut, rows, 1, **LIMITS)(INDEX).square().sum().backward()
    for (name, one), two in zip(whole.transformer.named_parameters(), cut.transformer.parameters(), strict=True):
        if "layer.1." in name:
            torch.testing.assert_close(two.grad, one.grad, atol=1e-4, rtol=1e-3)
        else:
            assert two.grad is None and not two.requires_grad, name


@pytest.mark.parametrize("batch_tokens", [1, 8, 64])
def test_the_last_layers_give_vectors_in_the_order_asked_for_whatever_the_lengths(tiny_encoder, batch_tokens):
    # Longest first, the lengths 4, 6, 5 come as 1, 2, 0: a turn of three, which is not its own inverse.
    rows = [[2, 7, 8, 3], [2, 9, 10, 11, 12, 3], [2, 13, 14, 15, 3]]
    whole = tiny_encoder.encode(rows, **LIMITS)
    vectors = LastLayersVectors(tiny_encoder, rows, 1, batch_tokens=batch_tokens, precision="fp32")
    for index in ([0, 1, 2], [2, 0, 1], [1, 1, 0]):
        for ask in (vectors, vectors.inference):
            np.testing.assert_allclose(ask(np.array(index)).detach().numpy(), whole[index], atol=1e-5)


@pytest.mark.parametrize("kind", ["whole", "last"])
@pytest.mark.parametrize("cache_tokens", [1, 30])
def test_gradients_through_the_cache_are_those_without_it(make_encoder, rows, kind, cache_tokens):
    found = []
    for tokens in (0, cache_tokens):
        encoder = make_encoder()
        if kind == "whole":
            vectors = LiveVectors(encoder, rows, **LIMITS, cache_tokens=tokens)
        else:
            vectors = LastLayersVectors(encoder, rows, 1, **LIMITS, cache_tokens=tokens)
        vector_BD = vectors(INDEX)
        # A loss that ties all texts of the batch together, as negatives in the batch do.
        (vector_BD @ vector_BD.T).logsumexp(1).sum().backward()
        gradients = [parameter.grad for parameter in encoder.parameters() if parameter.grad is not None]
        found.append((vector_BD.detach(), gradients))
    torch.testing.assert_close(found[1][0], found[0][0], atol=1e-5, rtol=0)
    assert len(found[0][1]) == len(found[1][1]) > 10
    for one, two in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(two, one, atol=1e-5 * max(1.0, one.abs().max().item()), rtol=0)


def test_the_cache_repeats_the_dropout_of_the_first_pass(make_encoder, rows):
    # If the second pass drew another dropout, the gradient of the vector itself would not be that of its own pass:
    # with every unit of the embeddings' LayerNorm shared, d(sum of v)/d(bias) counts the units kept in that very pass.
    encoder = make_encoder().train()
    vectors = LiveVectors(encoder, rows, **LIMITS, cache_tokens=1)
    bias = encoder.transformer.encoder.layer[-1].output.LayerNorm.bias
    gradients = []
    for _ in range(2):
        torch.manual_seed(3)
        bias.grad = None
        encoder.zero_grad()
        vectors(INDEX).square().sum().backward()
        gradients.append({name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None})
    torch.manual_seed(3)
    plain = LiveVectors(encoder, rows, **LIMITS)
    groups = [[index] for index in sorted({0, 3, 7, 50}, key=lambda i: (-len(rows[i]), i))]
    encoder.zero_grad()
    by_index = {index: plain(np.array([index]))[0] for (index,) in groups}
    torch.stack([by_index[index] for index in INDEX]).square().sum().backward()
    for name, gradient in gradients[0].items():
        assert torch.equal(gradients[1][name], gradient), name
        expected = dict(encoder.named_parameters())[name].grad
        torch.testing.assert_close(gradient, expected, atol=1e-4, rtol=1e-3, msg=name)


def test_the_cost_of_a_batch_counts_each_text_once_and_the_padding_of_each_group(tiny_encoder, table):
    # Lengths 10, 9, 4: the first two are alike (9 >= .85 * 10) and padded to 10, the third stands alone.
    rows = [[7] * length for length in (4, 9, 10, 6)]
    asked = np.array([0, 1, 2, 1])
    assert LiveVectors(tiny_encoder, rows, **LIMITS).cost(asked) == pytest.approx(
        {"tokens": 23, "padding_share": 1 - 23 / 24}
    )
    # One text a group, as gradient caching by 10 tokens makes them, needs no padding.
    assert LiveVectors(tiny_encoder, rows, **LIMITS, cache_tokens=10).cost(asked)["padding_share"] == 0
    tiny_encoder.is_packed = False
    assert LiveVectors(tiny_encoder, rows, **LIMITS).cost(asked)["padding_share"] == pytest.approx(1 - 23 / 30)
    assert table.cost(asked) == {"tokens": 0, "padding_share": 0.0}
