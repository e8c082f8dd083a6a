"""Each loss by hand, by the arithmetic of sentence-transformers, and by the direction of its gradient."""

import math

import pytest
import torch
from sentence_transformers.losses import DistillKLDivLoss, MarginMSELoss
from torch import nn

from whyrank.training.ranking.teacher_losses import kl, margin_mse


@pytest.fixture(autouse=True)
def exact(in_float64):
    """1e-9 instead of 1e-5 in every comparison."""


ALL = torch.ones(5, 4, dtype=bool)


def drawn(rows=5, columns=4):
    return torch.randn(2, rows, columns, generator=torch.Generator().manual_seed(0)).mul(3).unbind()


def test_kl_by_hand_over_what_is_listed():
    student, teacher = torch.tensor([[1.0, 3.0, 70.0]]).log(), torch.tensor([[5.0, 5.0, 1.0]]).log()
    is_listed = torch.tensor([[True, True, False]])
    # Student (1/4, 3/4), teacher (1/2, 1/2); at temperature 1/2 the student is (1/10, 9/10), and the whole a quarter.
    found = kl(student, teacher, is_listed, temperature=1.0)
    assert found.item() == pytest.approx((math.log(2) + math.log(2 / 3)) / 2, rel=1e-12)
    found = kl(student, teacher, is_listed, temperature=0.5)
    assert found.item() == pytest.approx((math.log(5) + math.log(5 / 9)) / 2 / 4, rel=1e-12)


def test_margin_mse_by_hand_over_what_is_listed():
    student, teacher = (
        torch.tensor([[2.0, 1.0, 5.0], [1.0, 4.0, 9.0]]),
        torch.tensor([[3.0, 0.0, 1.0], [0.0, 1.0, 7.0]]),
    )
    is_listed = torch.tensor([[True, True, True], [True, True, False]])
    # Margins 1, -3 and -3 against 3, 2 and -1.
    assert margin_mse(student, teacher, is_listed).item() == pytest.approx((4 + 25 + 4) / 3, rel=1e-12)
    assert margin_mse(student[:, :1], teacher[:, :1], is_listed[:, :1]).item() == 0


class Dots(nn.Module):
    """A model whose vectors make the student's scores as dot products: (1, s_0), (1, s_1), … against (0, 1)."""

    def forward(self, features):
        return {"sentence_embedding": features["vectors"]}


def by_library(loss, student, teacher):
    """`loss` of a query and its answers, whose dot products with it are the columns of `student`."""
    query = torch.tensor([[0.0, 1.0]]).expand(len(student), 2)
    answers = [torch.stack([torch.ones(len(student)), column], dim=1) for column in student.T]
    return loss([{"vectors": vectors} for vectors in (query, *answers)], teacher).item()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_both_are_the_losses_of_sentence_transformers(temperature):
    student, teacher = drawn()
    expected = by_library(DistillKLDivLoss(Dots(), temperature=temperature), student, teacher)
    assert kl(student, teacher, ALL, temperature=temperature).item() == pytest.approx(expected, rel=1e-9)
    expected = by_library(MarginMSELoss(Dots()), student, teacher[:, :1] - teacher[:, 1:])
    assert margin_mse(student, teacher, ALL).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("loss", [lambda *given: kl(*given, temperature=1.0), margin_mse])
def test_the_gradient_leads_to_the_margins_of_the_teacher_and_leaves_what_is_not_listed_alone(loss):
    student, teacher = drawn()
    is_listed = ALL.clone()
    is_listed[0, 2:] = False
    student.requires_grad_(), teacher.requires_grad_()
    loss(student, teacher, is_listed).backward()
    assert teacher.grad is None or not teacher.grad.any()
    assert not student.grad[0, 2:].any() and student.grad[0, :2].any()
    # A step raises the right answer where the teacher's lead is larger than the student's, in a list of two.
    gap = (teacher[0, 0] - teacher[0, 1]) - (student[0, 0] - student[0, 1])
    assert torch.sign(-student.grad[0, 0]) == torch.sign(gap)
    found = student.detach()
    for _ in range(4000):
        found.requires_grad_()
        (step,) = torch.autograd.grad(loss(found, teacher, is_listed), found)
        found = found.detach() - 0.5 * step
    assert loss(found, teacher, is_listed).item() < 1e-3 * loss(student, teacher, is_listed).item()
