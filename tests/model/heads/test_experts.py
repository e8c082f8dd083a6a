"""The mixture-of-experts head."""

import copy
import pickle

import pytest
import torch
from torch import nn

from whyrank.model.heads.heads import ExpertsHead

VECTORS = torch.randn(9, 6, generator=torch.Generator().manual_seed(0)) * 3 + 1


def trained(top, dropout=0.0):
    """A head whose experts all add something."""
    torch.manual_seed(1)
    head = ExpertsHead(width=6, experts=4, hidden=5, dropout=dropout, top=top)
    for expert in head.layers:
        nn.init.normal_(expert[-1].weight)
        nn.init.normal_(expert[-1].bias)
    return head


@pytest.mark.parametrize("top", [1, 2, 4])
def test_untrained_it_is_the_identity_bit_for_bit_even_with_dropout_on(top):
    head = ExpertsHead(width=6, experts=4, hidden=5, dropout=0.5, top=top)
    for mode in (True, False):
        assert torch.equal(head.train(mode)(VECTORS), VECTORS)
    assert head.output == 6


def test_it_adds_its_experts_weighted_by_the_gate_by_hand():
    head = ExpertsHead(width=2, experts=2, hidden=1, dropout=0.0, top=2)
    with torch.no_grad():
        head.gate.weight[:] = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
        head.gate.bias[:] = torch.tensor([1.0, 3.0]).log()
        for expert, sign in zip(head.layers, (1.0, -1.0), strict=True):
            expert[0].weight[:] = torch.tensor([[sign, 0.0]])
            expert[0].bias[:] = 0.5
            expert[-1].weight[:] = torch.tensor([[2.0], [sign]])
            expert[-1].bias[:] = torch.tensor([0.1, 0.2])
    # The gate is (1/4, 3/4). For x = (1, 7): relu(1.5) = 1.5 -> (3.1, 1.7); relu(-0.5) = 0 -> (0.1, 0.2).
    vector = torch.tensor([[1.0, 7.0]])
    torch.testing.assert_close(head(vector), torch.tensor([[1 + 3.1 / 4 + 0.3 / 4, 7 + 1.7 / 4 + 0.6 / 4]]))
    torch.testing.assert_close(head.gate_BE, torch.tensor([[0.25, 0.75]]))
    # Of one expert, the second, with its gate as it was.
    head.top = 1
    torch.testing.assert_close(head(vector), torch.tensor([[1 + 0.3 / 4, 7 + 0.6 / 4]]))


@pytest.mark.parametrize("top", [1, 2, 4])
def test_each_row_gets_its_top_experts_and_no_others(top):
    head = trained(top)
    result = head(VECTORS)
    for row, vector, gate in zip(result, VECTORS, head.gate_BE, strict=True):
        chosen = gate.argsort(descending=True)[:top].tolist()
        added = sum(gate[expert] * head.layers[expert](vector) for expert in chosen)
        torch.testing.assert_close(row, vector + added)


@pytest.mark.parametrize("top", [1, 4])
def test_the_gate_is_kept_whole_and_learns_from_the_loss_and_from_a_balancing_term(top):
    head = trained(top)
    head(VECTORS).square().sum().backward()
    assert (head.gate.weight.grad.abs().sum(1) > 0).all()
    head.zero_grad()
    head(VECTORS)
    torch.testing.assert_close(head.gate_BE.sum(1), torch.ones(9))
    (head.gate_BE**2).sum().backward()
    assert head.gate.weight.grad.abs().max() > 0


def test_untrained_it_can_learn_although_its_last_layers_are_zero_and_its_experts_then_differ():
    torch.manual_seed(0)
    head = ExpertsHead(6, 4, 5, 0.0, top=4)
    optimiser = torch.optim.SGD(head.parameters(), lr=0.03)
    target = VECTORS.flip(1)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = (head(VECTORS) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    last = torch.stack([expert[-1].weight for expert in head.layers])
    assert (last[0] - last[1]).abs().max() > 1e-3


def test_it_is_copied_and_pickled_after_a_call_without_its_last_gate():
    head = trained(2)
    result = head(VECTORS)
    for again in (copy.deepcopy(head), pickle.loads(pickle.dumps(head))):
        assert again.gate_BE is None
        assert torch.equal(again(VECTORS), result)
    assert head.gate_BE is not None
    assert not any("gate_BE" in name for name in head.state_dict())


@pytest.mark.parametrize("top", [0, 5])
def test_it_cannot_choose_more_experts_than_it_has_nor_none(top):
    with pytest.raises(AssertionError, match="of 4 experts"):
        ExpertsHead(6, 4, 5, 0.0, top=top)
