"""Each loss three ways: by hand, against a reference and its invariances, and by the direction of its gradient."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from whyrank.training.barlow.losses import barlow_twins
from whyrank.training.ranking.losses import cross_entropy, logit_std, ranking_cross_entropy


@pytest.fixture(autouse=True)
def exact(in_float64):
    """1e-9 instead of 1e-5 in every comparison."""


def two_views(rows=12, features=5, seed=0):
    """Views that share something, of other scale and mean, with features that go together."""
    random = torch.Generator().manual_seed(seed)
    shared = torch.randn(rows, features, generator=random)
    mix = torch.randn(features, features, generator=random)
    first = shared @ mix + 0.5 * torch.randn(rows, features, generator=random) + 3
    second = shared @ mix + 0.5 * torch.randn(rows, features, generator=random) * 2 - 1
    return first, second


# Barlow Twins -----------------------------------------------------------------------------------------------


def test_barlow_twins_by_hand():
    # 4 rows, 2 features. Both views of feature 0 have mean 1 and values 1 +- 2; of feature 1 mean 0 and values +- 1.
    first = torch.tensor([[3.0, 1.0], [3.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    second = torch.tensor([[3.0, 1.0], [-1.0, -1.0], [-1.0, 1.0], [-1.0, 1.0]])
    # Standardised first: columns (1,1,-1,-1) and (1,-1,1,-1) (but for the 1e-5 guard, 1.25e-6 and 5e-6 relative).
    # Second, feature 0: mean 0, squares 9+1+1+1 = 12, variance 3: (3,-1,-1,-1)/sqrt(3).
    # Second, feature 1: mean 1/2, deviations (1/2,-3/2,1/2,1/2), squares 3, variance 3/4: (1,-3,1,1)/sqrt(3).
    # C = first^T second / 4, in units of 1/(4 sqrt 3):
    #   C_00: 3-1+1+1 = 4      C_01: 1-3-1-1 = -4
    #   C_10: 3+1-1+1 = 4      C_11: 1+3+1-1 = 4
    # so every |C_ij| = 1/sqrt(3); invariance 2 (1 - 1/sqrt 3)^2, redundancy 2/3.
    c = 1 / math.sqrt(3)
    terms = barlow_twins(first, second, redundancy_weight=0.25)
    torch.testing.assert_close(terms.correlation_DD, torch.tensor([[c, -c], [c, c]]), atol=2e-5, rtol=0)
    assert terms.invariance.item() == pytest.approx(2 * (1 - c) ** 2, abs=5e-5)
    assert terms.redundancy.item() == pytest.approx(2 / 3, abs=5e-5)
    assert terms.loss.item() == pytest.approx(2 * (1 - c) ** 2 + 0.25 * 2 / 3, abs=5e-5)


def test_barlow_twins_equals_the_formula_of_the_paper_written_out_in_numpy():
    first, second = two_views()
    a, b = first.numpy(), second.numpy()
    a = (a - a.mean(0)) / np.sqrt(a.var(0) + 1e-5)
    b = (b - b.mean(0)) / np.sqrt(b.var(0) + 1e-5)
    invariance = redundancy = 0.0
    for i in range(5):
        for j in range(5):
            c_ij = sum(a[row, i] * b[row, j] for row in range(12)) / 12
            if i == j:
                invariance += (1 - c_ij) ** 2
            else:
                redundancy += c_ij**2
    terms = barlow_twins(first, second, redundancy_weight=0.0051)
    assert terms.invariance.item() == pytest.approx(invariance, rel=1e-9)
    assert terms.redundancy.item() == pytest.approx(redundancy, rel=1e-9)
    assert terms.loss.item() == pytest.approx(invariance + 0.0051 * redundancy, rel=1e-9)


def test_barlow_twins_standardises_as_batch_norm_without_weights_the_authors_code():
    first, second = two_views()
    norm = nn.BatchNorm1d(5, affine=False)
    theirs = norm(first).T @ norm(second) / len(first)
    torch.testing.assert_close(barlow_twins(first, second, redundancy_weight=1.0).correlation_DD, theirs)


def test_barlow_twins_does_not_depend_on_scale_or_shift_of_any_feature_of_either_view():
    first, second = two_views()
    scale, shift = torch.tensor([2.0, 10.0, 0.7, 3.0, 5.0]), torch.tensor([1.0, -7.0, 0.0, 100.0, 2.0])
    terms = barlow_twins(first, second, redundancy_weight=0.3)
    moved = barlow_twins(first * scale + shift, second * scale.flip(0) - shift, redundancy_weight=0.3)
    torch.testing.assert_close(moved.correlation_DD, terms.correlation_DD, atol=1e-4, rtol=0)  # the guard of 1e-5
    # A turned sign is no affine map of positive slope: the diagonal turns with it.
    turned = barlow_twins(-first, second, redundancy_weight=0.3)
    torch.testing.assert_close(turned.correlation_DD, -terms.correlation_DD)


def test_barlow_twins_is_symmetric_in_its_views_and_in_the_order_of_rows():
    first, second = two_views()
    terms = barlow_twins(first, second, redundancy_weight=0.3)
    swapped = barlow_twins(second, first, redundancy_weight=0.3)
    torch.testing.assert_close(swapped.loss, terms.loss)
    torch.testing.assert_close(swapped.correlation_DD, terms.correlation_DD.T)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(barlow_twins(first[order], second[order], redundancy_weight=0.3).loss, terms.loss)
    assert barlow_twins(first[order], second, redundancy_weight=0.3).loss > 2 * terms.loss  # the pairing matters


def test_barlow_twins_is_near_0_for_equal_views_of_independent_features_and_at_its_stated_chance_for_unrelated_ones():
    random = torch.Generator().manual_seed(0)
    rows, features = 400, 30
    first, other = torch.randn(2, rows, features, generator=random)
    basis = torch.linalg.qr(torch.cat([torch.ones(rows, 1), first], 1))[0][:, 1:]  # columns of mean 0, orthogonal
    assert barlow_twins(basis * 20, basis * 20, redundancy_weight=1.0).loss < 1e-6
    chance = barlow_twins(first, other, redundancy_weight=1.0)
    assert chance.correlation_DD.diagonal().mean().abs() < 4 / math.sqrt(rows * features)
    assert chance.invariance.item() / features == pytest.approx(1 + 1 / rows, abs=0.05)
    off_rms = math.sqrt(chance.redundancy.item() / (features * (features - 1)))
    assert off_rms == pytest.approx(1 / math.sqrt(rows), rel=0.1)


def test_barlow_twins_takes_a_constant_feature_without_nan_in_loss_or_gradient():
    first, second = two_views()
    first[:, 2] = 7.0
    first.requires_grad_()
    terms = barlow_twins(first, second, redundancy_weight=0.3)
    terms.loss.backward()
    assert torch.isfinite(terms.loss) and torch.isfinite(first.grad).all()
    assert terms.correlation_DD[2].abs().max() < 1e-12


@pytest.mark.parametrize("redundancy_weight", [0.0, 0.005, 1.0])
def test_a_step_down_the_gradient_lowers_barlow_twins_and_raises_the_diagonal(redundancy_weight):
    first, second = two_views()
    first.requires_grad_()
    before = barlow_twins(first, second, redundancy_weight=redundancy_weight)
    before.loss.backward()
    stepped = first.detach() - 0.1 * first.grad
    after = barlow_twins(stepped, second, redundancy_weight=redundancy_weight)
    assert after.loss < before.loss
    if redundancy_weight < 1:
        assert (after.correlation_DD.diagonal() > before.correlation_DD.diagonal()).all()
    else:
        assert after.redundancy < before.redundancy


def test_the_recorded_correlation_holds_no_graph():
    first, second = two_views()
    terms = barlow_twins(first.requires_grad_(), second, redundancy_weight=1.0)
    assert terms.loss.requires_grad and not terms.correlation_DD.requires_grad


# Ranking cross-entropy --------------------------------------------------------------------------------------

LOGITS = torch.log(torch.tensor([[1.0, 2.0, 5.0], [4.0, 3.0, 1.0]], dtype=torch.float64))
NOTHING = torch.zeros(2, 3, dtype=torch.bool)


def test_ranking_cross_entropy_by_hand():
    # Row 0: answer 2, share 5/8. Row 1: answer 1, share 3/8. Mean of -log: (log(8/5) + log(8/3)) / 2.
    target = torch.tensor([2, 1])
    loss = ranking_cross_entropy(LOGITS, target, NOTHING)
    assert loss.item() == pytest.approx((math.log(8 / 5) + math.log(8 / 3)) / 2, rel=1e-12)
    # With column 0 left out of row 1: share 3/4.
    ignored = torch.tensor([[False, False, False], [True, False, False]])
    loss = ranking_cross_entropy(LOGITS, target, ignored)
    assert loss.item() == pytest.approx((math.log(8 / 5) + math.log(4 / 3)) / 2, rel=1e-12)


def some_logits(rows=6, columns=9, seed=0):
    random = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(rows, columns, generator=random)
    target = torch.randint(columns, (rows,), generator=random)
    ignored = torch.rand(rows, columns, generator=random) < 0.3
    ignored[torch.arange(rows), target] = False
    assert ignored.any(1).all()
    return logits, target, ignored


def test_ranking_cross_entropy_is_that_of_torch_where_nothing_is_ignored():
    logits, target, ignored = some_logits()
    ours = ranking_cross_entropy(logits, target, torch.zeros_like(ignored))
    torch.testing.assert_close(ours, functional.cross_entropy(logits, target))


def test_ranking_cross_entropy_equals_torch_on_each_row_with_the_ignored_columns_cut_out():
    logits, target, ignored = some_logits()
    rows = []
    for row, own, out in zip(logits, target, ignored, strict=True):
        kept = (~out).nonzero().flatten()
        place = (kept == own).nonzero().item()
        rows.append(functional.cross_entropy(row[kept], torch.tensor(place)))
    torch.testing.assert_close(ranking_cross_entropy(logits, target, ignored), torch.stack(rows).mean())


def test_ranking_cross_entropy_does_not_depend_on_a_shift_of_a_row_nor_on_what_ignored_columns_hold():
    logits, target, ignored = some_logits()
    loss = ranking_cross_entropy(logits, target, ignored)
    shifted = logits + torch.arange(6.0)[:, None] * 10
    torch.testing.assert_close(ranking_cross_entropy(shifted, target, ignored), loss)
    other = torch.where(ignored, torch.full_like(logits, 1e4), logits)
    assert torch.equal(ranking_cross_entropy(other, target, ignored), loss)
    assert ranking_cross_entropy(other, target, torch.zeros_like(ignored)) > 1000  # unmasked they would have counted


def test_ranking_cross_entropy_at_chance_is_the_log_of_the_candidates_that_are_not_ignored():
    equal = torch.full((2, 8), 3.7)
    ignored = torch.zeros(2, 8, dtype=torch.bool)
    target = torch.tensor([0, 5])
    assert ranking_cross_entropy(equal, target, ignored).item() == pytest.approx(math.log(8))
    ignored[:, 1:4] = True
    assert ranking_cross_entropy(equal, target, ignored).item() == pytest.approx(math.log(5))


def test_the_answers_own_column_is_never_ignored():
    logits, target, ignored = some_logits()
    loss = ranking_cross_entropy(logits, target, ignored)
    ignored[torch.arange(6), target] = True
    assert torch.equal(ranking_cross_entropy(logits, target, ignored), loss)


def test_a_step_down_the_gradient_lowers_the_loss_raises_the_answer_lowers_the_rest_and_leaves_the_ignored():
    logits, target, ignored = some_logits()
    logits.requires_grad_()
    before = ranking_cross_entropy(logits, target, ignored)
    before.backward()
    step = -logits.grad
    assert ranking_cross_entropy(logits.detach() + 0.1 * step, target, ignored) < before
    own = functional.one_hot(target, 9).bool()
    assert (step[own] > 0).all()
    assert (step[~own & ~ignored] < 0).all()
    assert (step[ignored] == 0).all()


@pytest.mark.parametrize("table", [30, 12, 7, 1])
def test_scores_in_blocks_give_the_loss_the_gradients_and_the_spread_of_the_whole_table(table):
    generator = torch.Generator().manual_seed(3)
    inputs = [torch.randn(5, 4, generator=generator), torch.randn(6, 4, generator=generator), torch.tensor(3.0)]
    target, ignored = torch.tensor([0, 5, 2, 2, 1]), torch.rand(5, 6, generator=generator) < 0.3
    found = []
    for size in (30, table):
        query, answer, scale = (part.double().requires_grad_() for part in inputs)
        loss = cross_entropy(query, answer, scale, target, ignored, table=size)
        loss.backward()
        spread = torch.tensor(logit_std(query, answer, scale, table=size))
        found.append([loss.detach(), spread, query.grad, answer.grad, scale.grad])
    torch.testing.assert_close(found[1], found[0])
    query, answer, scale = (part.double() for part in inputs)
    torch.testing.assert_close(found[1][0], ranking_cross_entropy(scale * query @ answer.T, target, ignored))


def test_scores_in_blocks_leave_no_table_behind():
    query, answer = torch.randn(64, 4, requires_grad=True), torch.randn(64, 4, requires_grad=True)
    kept = []

    def remember(tensor):
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        cross_entropy(
            query, answer, torch.tensor(1.0), torch.arange(64), torch.zeros(64, 64, dtype=torch.bool), table=256
        )
    assert max(kept) < 64 * 64
