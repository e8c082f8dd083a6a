"""Attention between the heads of tasks: nothing at the start, and afterwards what its formula says."""

import math

import pytest
import torch

from whyrank.model.heads.task_heads import CrossAttention

TASKS = ["rank", "similarity", "classification"]


def vectors(rows=5, width=4):
    return {task: torch.randn(rows, width) for task in TASKS}


def trained(tasks=TASKS, width=4):
    attention = CrossAttention(tasks, width)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter += torch.randn_like(parameter)
    return attention


def test_untrained_it_is_the_identity_to_the_last_bit():
    given = vectors()
    for task in TASKS:
        assert torch.equal(CrossAttention(TASKS, 4)(task, given), given[task])


@pytest.mark.parametrize("task", TASKS)
def test_each_task_adds_the_gated_vectors_of_the_others_by_hand(task, in_float64):
    torch.manual_seed(0)
    attention, given = trained(), vectors()
    expected = given[task].clone()
    for row in range(5):
        seen = torch.zeros(4)
        for place, other in enumerate(name for name in TASKS if name != task):
            logit = (attention.query[task] @ given[other][row] / 2 + attention.bias[task][place]).item()
            seen += given[other][row] / (1 + math.exp(-logit))
        expected[row] += attention.output[task] @ seen
    torch.testing.assert_close(attention(task, given), expected)


@pytest.mark.parametrize(("others", "gate"), [(1, 1 / 2), (2, 1 / 3)])
def test_at_the_start_the_gates_together_are_about_one(others, gate):
    attention = CrossAttention(TASKS[: 1 + others], 4)
    assert torch.sigmoid(attention.bias["rank"]).tolist() == pytest.approx([gate] * others)


def test_the_output_learns_first_and_what_asks_and_what_is_seen_after_it():
    attention, given = CrossAttention(TASKS, 4), {task: one.requires_grad_() for task, one in vectors().items()}
    attention("rank", given).square().sum().backward()
    assert attention.output["rank"].grad.abs().max() > 0
    assert attention.query["rank"].grad.abs().max() == 0 and given["similarity"].grad.abs().max() == 0
    with torch.no_grad():
        attention.output["rank"] -= 0.1 * attention.output["rank"].grad
    attention("rank", given).square().sum().backward()
    assert attention.query["rank"].grad.abs().max() > 0 and given["similarity"].grad.abs().max() > 0
    assert attention.query["similarity"].grad is None  # another task's
