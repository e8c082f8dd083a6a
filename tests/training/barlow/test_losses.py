"""VICReg and InfoNCE of two views: by hand, against a reference, and the direction of their gradients.

Barlow Twins: tests/training/ranking/test_losses.py.
"""

import math

import numpy as np
import pytest
import torch
from sentence_transformers.util import cos_sim
from torch.nn import functional

from whyrank.training.barlow.losses import info_nce, vicreg


def two_views(rows=12, features=5, seed=0):
    random = torch.Generator().manual_seed(seed)
    shared = torch.randn(rows, features, generator=random, dtype=torch.float64)
    noise = torch.randn(2, rows, features, generator=random, dtype=torch.float64)
    return shared + 0.5 * noise[0], shared + 0.5 * noise[1]


def test_vicreg_by_hand():
    first = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    second = torch.tensor([[1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    terms = vicreg(first, second)
    # Of 4 differences two are 1 in size.
    assert terms.invariance.item() == pytest.approx(0.5)
    # Variances over the rows: 2 and 0, then 2 and 2; only the constant feature is below a spread of 1.
    assert terms.variance.item() == pytest.approx((1 - 0.01) / 4)
    # The second view's features are the same: covariance 2, twice off the diagonal, by 2 features.
    assert terms.covariance.item() == pytest.approx(2 * 2**2 / 2)
    assert terms.loss.item() == pytest.approx(25 * 0.5 + 25 * 0.2475 + 4)


def test_vicreg_is_the_formula_of_the_paper_written_out_in_numpy():
    first, second = two_views()
    variance = covariance = 0.0
    for side in (first.numpy(), second.numpy()):
        variance += np.mean([max(0.0, 1 - math.sqrt(np.var(side[:, i], ddof=1) + 1e-4)) for i in range(5)]) / 2
        for i in range(5):
            for j in range(5):
                if i != j:
                    covariance += np.cov(side[:, i], side[:, j])[0, 1] ** 2 / 5
    terms = vicreg(first, second)
    assert terms.variance.item() == pytest.approx(variance) and terms.covariance.item() == pytest.approx(covariance)
    assert terms.invariance.item() == pytest.approx(functional.mse_loss(first, second).item())


def test_vicreg_sees_an_offset_between_the_views_and_none_that_both_share():
    first, second = two_views()
    terms = vicreg(first, second)
    torch.testing.assert_close(vicreg(first + 3, second + 3).loss, terms.loss)
    assert vicreg(first + 3, second).loss > terms.loss + 25 * 8


def test_constant_features_have_the_values_that_are_stated():
    terms = vicreg(torch.ones(4, 3), torch.ones(4, 3))
    assert (terms.invariance.item(), terms.covariance.item()) == (0, 0)
    assert terms.variance.item() == pytest.approx(1 - 1e-2)


def test_info_nce_by_hand():
    first = torch.tensor([[2.0, 0.0], [0.0, 3.0]], dtype=torch.float64)
    second = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    # Cosines: (1, h) and (0, h) by rows, h = 1 / sqrt 2.
    h, t = 1 / math.sqrt(2), 0.5
    rows = [math.log(1 + math.exp((h - 1) / t)), math.log(1 + math.exp((0 - h) / t))]
    columns = [math.log(1 + math.exp((0 - 1) / t)), math.log(1 + math.exp((h - h) / t))]
    assert info_nce(first, second, temperature=t).item() == pytest.approx(sum(rows + columns) / 4)


def test_info_nce_is_the_symmetric_cross_entropy_of_the_cosines_of_sentence_transformers():
    first, second = two_views()
    score = cos_sim(first, second) / 0.05
    own = torch.arange(12)
    expected = (functional.cross_entropy(score, own) + functional.cross_entropy(score.T, own)) / 2
    torch.testing.assert_close(info_nce(first, second, temperature=0.05), expected)
    torch.testing.assert_close(info_nce(second, first * 7, temperature=0.05), expected)


def test_info_nce_is_at_chance_where_all_cosines_are_equal_and_sees_what_all_vectors_share():
    first, second = two_views()
    one = torch.ones(6, 4)
    assert info_nce(one, one, temperature=0.05).item() == pytest.approx(math.log(6))
    assert info_nce(first + 50, second + 50, temperature=0.05).item() == pytest.approx(math.log(12), abs=0.01)
    assert info_nce(first, second, temperature=0.05).item() < 1.7


@pytest.mark.parametrize("loss", [lambda *views: vicreg(*views).loss, lambda *views: info_nce(*views, temperature=0.1)])
def test_a_step_down_the_gradient_brings_a_view_nearer_to_its_own_than_to_others(loss):
    first, second = two_views()
    first.requires_grad_()
    before = loss(first, second)
    before.backward()
    moved = first.detach() - 0.05 * first.grad

    def margin(one):
        cosine = cos_sim(one - one.mean(0), second - second.mean(0))
        return (cosine.diagonal().mean() - cosine.mean()).item()

    assert loss(moved, second) < before and margin(moved) > margin(first.detach())
    assert torch.autograd.gradcheck(loss, (first.detach().requires_grad_(), second))
