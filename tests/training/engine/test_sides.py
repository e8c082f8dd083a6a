"""The gradient at each side of a comparison."""

import pytest
import torch

from whyrank.training.engine.objective import Step
from whyrank.training.engine.sides import SideGradients


def columns(detach: bool, **of_weight) -> dict[str, float]:
    weight = torch.eye(3, **of_weight)
    first, second = torch.ones(2, 3) @ weight, torch.arange(6.0).view(2, 3) @ weight
    loss = ((first.detach() if detach else first) * second).sum()
    sides = SideGradients({"rank": Step(loss, {}, sides=(first, second))})
    if loss.requires_grad:
        loss.backward()
    return sides.columns


def test_each_side_has_the_norm_of_its_gradient():
    found = columns(False, requires_grad=True)
    assert found["rank_side_1_gradient"] == pytest.approx(sum(i * i for i in range(6)) ** 0.5)
    assert found["rank_side_2_gradient"] == pytest.approx(6**0.5)


def test_a_detached_side_has_none():
    found = columns(True, requires_grad=True)
    assert found["rank_side_1_gradient"] == 0
    assert found["rank_side_2_gradient"] > 0


def test_frozen_vectors_have_no_columns():
    assert columns(False) == {}
