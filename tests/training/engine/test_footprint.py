"""What a step does to a sample of the weights."""

import pytest
import torch
from torch import nn

from whyrank.training.engine import footprint
from whyrank.training.engine.footprint import Footprint, gradients_left


def trained():
    torch.manual_seed(0)
    return nn.ModuleDict(
        {"heads": nn.Linear(3, 2), "encoder": nn.ModuleDict({"layer": nn.ModuleList([nn.Linear(2, 2)])})}
    )


def step(module, change):
    names = [name for name, _ in module.named_parameters()]
    look = Footprint(module, names)
    for parameter in module.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    look.before()
    with torch.no_grad():
        for parameter in module.parameters():
            change(parameter)
    return look.after()


def test_a_step_down_the_gradient_points_along_it_and_has_its_size():
    module = trained()
    weights = torch.cat([one.detach().flatten() for one in module["heads"].parameters()])
    found = step(module, lambda one: one.sub_(0.1 * one.grad))
    assert found["gradient_heads"] == pytest.approx(0.5) and found["gradient_block_0"] == pytest.approx(0.5)
    assert found["update_heads"] == pytest.approx(0.05 / weights.square().mean().sqrt().item(), rel=1e-5)
    assert found["descent_cosine"] == pytest.approx(1.0) and found["weights_changed"] == 1.0


def test_a_step_up_the_gradient_points_away_from_it():
    assert step(trained(), lambda one: one.add_(0.1 * one.grad))["descent_cosine"] == pytest.approx(-1.0)


def test_weight_decay_alone_points_to_zero_and_shortens_the_weights():
    found = step(trained(), lambda one: one.mul_(0.9))
    assert found["shrink_cosine"] == pytest.approx(1.0) and found["weight_norm"] == pytest.approx(0.9)


def test_a_step_below_half_an_ulp_changes_nothing():
    found = step(trained(), lambda one: one.sub_(1e-12 * one.grad))
    assert found["weights_changed"] == 0.0 and found["descent_cosine"] == 0.0


def test_of_many_weights_a_sample_is_enough(monkeypatch):
    monkeypatch.setattr(footprint, "SAMPLE", 4)
    module = trained()
    look = Footprint(module, [name for name, _ in module.named_parameters()])
    assert {part: sum(map(len, own.values())) for part, own in look.places.items()} == {"heads": 4, "block_0": 4}


def test_gradients_of_an_earlier_step_are_seen():
    module = nn.Linear(1, 1)
    assert gradients_left(module) == 0.0
    module.weight.grad = torch.full((1, 1), 3.0)
    module.bias.grad = torch.full((1,), 4.0)
    assert gradients_left(module) == pytest.approx(5.0)
