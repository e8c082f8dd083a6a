"""The width of attention: by hand on weights that attend to all alike or to one token, and left as it was found."""

import numpy as np
import pytest
import torch

from whyrank.model.encoder.loading import load
from whyrank.model.encoder.source import embedded_folder
from whyrank.preflight.figures.encoder import attention

from .damages import DAMAGES

TEXTS = ["how do i make a film of my plants growing", "the lamp stays dark although the cable is in", "water"]


@pytest.fixture(scope="module")
def encoder():
    return load(embedded_folder())


def test_a_trained_encoder_attends_neither_to_all_nor_to_one(encoder):
    rows = encoder.tokenise(TEXTS, 32)
    before = encoder.encode(rows, batch_tokens=512, precision="fp32")
    widths = attention.widths(encoder, rows)
    assert len(widths) == 6
    assert min(widths) > 0.3 and max(widths) < 0.9
    assert np.array_equal(before, encoder.encode(rows, batch_tokens=512, precision="fp32"))


def test_without_queries_every_token_attends_to_all_alike():
    encoder = load(embedded_folder())
    DAMAGES["zero_query_of_all"](encoder)
    assert attention.widths(encoder, encoder.tokenise(TEXTS, 32)) == pytest.approx([1.0] * 6, abs=1e-5)


def test_the_width_is_the_entropy_by_that_of_an_even_spread():
    # One head, two tokens: one attends evenly (entropy ln 2), the other to a single token (0).
    weight_BKLL = torch.tensor([[[[0.5, 0.5], [1.0, 0.0]]]])
    assert attention._width(weight_BKLL) == pytest.approx(0.5)


def test_texts_of_few_tokens_say_nothing(encoder):
    assert attention.widths(encoder, encoder.tokenise(["water"], 32)) == []
