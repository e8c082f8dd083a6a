"""An encoder cut in two; that both halves give what the whole gives is proved in tests/training/test_vectors.py."""

import numpy as np
import pytest
import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.model import blocks


def test_only_the_last_blocks_are_left_trainable(tiny_encoder):
    blocks.freeze_below(tiny_encoder, 1)
    for name, parameter in tiny_encoder.named_parameters():
        assert parameter.requires_grad == ("layer.1." in name), name


@pytest.mark.parametrize("last", [0, 3, -1])
def test_more_blocks_than_there_are_or_none_is_a_user_error_that_says_how_many_there_are(tiny_encoder, last):
    with pytest.raises(UserError, match=rf"^params\.yaml: `last_blocks` is {last}, this encoder has 2 blocks"):
        blocks.freeze_below(tiny_encoder, last)


def test_an_encoder_of_another_family_is_a_user_error_with_a_way_out(tiny_encoder):
    tiny_encoder.transformer.encoder = nn.Identity()
    with pytest.raises(UserError, match=r"not BertModel; set `train: head` or `train: all`"):
        blocks.blocks(tiny_encoder)


def test_a_part_shares_its_weights_with_the_whole_and_leaves_it_as_it_was(tiny_encoder):
    upper = blocks.part(tiny_encoder, slice(-1, None), embeddings=False).transformer
    assert upper.encoder.layer[0] is tiny_encoder.transformer.encoder.layer[1]
    assert len(upper.encoder.layer) == 1
    assert len(tiny_encoder.transformer.encoder.layer) == 2
    assert not isinstance(tiny_encoder.transformer.embeddings, blocks.PassThrough)


def test_activations_are_those_of_the_frozen_blocks_end_to_end_in_the_order_asked_for(tiny_encoder):
    rows = [[2, 7, 8, 3], [2, 9, 3], [2, 7, 10, 11, 3]]
    kept = blocks.Activations(tiny_encoder, rows, 1, batch_tokens=8, precision="fp32")
    token_TD = kept.packed(np.array([1, 0]))
    assert token_TD.shape == (7, 32) and token_TD.dtype == torch.float32
    tiny_encoder.transformer.set_attn_implementation("sdpa")
    for row, found in ((rows[1], token_TD[:3]), (rows[0], token_TD[3:])):
        with torch.no_grad():
            states = tiny_encoder.transformer(torch.tensor([row]), output_hidden_states=True).hidden_states
        torch.testing.assert_close(found, states[1][0], atol=1e-5, rtol=0)  # states[0] are the embeddings
