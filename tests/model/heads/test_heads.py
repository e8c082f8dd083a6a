"""Heads on top of the pooled vector."""

import json

import pytest
import torch
from torch import nn

from whyrank.core.options.params import Head
from whyrank.model.heads import heads

VECTORS = torch.randn(9, 6, generator=torch.Generator().manual_seed(0)) * 3 + 1


def some(kind, hidden, output, dropout, experts=3, top=2):
    return Head(kind, hidden, output, dropout, experts, top, balance=0.0)


def test_an_untrained_residual_head_is_the_identity_bit_for_bit_even_with_dropout_on():
    chain = heads.build(some("residual", hidden=5, output=99, dropout=0.5), width=6)
    for mode in (True, False):
        assert torch.equal(chain.train(mode)(VECTORS), VECTORS)
    assert heads.output_width(chain, 6) == 6  # not the 99 that only an mlp takes


def test_a_residual_head_adds_its_layers_to_its_input_by_hand():
    head = heads.ResidualHead(width=2, hidden=1, output=2, dropout=0.0)
    with torch.no_grad():
        head.layers[0].weight[:] = torch.tensor([[1.0, -1.0]])
        head.layers[0].bias[:] = 0.5
        head.layers[-1].weight[:] = torch.tensor([[2.0], [-1.0]])
        head.layers[-1].bias[:] = torch.tensor([0.1, 0.2])
    # (3, 1): relu(3 - 1 + 0.5) = 2.5 -> (5.1, -2.3) -> (8.1, -1.3).  (1, 4): relu(-2.5) = 0 -> (0.1, 0.2) -> (1.1, 4.2)
    torch.testing.assert_close(head(torch.tensor([[3.0, 1.0], [1.0, 4.0]])), torch.tensor([[8.1, -1.3], [1.1, 4.2]]))


def test_an_untrained_residual_head_can_learn_although_its_last_layer_is_zero():
    chain = heads.build(some("residual", 5, 6, 0.0), 6)
    chain(VECTORS).square().sum().backward()
    assert chain[0].layers[-1].weight.grad.abs().max() > 0


def test_an_mlp_head_standardises_its_result_so_that_the_scale_of_its_input_does_not_matter():
    torch.manual_seed(0)
    chain = heads.build(some("mlp", hidden=8, output=4, dropout=0.0), 6).train()
    result = chain(VECTORS)
    assert result.shape == (9, 4)
    torch.testing.assert_close(result.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(result.var(0, unbiased=False), torch.ones(4), atol=1e-2, rtol=0)
    torch.testing.assert_close(chain(VECTORS * 1000), result, atol=1e-2, rtol=0)


def test_no_head_is_an_empty_chain_that_hands_its_input_on():
    chain = heads.build(some("none", 5, 4, 0.5), 6)
    assert len(chain) == 0 and chain(VECTORS) is VECTORS
    assert heads.output_width(chain, 6) == 6


def test_a_chain_is_rebuilt_from_its_description_through_json_so_that_its_weights_fit():
    chain = nn.Sequential(
        heads.MlpHead(6, 8, 4, 0.25), heads.ResidualHead(4, 3, 4, 0.5), heads.ExpertsHead(4, 3, 2, 0.1, top=2)
    )
    description = json.loads(json.dumps(heads.describe(chain)))
    assert description == [
        {"kind": "mlp", "width": 6, "hidden": 8, "output": 4, "dropout": 0.25},
        {"kind": "residual", "width": 4, "hidden": 3, "output": 4, "dropout": 0.5},
        {"kind": "experts", "width": 4, "experts": 3, "hidden": 2, "dropout": 0.1, "top": 2},
    ]
    again = heads.rebuild(description)
    assert not torch.equal(again.eval()(VECTORS), chain.eval()(VECTORS))
    again.load_state_dict(chain.state_dict())
    assert torch.equal(again(VECTORS), chain(VECTORS))
    assert [module.p for module in again.modules() if isinstance(module, nn.Dropout)] == [0.25, 0.5, 0.1, 0.1, 0.1]
    assert heads.output_width(chain, 6) == 4


@pytest.mark.parametrize("kind", heads.HEADS)
def test_every_registered_head_maps_its_width_to_its_output(kind):
    (head,) = heads.build(some(kind, 8, 4, 0.0), 6)
    assert head(VECTORS).shape == (9, head.output)
