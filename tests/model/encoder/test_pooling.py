"""Pooling by hand: two texts end to end, of 3 and 2 tokens, 2 features."""

import pytest
import torch

from whyrank.model.encoder import pooling
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
