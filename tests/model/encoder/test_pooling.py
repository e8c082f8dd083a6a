"""Pooling by hand: two texts end to end, of 3 and 2 tokens, 2 features."""

import pytest
import torch

from whyrank.model.encoder import layers, pooling
from whyrank.model.encoder.packed import Layout

TOKENS = torch.tensor([[1.0, -1.0], [2.0, -5.0], [6.0, -3.0], [4.0, 0.0], [8.0, -2.0]])
LAYOUT = Layout([3, 2], torch.device("cpu"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", [[3.0, -3.0], [6.0, -1.0]]),  # (1+2+6)/3, -(1+5+3)/3; (4+8)/2, (0-2)/2
        ("cls", [[1.0, -1.0], [4.0, 0.0]]),
        ("max", [[6.0, -1.0], [8.0, 0.0]]),  # all negative: no 0 may come in from anywhere
    ],
)
def test_pooling_by_hand(name, expected):
    assert pooling.POOLINGS[name](TOKENS, LAYOUT).tolist() == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # d(sum of the first features) / d(token): 1/3 each and 1/2 each; the first token; where the maximum stands.
        ("mean", [1 / 3, 1 / 3, 1 / 3, 1 / 2, 1 / 2]),
        ("cls", [1, 0, 0, 1, 0]),
        ("max", [0, 0, 1, 0, 1]),
    ],
)
def test_gradients_go_to_the_tokens_that_were_read(name, expected):
    tokens = TOKENS.clone().requires_grad_()
    pooling.POOLINGS[name](tokens, LAYOUT)[:, 0].sum().backward()
    torch.testing.assert_close(tokens.grad[:, 0], torch.tensor(expected, dtype=torch.float32))
    assert not tokens.grad[:, 1].any()


ROWS = [[2, 7, 8, 9, 10, 11, 12, 3], [2, 9, 10, 7, 8, 12, 3], [2, 9, 3], [2, 7, 3]]


@pytest.fixture
def whole(make_encoder):
    return make_encoder(pooling="cls")


def activations(encoder, dtype=torch.float32):
    layout = Layout([len(row) for row in ROWS], encoder.device)
    with torch.no_grad():
        return layers.part(encoder, slice(None, -1), embeddings=True).tokens(ROWS, layout).to(dtype), layout


def test_vectors_and_gradients_are_those_of_the_whole_block(whole):
    token_TD, layout = activations(whole)
    assert any(one.token_GL is None for one in layout.groups) and any(one.token_GL is not None for one in layout.groups)
    last = layers.layers_of(whole)[-1]
    found = {}
    for name, through in (
        ("all", lambda token: last(token[None], layout=layout)[0][layout.starts]),
        ("first", lambda token: pooling.first_token_layer(last, token, layout)),
    ):
        whole.zero_grad()
        given = token_TD.clone().requires_grad_()
        vector_BD = through(given)
        vector_BD.square().sum().backward()
        weights = {name: parameter.grad for name, parameter in last.named_parameters() if "key.bias" not in name}
        found[name] = (vector_BD.detach(), given.grad, weights)
    torch.testing.assert_close(*(found[name][:2] for name in ("first", "all")), atol=1e-4, rtol=1e-4)
    for name, gradient in found["all"][2].items():
        torch.testing.assert_close(found["first"][2][name], gradient, atol=2e-3, rtol=1e-3, msg=name)


@pytest.mark.parametrize("last", [1, 2])
def test_the_last_layers_on_activations_give_the_vectors_of_the_encoder(whole, last):
    layout = Layout([len(row) for row in ROWS], whole.device)
    lower = layers.part(whole, slice(None, -last), embeddings=True)
    with torch.no_grad():
        upper = layers.part(whole, slice(-last, None), embeddings=False)
        found = layers.through(upper, lower.tokens(ROWS, layout), layout)
        torch.testing.assert_close(found, whole(ROWS), atol=1e-5, rtol=0)
    assert found.dtype == torch.float32


def test_dropout_takes_shares_of_attention_and_with_them_their_part_of_the_bias_of_the_values(whole):
    token_TD, layout = activations(whole)
    last = layers.layers_of(whole)[-1]
    attention = last.attention.self
    torch.nn.init.ones_(attention.value.bias)

    class Halved(torch.nn.Module):
        def forward(self, share):
            return share / 2

    attention.dropout = Halved()
    with torch.no_grad():
        found = pooling.first_token_layer(last, token_TD, layout)
        attention.value.weight /= 2
        attention.value.bias /= 2
        attention.dropout = torch.nn.Dropout(0.0)
        torch.testing.assert_close(found, pooling.first_token_layer(last, token_TD, layout))
