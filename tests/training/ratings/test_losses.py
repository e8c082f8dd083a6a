"""The losses of ratings: closed forms, references, and where the gradient points."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch.nn import functional

from whyrank.training.ratings import losses

MEAN = torch.tensor([0.2, 0.5, 0.7])
LOSSES = {
    "bce": losses.bce,
    "weighted_bce": lambda *batch: losses.weighted_bce(*batch, mean_T=MEAN),
    "focal": lambda *batch: losses.focal(*batch, gamma=2.0),
    "mse": losses.mse,
    "rank_correlation": lambda *batch: losses.rank_correlation(*batch, temperature=0.5),
}


@pytest.fixture
def batch(in_float64):
    random = torch.Generator().manual_seed(0)
    logit = torch.randn(12, 3, generator=random) * 2
    label = torch.randint(0, 5, (12, 3), generator=random) / 4
    return logit, label.to(logit.dtype)


# Closed forms ----------------------------------------------------------------------------------------------------


def test_each_loss_of_one_entry_by_hand(in_float64):
    logit, label = torch.tensor([[np.log(3.0)]]), torch.tensor([[0.25]])  # p = 3/4
    entropy = -0.25 * np.log(0.75) - 0.75 * np.log(0.25)
    assert losses.bce(logit, label).item() == pytest.approx(entropy)
    # m = 1/5: what is towards 1 counts 2.5 times, what is towards 0 counts 0.625 times.
    weighted = -2.5 * 0.25 * np.log(0.75) - 0.625 * 0.75 * np.log(0.25)
    assert losses.weighted_bce(logit, label, mean_T=torch.tensor([0.2])).item() == pytest.approx(weighted)
    assert losses.focal(logit, label, gamma=3.0).item() == pytest.approx(0.5**3 * entropy)
    assert losses.mse(logit, label).item() == pytest.approx(0.25)


def test_rank_correlation_of_three_rows_by_hand(in_float64):
    # Differences of 1, 2 and 3 times the temperature: ranks of rows 0, 1 and 2 are sums of two sigmoids.
    logit, label = torch.tensor([[0.0], [0.5], [1.5]]), torch.tensor([[0.2], [1.0], [0.2]])
    one, two, three = (1 / (1 + np.exp(-gap)) for gap in (1.0, 2.0, 3.0))
    rank = [(1 - one) + (1 - three), one + (1 - two), two + three]
    expected = 1 - np.corrcoef(rank, [1.5, 3.0, 1.5])[0, 1]
    assert losses.rank_correlation(logit, label, temperature=0.5).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["bce", "weighted_bce"])
def test_chance_is_the_logarithm_of_two(name, in_float64):
    label = torch.tensor([[1.0, 0.0, 0.2], [0.0, 1.0, 1.0], [0.0, 0.5, 0.6], [0.0, 0.5, 1.0], [0.0, 0.5, 0.7]])
    assert LOSSES[name](torch.zeros(5, 3), label).item() == pytest.approx(np.log(2))


# References and invariances -------------------------------------------------------------------------------------


def test_bce_and_mse_are_those_of_torch_and_focal_is_that_of_torchvision(batch):
    logit, label = batch
    assert losses.bce(logit, label) == functional.binary_cross_entropy_with_logits(logit, label)
    torch.testing.assert_close(losses.mse(logit, label), functional.mse_loss(logit.sigmoid(), label))
    torch.testing.assert_close(losses.focal(logit, label, gamma=0.0), losses.bce(logit, label))
    hard = label.round()
    right = (hard * logit.sigmoid()) + (1 - hard) * (1 - logit.sigmoid())  # p_t of the paper
    torch.testing.assert_close(losses.focal(logit, hard, gamma=2.0), (-((1 - right) ** 2) * right.log()).mean())


def test_weighted_bce_is_torch_with_a_positive_weight_scaled_to_a_mean_of_one(batch):
    logit, label = batch
    ratio = (1 - MEAN) / MEAN
    plain = functional.binary_cross_entropy_with_logits(logit, label, reduction="none", pos_weight=ratio)
    torch.testing.assert_close(losses.weighted_bce(logit, label, mean_T=MEAN), (plain / (2 * (1 - MEAN))).mean())
    half = torch.full((3,), 0.5)
    torch.testing.assert_close(losses.weighted_bce(logit, label, mean_T=half), losses.bce(logit, label))


def test_rank_correlation_at_a_low_temperature_is_one_less_spearman_with_ties_averaged(batch):
    logit, label = batch
    expected = [scipy.stats.spearmanr(logit[:, i], label[:, i]).statistic for i in range(3)]
    found = losses.rank_correlation(logit, label, temperature=1e-6)
    assert found.item() == pytest.approx(1 - np.mean(expected), abs=1e-6)
    torch.testing.assert_close(found, losses.rank_correlation(3 * logit + 1, label**3, temperature=1e-6))


def test_targets_without_spread_in_the_batch_are_left_out_of_rank_correlation(batch):
    logit, label = batch
    constant = label.clone()
    constant[:, 1] = 0.25
    torch.testing.assert_close(
        LOSSES["rank_correlation"](logit, constant), LOSSES["rank_correlation"](logit[:, [0, 2]], label[:, [0, 2]])
    )
    logit.requires_grad_()
    nothing = LOSSES["rank_correlation"](logit, torch.full_like(label, 0.25))
    nothing.backward()
    assert nothing.item() == 0 and not logit.grad.any()


@pytest.mark.parametrize("name", LOSSES)
def test_a_row_of_weight_two_is_that_row_twice_and_one_of_weight_zero_is_not_there(name, batch):
    logit, label = batch
    weight = torch.ones_like(label)
    weight[3], weight[5] = 2, 0
    rows = [i for i in range(12) if i != 5] + [3]
    torch.testing.assert_close(LOSSES[name](logit, label, weight), LOSSES[name](logit[rows], label[rows]))
    # Also in the sum over a batch that is not as long.
    more = [*rows, 3]
    weight[3] = 3
    torch.testing.assert_close(
        12 * LOSSES[name](logit, label, weight), 13 * LOSSES[name](logit[more], label[more]), rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(LOSSES[name](logit, label, torch.ones_like(label)), LOSSES[name](logit, label))
    assert LOSSES[name](logit, label, torch.zeros_like(label)).item() == 0


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_of_rows_that_are_worth_a_tenth_counts_a_tenth_and_so_does_a_target(name, batch):
    logit, label = batch
    whole = LOSSES[name](logit, label)
    torch.testing.assert_close(LOSSES[name](logit, label, torch.full_like(label, 0.1)), 0.1 * whole)
    first = torch.tensor([1.0, 0.1, 0.1]).expand_as(label)
    alone = LOSSES[name](logit, label, torch.tensor([1.0, 0.0, 0.0]).expand_as(label))
    torch.testing.assert_close(LOSSES[name](logit, label, first), 0.1 * whole + 0.9 * alone)


# Gradients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "rank_correlation"])
def test_the_gradient_moves_each_prediction_towards_its_label(name, batch):
    logit, label = batch[0].requires_grad_(), batch[1].round()
    LOSSES[name](logit, label).backward()
    assert (logit.grad.sign() == torch.where(label == 1, -1.0, 1.0)).all()


def test_the_gradient_of_rank_correlation_moves_logits_into_the_order_of_the_labels():
    logit, label = torch.zeros(4, 1, requires_grad=True), torch.tensor([[0.0], [1.0], [1 / 3], [2 / 3]])
    losses.rank_correlation(logit, label, temperature=0.1).backward()
    # From equal logits, where Pearson has no value: the step goes up with the label.
    assert torch.isfinite(logit.grad).all() and (-logit.grad).argsort(0).flatten().tolist() == [0, 2, 3, 1]


@pytest.mark.parametrize("name", LOSSES)
def test_descent_brings_each_loss_down_and_predictions_into_order(name, batch):
    logit, label = batch[0].requires_grad_(), batch[1]
    before = LOSSES[name](logit, label).item()
    optimiser = torch.optim.Adam([logit], lr=0.1)
    for _ in range(150):
        optimiser.zero_grad()
        LOSSES[name](logit, label).backward()
        optimiser.step()
    assert LOSSES[name](logit, label).item() < before
    order = [scipy.stats.spearmanr(logit.detach()[:, i], label[:, i]).statistic for i in range(3)]
    assert min(order) > 0.9
