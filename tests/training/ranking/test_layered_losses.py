"""Losses of shortened vectors and of several layers: by hand, against a reference, and by their gradient."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from whyrank.training.pairs.losses import cosine
from whyrank.training.ranking.layered_losses import espresso, matryoshka

LABEL = torch.tensor([0.0, 0.2, 0.2, 0.5, 1.0, 1.0])


@pytest.fixture(autouse=True)
def exact(in_float64):
    """1e-9 instead of 1e-5 in every comparison."""


def wave(start, rows=6, features=8):
    """sin(start), sin(start + 1), ...: vectors that any program can make again."""
    return torch.arange(start, start + rows * features).reshape(rows, features).double().sin()


def squares(*vectors):
    """A loss whose value for each cut can be told from any other."""
    return sum(vector.square().sum() for vector in vectors)


def order(first, second):
    return cosine(first, second, LABEL, temperature=0.05)


# Matryoshka -------------------------------------------------------------------------------------------------


def test_matryoshka_by_hand():
    first, second = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[4.0, 5.0, 6.0]])
    # Squares of the first feature 17, of the first two 46, of all three 91.
    loss = matryoshka(squares, dims=[3, 1, 2], weights=[1.0, 10.0, 0.5])
    assert loss(first, second).item() == pytest.approx(91 + 170 + 23)
    assert loss(first).item() == pytest.approx(14 + 10 + 2.5)


def test_matryoshka_of_the_whole_vector_is_the_loss_and_of_cuts_the_weighted_sum():
    first, second = wave(1), wave(100)
    assert torch.equal(matryoshka(order, [8], [1.0])(first, second), order(first, second))
    expected = 0.3 * order(first[:, :2], second[:, :2]) + 2 * order(first[:, :6], second[:, :6])
    torch.testing.assert_close(matryoshka(order, [2, 6], [0.3, 2.0])(first, second), expected)


def test_features_beyond_the_longest_cut_get_no_gradient_and_those_before_it_do():
    first = wave(1).requires_grad_()
    matryoshka(order, [2, 5], [1.0, 1.0])(first, wave(100)).backward()
    assert (first.grad[:, :5] != 0).all()
    assert (first.grad[:, 5:] == 0).all()


def test_steps_down_the_gradient_of_matryoshka_order_the_pairs_at_every_width():
    first, second = wave(1), wave(100)
    loss = matryoshka(partial(cosine, label_B=LABEL, temperature=0.2), [2, 4, 8], [1.0, 1.0, 1.0])
    chance = math.log(1 + 13)
    assert order(first[:, :2], second[:, :2]) > chance
    for _ in range(40):
        first.requires_grad_()
        first = (first - 0.3 * torch.autograd.grad(loss(first, second), first)[0]).detach()
    for width in (2, 4, 8):
        assert order(first[:, :width], second[:, :width]) < 0.1


@pytest.mark.parametrize("dims", [[9], [0], [2, 9]])
def test_a_cut_beyond_the_vector_is_refused(dims):
    with pytest.raises(AssertionError, match="features cannot be cut from 8"):
        matryoshka(order, dims, [1.0] * len(dims))(wave(1), wave(100))


def test_every_cut_has_its_weight():
    with pytest.raises(ValueError):
        matryoshka(order, [2, 4], [1.0])(wave(1), wave(100))


# Espresso ---------------------------------------------------------------------------------------------------


def some_layers():
    return [[wave(start), wave(start + 100)] for start in (1, 200, 400)]


def test_espresso_by_hand_without_compression():
    # Squares of the first feature and of both: 1 and 5, 9 and 25, 4 and 5. The last layer counts whole and cut;
    # the first two cut, over 1 and over 1 + ln 2, and as a mean.
    layers = [[torch.tensor([vector])] for vector in ([1.0, 2.0], [3.0, 4.0], [2.0, 1.0])]
    loss = espresso(squares, layers, [1], align_weight=0.0)
    assert loss.item() == pytest.approx(5 + 4 + (1 + 9 / (1 + math.log(2))) / 2, rel=1e-12)


def test_espresso_without_compression_is_that_of_angle_emb():
    # What AngleESETrainer of angle_emb 0.6.1 adds up (float64) with these vectors as its three layers, their pairs
    # interleaved, k = 4, no PCA, and its cosine_loss with tau 20.
    layers = [[wave(1), wave(100)], [wave(200), wave(300)], [wave(400), wave(500)]]
    loss = espresso(order, layers, [4], align_weight=0.0)
    assert loss.item() == pytest.approx(10.080101988177727, rel=1e-9)


def alignment(layer, width):
    """mse + KL of the first features with X U S, in numpy."""
    x = np.concatenate([vector.numpy() for vector in layer])
    logit = x.T @ x / math.sqrt(x.shape[1])
    share = np.exp(logit) / np.exp(logit).sum(1, keepdims=True)
    # The left singular vectors of A are the eigenvectors of A A^T.
    squared, vectors = np.linalg.eigh(share @ share.T)
    target = x @ vectors[:, ::-1][:, :width] * np.sqrt(squared[::-1][:width])
    cut = x[:, :width]
    target *= np.sign((target * cut).sum(0))
    p, q = (np.exp(v) / np.exp(v).sum(1, keepdims=True) for v in (target, cut))
    return ((cut - target) ** 2).mean() + (p * np.log(p / q)).sum(1).mean()


def test_the_compression_of_espresso_is_that_of_the_formula_written_out_in_numpy():
    layers = some_layers()
    without = espresso(order, layers, [2, 5], align_weight=0.0).item()
    first, second, last = (alignment(layer, 2) + alignment(layer, 5) for layer in layers)
    expected = without + 0.7 * (last + (first + second / (1 + math.log(2))) / 2)
    assert espresso(order, layers, [2, 5], align_weight=0.7).item() == pytest.approx(expected, rel=1e-9)


def test_espresso_of_one_layer_is_that_layer_whole_and_cut():
    layer = [wave(1), wave(100)]
    expected = order(*layer) + order(layer[0][:, :3], layer[1][:, :3])
    torch.testing.assert_close(espresso(order, [layer], [3], align_weight=0.0), expected)


def test_every_layer_of_espresso_gets_a_gradient_and_a_step_down_it_lowers_the_loss_at_every_layer():
    layers = some_layers()
    leaves = [vector.requires_grad_() for layer in layers for vector in layer]
    before = espresso(order, layers, [4], align_weight=0.1)
    gradients = torch.autograd.grad(before, leaves)
    assert all((gradient[:, :4] != 0).all() for gradient in gradients)
    stepped = [leaf.detach() - 0.01 * gradient for leaf, gradient in zip(leaves, gradients, strict=True)]
    after = [stepped[0:2], stepped[2:4], stepped[4:6]]
    assert espresso(order, after, [4], align_weight=0.1) < before
    for old, new in zip(layers, after, strict=True):
        assert order(new[0][:, :4], new[1][:, :4]) < order(old[0][:, :4], old[1][:, :4])


def test_steps_down_the_gradient_of_compression_alone_bring_the_first_features_to_the_principal_ones():
    layer = [wave(1), wave(100)]
    before = alignment(layer, 3)
    for _ in range(20):
        leaves = [vector.requires_grad_() for vector in layer]
        loss = espresso(lambda *vectors: vectors[0].sum() * 0, [leaves], [3], align_weight=1.0)
        gradients = torch.autograd.grad(loss, leaves)
        layer = [leaf.detach() - 0.5 * gradient for leaf, gradient in zip(leaves, gradients, strict=True)]
    assert alignment(layer, 3) < before / 2


def test_the_compression_of_espresso_is_the_same_twice_and_finite_in_float32_for_a_batch_of_one():
    layers = [[wave(1)[:1].float() * 100, wave(100)[:1].float()] for _ in range(2)]
    leaves = [vector.requires_grad_() for layer in layers for vector in layer]
    loss = espresso(lambda a, b: cosine(a, b, LABEL[:1], temperature=0.05), layers, [4], align_weight=1.0)
    again = espresso(lambda a, b: cosine(a, b, LABEL[:1], temperature=0.05), layers, [4], align_weight=1.0)
    assert torch.equal(loss, again)
    assert all(torch.isfinite(gradient).all() for gradient in torch.autograd.grad(loss, leaves))


def test_a_cut_of_espresso_is_shorter_than_the_vector():
    with pytest.raises(AssertionError, match="8 features are no cut of 8"):
        espresso(order, some_layers(), [4, 8], align_weight=0.0)
