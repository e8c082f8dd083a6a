"""Means of the frozen blocks: what the encoder of transformers gives for each text by itself."""

import pytest
import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.model.encoder import layers

ROWS = [[2, 7, 8, 3], [2, 9, 3], [2, 7, 10, 11, 12, 3]]
LIMITS = {"batch_tokens": 8, "precision": "fp32"}


@pytest.mark.parametrize("above", [1, 2])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_they_are_means_over_the_tokens_whatever_the_pooling(above, pooling, tiny_encoder, tmp_path):
    tiny_encoder.pooling = pooling
    found_NKD = layers.layer_means(tiny_encoder, ROWS, above, **LIMITS, folder=tmp_path)
    # Two blocks: with one left out, the embeddings and the first one.
    assert found_NKD.shape == (3, 3 - above, 32) and found_NKD.dtype == torch.float32
    tiny_encoder.transformer.set_attn_implementation("sdpa")
    for row, found_KD in zip(ROWS, found_NKD, strict=True):
        with torch.no_grad():
            states = tiny_encoder.transformer(torch.tensor([row]), output_hidden_states=True).hidden_states
        expected_KD = torch.stack([state[0].mean(0) for state in states[: 3 - above]])
        torch.testing.assert_close(found_KD, expected_KD, atol=1e-5, rtol=0)


def test_a_later_training_reads_what_an_earlier_one_left_and_other_weights_compute_anew(
    tiny_encoder, tmp_path, monkeypatch
):
    first = layers.layer_means(tiny_encoder, ROWS, 1, **LIMITS, folder=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(layers, "compute_means", lambda *_, **__: pytest.fail("computed again"))
        assert torch.equal(layers.layer_means(tiny_encoder, ROWS, 1, **LIMITS, folder=tmp_path), first)
    # What is above does not enter, and what is below does.
    with torch.no_grad():
        tiny_encoder.transformer.encoder.layer[1].output.dense.weight.mul_(2)
    assert torch.equal(layers.layer_means(tiny_encoder, ROWS, 1, **LIMITS, folder=tmp_path), first)
    with torch.no_grad():
        tiny_encoder.transformer.encoder.layer[0].output.dense.weight.mul_(2)
    assert not torch.equal(layers.layer_means(tiny_encoder, ROWS, 1, **LIMITS, folder=tmp_path), first)


def test_an_encoder_of_another_family_is_a_user_error(tiny_encoder, tmp_path):
    tiny_encoder.transformer.encoder = nn.Identity()
    with pytest.raises(UserError, match="needs an encoder of the BERT family"):
        layers.layer_means(tiny_encoder, ROWS, 1, **LIMITS, folder=tmp_path)
