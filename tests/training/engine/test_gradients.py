"""Where the pull of several losses is measured: on what they share."""

import pytest
import torch
from torch import nn

from whyrank.training.engine import gradients


def parts(**slopes):
    """A plane for each name; a loss is the sum of `slope * weight` over those that it names."""
    trained = nn.ParameterDict({name: nn.Parameter(torch.ones(1)) for name in ("shared", "one", "two")})
    return trained, {
        name: torch.stack([(slope * trained[part]).sum() for part, slope in own.items()]).sum()
        for name, own in slopes.items()
    }


def test_a_head_of_its_own_does_not_count_for_the_share_of_a_task():
    trained, losses = parts(a={"shared": 3.0, "one": 400.0}, b={"shared": -1.0, "two": 7.0})
    record = gradients.backward(losses, trained)
    assert record == pytest.approx({"a_gradient_share": 0.75, "b_gradient_share": 0.25, "a_b_gradient_cosine": -1.0})
    assert [trained[name].grad.item() for name in ("shared", "one", "two")] == [2.0, 400.0, 7.0]


def test_equal_gradients_are_equal_where_tasks_meet_and_heads_follow_their_task():
    trained, losses = parts(a={"shared": 3.0, "one": 30.0}, b={"shared": 1.0, "two": 7.0})
    record = gradients.backward(losses, trained, equal=True)
    assert record["a_gradient_share"] == pytest.approx(record["b_gradient_share"]) == pytest.approx(0.5)
    # Both 2 on what is shared: a by 2/3, b by 2.
    assert [trained[name].grad.item() for name in ("shared", "one", "two")] == pytest.approx([4.0, 20.0, 14.0])


def test_a_task_that_meets_no_other_has_all_measured_by_all_their_weights():
    trained, losses = parts(a={"shared": 3.0, "one": 4.0}, b={"two": 5.0})
    record = gradients.backward(losses, trained)
    assert record == pytest.approx({"a_gradient_share": 0.5, "b_gradient_share": 0.5})
