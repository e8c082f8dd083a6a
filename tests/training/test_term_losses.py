"""Each term by hand, against a reference or its invariances, and by the direction of its gradient."""

import math

import pytest
import torch
from torch.nn import functional

from whyrank.training.distillation import distillation_scores, distillation_vectors
from whyrank.training.engine.objective import load_balancing


@pytest.fixture(autouse=True)
def exact(in_float64):
    """1e-9 instead of 1e-5 in every comparison."""


def two(rows=5, columns=4, seed=0):
    return torch.randn(2, rows, columns, generator=torch.Generator().manual_seed(seed)).unbind()


# Balance of experts -----------------------------------------------------------------------------------------


def test_load_balancing_by_hand():
    gate = torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.8, 0.1, 0.1]])
    # First choices 0, 0, 1, 0: shares 3/4, 1/4, 0. Mean gates 2.1/4, 1.2/4, 0.7/4.
    assert load_balancing(gate).item() == pytest.approx(3 * (3 / 4 * 2.1 / 4 + 1 / 4 * 1.2 / 4), rel=1e-12)


def test_load_balancing_is_1_for_an_even_gate_and_for_evenly_used_experts_and_e_for_one_expert_alone():
    assert load_balancing(torch.full((7, 5), 0.2)).item() == pytest.approx(1)
    assert load_balancing(torch.eye(5).repeat(3, 1)).item() == pytest.approx(1)
    assert load_balancing(torch.eye(5)[[2, 2, 2]]).item() == pytest.approx(5)
    assert load_balancing(torch.eye(5)[[2]]).item() == pytest.approx(5)


def test_load_balancing_does_not_depend_on_the_order_of_experts_or_rows():
    gate = two(12, 4)[0].softmax(1)
    loss = load_balancing(gate)
    torch.testing.assert_close(load_balancing(gate[:, [2, 0, 3, 1]]), loss)
    torch.testing.assert_close(load_balancing(gate.flip(0)), loss)


def test_steps_down_the_gradient_of_load_balancing_spread_the_rows_over_the_experts():
    logit = two(40, 4)[0] * 0.5
    logit[:, 1] += 2
    most_before = logit.argmax(1).bincount(minlength=4).max()
    for _ in range(60):
        logit.requires_grad_()
        loss = load_balancing(logit.softmax(1))
        logit = logit.detach() - 15 * torch.autograd.grad(loss, logit)[0]
    assert most_before > 30
    assert logit.argmax(1).bincount(minlength=4).max() < 20
    assert loss.item() < 1.1


# Distillation -----------------------------------------------------------------------------------------------


def test_distillation_of_vectors_by_hand():
    student, teacher = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 1.0], [3.0, 0.0]])
    cosine = distillation_vectors(student, teacher, "cosine")
    assert cosine.item() == pytest.approx((1 - 1 / math.sqrt(2) + 1) / 2, rel=1e-12)
    assert distillation_vectors(student, teacher, "mse").item() == pytest.approx((0 + 1 + 9 + 4) / 4, rel=1e-12)


def test_distillation_of_vectors_is_0_for_the_teachers_own_and_cosine_leaves_the_lengths_free():
    student, teacher = two()
    assert distillation_vectors(teacher, teacher, "mse").item() == 0
    assert distillation_vectors(teacher * 3, teacher, "cosine").item() == pytest.approx(0, abs=1e-12)
    assert distillation_vectors(teacher * 3, teacher, "mse").item() > 1
    loss = distillation_vectors(student, teacher, "cosine")
    torch.testing.assert_close(distillation_vectors(student / 7, teacher * 3, "cosine"), loss)


def test_distillation_of_scores_by_hand():
    student, teacher = torch.tensor([[1.0, 3.0]]).log(), torch.tensor([[1.0, 1.0]]).log()
    # Teacher (1/2, 1/2), student (1/4, 3/4): KL = (log 2 + log(2/3)) / 2.
    loss = distillation_scores(student, teacher, "kl", temperature=1.0)
    assert loss.item() == pytest.approx((math.log(2) + math.log(2 / 3)) / 2, rel=1e-12)
    # At temperature 1/2 the student is (1/10, 9/10), and the whole is a quarter.
    loss = distillation_scores(student, teacher, "kl", temperature=0.5)
    assert loss.item() == pytest.approx((math.log(5) + math.log(5 / 9)) / 2 / 4, rel=1e-12)
    loss = distillation_scores(student, teacher, "mse", temperature=0.5)
    assert loss.item() == pytest.approx(math.log(3) ** 2 / 2, rel=1e-12)


def test_kl_is_cross_entropy_less_the_entropy_of_the_teacher_and_leaves_a_shift_of_a_row_free():
    student, teacher = two()
    share = (teacher / 0.3).softmax(1)
    expected = functional.cross_entropy(student / 0.3, share) + (share * share.log()).sum(1).mean()
    loss = distillation_scores(student, teacher, "kl", temperature=0.3)
    torch.testing.assert_close(loss, 0.09 * expected)
    torch.testing.assert_close(distillation_scores(student + 9, teacher - 5, "kl", temperature=0.3), loss)
    assert distillation_scores(teacher, teacher, "kl", temperature=0.3).item() == pytest.approx(0, abs=1e-12)
    even = distillation_scores(torch.zeros(5, 4), teacher, "kl", temperature=0.3)
    torch.testing.assert_close(even, 0.09 * (math.log(4) + (share * share.log()).sum(1).mean()))


def test_mean_squared_error_and_kl_of_vectors_are_those_of_angle_embs_distillation():
    # compute_distillation_loss of angle_emb 0.6.1 (float64) adds both; inputs from sin(1) on, targets from sin(100).
    student, teacher = (torch.arange(s, s + 48).reshape(6, 8).double().sin() for s in (1, 100))
    loss = distillation_vectors(student, teacher, "mse") + distillation_scores(student, teacher, "kl", temperature=1.0)
    assert loss.item() == pytest.approx(1.3923435429333455, rel=1e-12)


LOSSES = {
    "cosine": lambda s, t: distillation_vectors(s, t, "cosine"),
    "vector mse": lambda s, t: distillation_vectors(s, t, "mse"),
    "kl": lambda s, t: distillation_scores(s, t, "kl", temperature=2.0),
    "score mse": lambda s, t: distillation_scores(s, t, "mse", temperature=2.0),
}


@pytest.mark.parametrize("name", LOSSES)
def test_steps_down_the_gradient_reach_the_teacher_and_no_gradient_does(name):
    student, teacher = two()
    teacher.requires_grad_()
    before = LOSSES[name](student, teacher).item()
    for _ in range(60):
        student.requires_grad_()
        loss = LOSSES[name](student, teacher)
        loss.backward()
        student = student.detach() - 4 * student.grad
    assert loss.item() < before / 100
    assert teacher.grad is None


@pytest.mark.parametrize("name", LOSSES)
def test_distillation_is_finite_in_float32_at_the_extremes(name):
    student = torch.tensor([[1e4, -1e4], [0.0, 0.0]], dtype=torch.float32, requires_grad=True)
    loss = LOSSES[name](student, -student)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(student.grad).all()
