"""Pooling by hand: 2 texts, 3 places, 2 features; the second text has 2 real tokens, its padding holds large values."""

import pytest
import torch

from whyrank.model import pooling

TOKENS = torch.tensor([[[1.0, -1.0], [2.0, -5.0], [6.0, -3.0]], [[4.0, 0.0], [8.0, -2.0], [1000.0, 1000.0]]])
MASK = torch.tensor([[1, 1, 1], [1, 1, 0]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", [[3.0, -3.0], [6.0, -1.0]]),  # (1+2+6)/3, -(1+5+3)/3; (4+8)/2, (0-2)/2
        ("cls", [[1.0, -1.0], [4.0, 0.0]]),
        ("max", [[6.0, -1.0], [8.0, 0.0]]),  # all negative: padding must not come in as a 0
    ],
)
def test_pooling_by_hand(name, expected):
    assert pooling.POOLINGS[name](TOKENS, MASK).tolist() == expected


@pytest.mark.parametrize("name", pooling.POOLINGS)
def test_padding_has_no_influence_neither_its_values_nor_its_length(name):
    pool = pooling.POOLINGS[name]
    other = TOKENS.clone()
    other[1, 2] = -1e6
    longer = torch.cat([TOKENS, torch.full((2, 4, 2), 7.0)], dim=1)
    longer_mask = torch.cat([MASK, torch.zeros(2, 4, dtype=torch.int64)], dim=1)
    assert torch.equal(pool(other, MASK), pool(TOKENS, MASK))
    assert torch.equal(pool(longer, longer_mask), pool(TOKENS, MASK))
