"""Dropout by bytes: the share that is dropped, the scale of the rest, the gradient, and torch's own generator."""

import pytest
import torch
from torch import nn

from whyrank.model.encoder.byte_dropout import ByteDropout, use_bytes


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_of_p_is_dropped_and_the_rest_scaled_so_that_the_mean_stays(p):
    torch.manual_seed(0)
    value = torch.ones(1000, 999)  # not a multiple of eight
    result = ByteDropout(p).train()(value)
    share = round(256 * p) / 256
    # 999,000 draws: the standard error of the share is below 0.0005.
    assert (result == 0).float().mean().item() == pytest.approx(share, abs=0.003)
    assert result[result != 0].unique().tolist() == pytest.approx([1 / (1 - share)])
    # Neither rows nor columns are dropped together.
    assert (result == 0).float().mean(0).std().item() < 0.03 and (result == 0).float().mean(1).std().item() < 0.03


def test_the_gradient_passes_where_the_value_did():
    value = torch.randn(50, 7, requires_grad=True)
    result = ByteDropout(0.5).train()(value)
    result.sum().backward()
    torch.testing.assert_close(value.grad * value.detach(), result.detach())


def test_the_same_seed_gives_the_same_mask_and_the_next_call_another():
    dropout, value = ByteDropout(0.3).train(), torch.ones(400)
    torch.manual_seed(1)
    first, second = dropout(value), dropout(value)
    torch.manual_seed(1)
    assert torch.equal(dropout(value), first) and not torch.equal(first, second)


@pytest.mark.parametrize(("p", "expected"), [(0.0, 1.0), (1.0, 0.0)])
def test_nothing_and_everything_are_dropped_as_by_torch(p, expected):
    assert ByteDropout(p).train()(torch.ones(9)).tolist() == [expected] * 9


def test_in_evaluation_mode_it_does_nothing():
    value = torch.randn(5)
    assert torch.equal(ByteDropout(0.5).eval()(value), value)


def test_every_dropout_of_an_encoder_is_replaced_and_its_weights_stay(make_encoder):
    encoder = make_encoder()
    names = list(encoder.state_dict())
    use_bytes(encoder)  # done by the encoder already; once more changes nothing
    kinds = {type(module) for module in encoder.modules() if isinstance(module, nn.Dropout)}
    assert kinds == {ByteDropout} and list(encoder.state_dict()) == names
