"""Each loss three ways: by hand, against a reference and its invariances, and by the direction of its gradient."""

import itertools
import math

import pytest
import torch
from sentence_transformers.sentence_transformer import losses as peers
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from whyrank.training.pairs.losses import (
    angle,
    angle_signed,
    contrastive_with_hard_negatives,
    cosent,
    cosine,
    in_batch,
    mse,
)

LABELS = [0.0, 0.2, 0.2, 0.5, 1.0, 1.0]
of_order = pytest.mark.parametrize("loss", [cosine, angle, angle_signed])


@pytest.fixture(autouse=True)
def exact(in_float64):
    """1e-9 instead of 1e-5 in every comparison."""


def wave(start, rows=6, features=8):
    """sin(start), sin(start + 1), ...: vectors that any program can make again."""
    return torch.arange(start, start + rows * features).reshape(rows, features).double().sin()


def pairs():
    return wave(1), wave(100), torch.tensor(LABELS)


def directions(*degrees):
    """One vector of the plane per angle."""
    radians = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    return torch.stack([radians.cos(), radians.sin()], 1)


def value_and_gradients(loss, vectors):
    leaves = [vector.clone().requires_grad_() for vector in vectors]
    value = loss(*leaves)
    return value.item(), torch.autograd.grad(value, leaves)


def assert_zero_with_graph(loss, vectors):
    value, gradients = value_and_gradients(loss, vectors)
    assert value == 0
    assert all(torch.equal(gradient, torch.zeros_like(gradient)) for gradient in gradients)


# angle_emb --------------------------------------------------------------------------------------------------

# What angle_emb 0.6.1 gives (torch 2.13, float64) for `pairs()`: its loss, and the `checksum` of its gradients by the
# first and the second texts. tau is 1 / temperature. in_batch_negative_loss takes labels 0 and 1: 1 is from 0.5 on.
# contrastive_with_negative_loss takes a third set of vectors, wave(200). Where the package is installed, a test makes
# these numbers again.
ANGLE_EMB = {
    ("angle_loss", 1.0): (2.6459629154894424, 0.06033333267127636),
    ("angle_loss", 20.0): (4.21238501705414, 3.8284814463851453),
    ("cosine_loss", 1.0): (2.643449633688717, 0.04823641947068058),
    ("cosine_loss", 20.0): (4.18832150343022, 1.9864535092391016),
    ("in_batch_negative_loss", 20.0): (9.685270648472624, 10.284664535844433),
    ("contrastive_with_negative_loss", 20.0): (19.404135615887267, 17.45892155614724),
}
EVERY, NONE = torch.ones(6, dtype=torch.bool), torch.zeros(6, 12, dtype=torch.bool)
TEXT = torch.arange(6)


def checksum(gradients):
    """One number that every entry enters, weighted by the cosine of its place in its tensor, counted from 1."""
    return sum((g * torch.arange(1, 1 + g.numel()).reshape(g.shape).double().cos()).sum().item() for g in gradients)


def ours(name, tau):
    """Our loss of that name, on the vectors that it is compared on."""
    first, second, label = pairs()
    t = 1 / tau

    def in_batch_over_all_texts(a, b):
        # Half of these texts stand in positive pairs.
        return in_batch(a, b, label, TEXT, TEXT + 6, positive_from=0.5, temperature=t) / 2

    two, three = [first, second], [first, second, wave(200)]
    return {
        "angle_loss": (lambda a, b: angle(a, b, label, temperature=t), two),
        "cosine_loss": (lambda a, b: cosine(a, b, label, temperature=t), two),
        "in_batch_negative_loss": (in_batch_over_all_texts, two),
        "contrastive_with_negative_loss": (
            lambda a, p, n: contrastive_with_hard_negatives(a, p, n, EVERY, NONE, temperature=t),
            three,
        ),
    }[name]


def theirs(name, tau):
    package = pytest.importorskip("angle_emb.loss")
    if name == "contrastive_with_negative_loss":
        return lambda a, p, n: package.contrastive_with_negative_loss(a, p, n, tau)
    label = torch.tensor(LABELS)
    label = (label >= 0.5).double() if name == "in_batch_negative_loss" else label

    def interleaved(a, b):
        rows = torch.stack([a, b], 1).reshape(12, -1)
        return getattr(package, name)(label.repeat_interleave(2)[:, None], rows, tau)

    return interleaved


@pytest.mark.parametrize(("name", "tau"), ANGLE_EMB)
def test_value_and_gradient_are_those_recorded_from_angle_emb(name, tau):
    value, gradients = value_and_gradients(*ours(name, tau))
    assert (value, checksum(gradients)) == pytest.approx(ANGLE_EMB[name, tau], rel=1e-9)


@pytest.mark.parametrize(("name", "tau"), ANGLE_EMB)
def test_value_and_every_gradient_are_those_of_angle_emb_where_it_is_installed(name, tau):
    loss, vectors = ours(name, tau)
    value, gradients = value_and_gradients(loss, vectors)
    their_value, their_gradients = value_and_gradients(theirs(name, tau), vectors)
    assert value == pytest.approx(their_value, rel=1e-12)
    torch.testing.assert_close(gradients, their_gradients)
    assert (their_value, checksum(their_gradients)) == pytest.approx(ANGLE_EMB[name, tau], rel=1e-9)


# CoSENT -----------------------------------------------------------------------------------------------------


def some_scores(rows=40, labels=5, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.randn(rows, generator=random), torch.randint(labels, (rows,), generator=random) / labels


def test_cosent_by_hand():
    # Ordered pairs (higher over lower), s_j - s_i: 0 over 1: -0.2; 0 over 2: -0.1; 2 over 1: -0.1. Over t = 0.5.
    score, label = torch.tensor([0.3, 0.1, 0.2]), torch.tensor([1.0, 0.0, 0.5])
    expected = math.log(1 + math.exp(-0.4) + 2 * math.exp(-0.2))
    assert cosent(score, label, temperature=0.5).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("labels", [1, 2, 5, 10_000])
@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_cosent_and_its_gradient_are_those_of_a_loop_over_all_pairs(labels, temperature):
    score, label = some_scores(labels=labels)

    def loop(score):
        terms = [
            ((score[j] - score[i]) / temperature).exp()
            for i, j in itertools.product(range(40), repeat=2)
            if label[i] > label[j]
        ]
        return torch.log(1 + sum(terms, torch.zeros(()) * score.sum()))

    value, (gradient,) = value_and_gradients(lambda s: cosent(s, label, temperature=temperature), [score])
    expected, (expected_gradient,) = value_and_gradients(loop, [score])
    assert value == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize(("loss", "peer"), [(cosine, peers.CoSENTLoss), (angle, peers.AnglELoss)])
@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_cosine_and_angle_are_those_of_sentence_transformers(loss, peer, temperature):
    first, second, label = pairs()
    value, gradients = value_and_gradients(lambda a, b: loss(a, b, label, temperature=temperature), [first, second])
    reference = peer(model=None, scale=1 / temperature)
    expected = value_and_gradients(lambda a, b: reference.compute_loss_from_embeddings([a, b], label), [first, second])
    assert value == pytest.approx(expected[0], rel=1e-12)
    torch.testing.assert_close(gradients, expected[1])


def test_cosent_depends_on_the_order_of_labels_only_and_not_on_a_shift_of_scores_or_the_order_of_rows():
    score, label = some_scores()
    loss = cosent(score, label, temperature=0.3)
    torch.testing.assert_close(cosent(score, label.exp() * 7 - 100, temperature=0.3), loss)
    torch.testing.assert_close(cosent(score, (label * 5).round().long(), temperature=0.3), loss)
    torch.testing.assert_close(cosent(score + 12, label, temperature=0.3), loss)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(cosent(score[order], label[order], temperature=0.3), loss)
    assert cosent(score, label.flip(0), temperature=0.3) != loss


def test_cosent_at_chance_is_the_log_of_1_and_the_ordered_pairs_and_perfect_is_0():
    label = torch.tensor(LABELS)
    # 15 pairs of rows, less the two ties.
    assert cosent(torch.full((6,), 0.4), label, temperature=0.05).item() == pytest.approx(math.log(1 + 13))
    assert cosent(label, label, temperature=1e-3).item() == pytest.approx(0, abs=1e-12)


def test_equal_labels_ask_for_nothing_of_each_other():
    score, label = torch.tensor([0.9, -0.5, 0.1]), torch.tensor([1.0, 1.0, 0.0])
    # Both of the higher label against the lower: -0.8 and 0.6.
    expected = math.log(1 + math.exp(-0.8) + math.exp(0.6))
    assert cosent(score, label, temperature=1.0).item() == pytest.approx(expected, rel=1e-12)


@of_order
@pytest.mark.parametrize("rows", [1, 6])
def test_an_order_loss_of_one_label_is_0_and_so_is_its_gradient(loss, rows):
    label = torch.full((rows,), 0.7)
    assert_zero_with_graph(lambda a, b: loss(a, b, label, temperature=0.05), [wave(1)[:rows], wave(100)[:rows]])


def test_the_gradient_of_cosent_raises_the_highest_label_lowers_the_lowest_and_sums_to_0():
    score, label = some_scores()
    _, (gradient,) = value_and_gradients(lambda s: cosent(s, label, temperature=0.3), [score])
    assert (gradient[label == label.max()] < 0).all()
    assert (gradient[label == label.min()] > 0).all()
    assert gradient.sum().abs() < 1e-12


@of_order
def test_steps_down_the_gradient_of_an_order_loss_bring_the_pairs_into_the_order_of_their_labels(loss):
    first, second, label = pairs()

    def misordered():
        # Of one pair at a time: the loss of two pairs alone is over log 2 where the lower label scores higher.
        above, below = torch.nonzero(label[:, None] > label[None, :], as_tuple=True)
        return sum(
            loss(first[[i, j]], second[[i, j]], label[[i, j]], temperature=1.0).item() > math.log(2)
            for i, j in zip(above.tolist(), below.tolist(), strict=True)
        )

    before = misordered()
    counts = []
    for _ in range(20):
        _, (by_first, by_second) = value_and_gradients(lambda a, b: loss(a, b, label, temperature=0.2), [first, second])
        first, second = first - 0.1 * by_first, second - 0.1 * by_second
        counts.append(misordered())
    assert before > 0
    assert counts[0] <= before
    assert counts[-1] == 0


@of_order
def test_the_length_of_a_vector_has_no_part_in_an_order_loss(loss):
    first, second, label = pairs()
    value = loss(first, second, label, temperature=0.1)
    length = torch.arange(1.0, 7.0)[:, None]
    torch.testing.assert_close(loss(first * length, second / length, label, temperature=0.1), value)


@of_order
def test_an_order_loss_is_finite_in_float32_at_the_extremes(loss):
    basis = torch.eye(4, dtype=torch.float32)
    # Equal vectors have the lower label and opposite ones the higher; lengths from 1e-6 to 1e6; one vector is 0.
    first = torch.cat([basis, basis]) * torch.logspace(-6, 6, 8, dtype=torch.float32)[:, None]
    second = torch.cat([basis, -basis])
    second[1] = 0
    label = torch.tensor([0.0] * 4 + [1.0] * 4, dtype=torch.float32)
    value, gradients = value_and_gradients(lambda a, b: loss(a, b, label, temperature=0.05), [first, second])
    assert math.isfinite(value) and all(torch.isfinite(gradient).all() for gradient in gradients)


def test_cosent_takes_scores_in_float32_whose_exponentials_overflow():
    score = torch.tensor([100.0, -100.0, 50.0], dtype=torch.float32)
    value, (gradient,) = value_and_gradients(
        lambda s: cosent(s, torch.tensor([0.0, 1.0, 0.5]), temperature=0.05), [score]
    )
    assert value == pytest.approx(200 / 0.05)  # one term, exp(4000), outweighs the others
    torch.testing.assert_close(gradient, torch.tensor([20.0, -20.0, 0.0], dtype=torch.float32))


class LargestTensor(TorchDispatchMode):
    """The most elements that any operation, forward or backward, returned in one tensor."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple | list) else [result]:
            if isinstance(value, torch.Tensor):
                self.elements = max(self.elements, value.numel())
        return result


def test_the_order_loss_of_20000_pairs_holds_no_tensor_of_more_than_one_number_per_pair():
    pairs = 20_000
    label = torch.arange(pairs)
    score = torch.zeros(pairs, dtype=torch.float32, requires_grad=True)
    with LargestTensor() as largest:
        loss = cosent(score, label, temperature=0.05)
        loss.backward()
    assert pairs <= largest.elements <= pairs + 1  # a matrix of all pairs would have 400 million
    assert loss.item() == pytest.approx(math.log(1 + pairs * (pairs - 1) / 2), rel=1e-6)
    # Of a pair's P terms, those above it pull it down and those below it push it up.
    expected = (pairs - 1 - 2 * label) / 0.05 / (1 + pairs * (pairs - 1) / 2)
    torch.testing.assert_close(score.grad.double(), expected, rtol=1e-3, atol=1e-9)


# AnglE ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "sign"), [(angle, 1), (angle_signed, -1)])
def test_angle_by_hand_in_the_plane(loss, sign):
    # In the plane s = sqrt 2 sin(first - second + 45 degrees). Turns of 30 and 100 degrees back: sin(75), sin(145);
    # of 80 degrees forth: sin(-35), which `angle` takes as sin(35).
    first, second = directions(40, 100, 10), directions(10, 0, 90)
    label = torch.tensor([1.0, 0.5, 0.0])
    s = [math.sqrt(2) * math.sin(math.radians(turn)) for turn in (75, 145)]
    s.append(sign * math.sqrt(2) * math.sin(math.radians(35)))
    expected = math.log(1 + sum(math.exp((s[j] - s[i]) / 0.5) for i, j in [(0, 1), (0, 2), (1, 2)]))
    assert loss(first, second, label, temperature=0.5).item() == pytest.approx(expected, rel=1e-12)


def test_angle_pairs_each_feature_with_the_one_half_a_vector_on():
    # Planes (0, 2) and (1, 3): the same turn of 30 degrees in both scores as it does in one plane.
    first = directions(70, 110).T.reshape(1, 4)
    second = directions(40, 80).T.reshape(1, 4)
    both, label = torch.cat([first, -first]), torch.tensor([1.0, 0.0])
    one = angle_signed(directions(70, 250), directions(40, 40), label)
    torch.testing.assert_close(angle_signed(both, second.expand(2, 4), label), one)


def test_opposite_vectors_score_as_equal_ones_by_angle_and_as_the_contrary_by_angle_signed():
    first, label = wave(1)[[0, 0]], torch.tensor([1.0, 0.0])
    second = first * torch.tensor([[1.0], [-1.0]])
    assert angle(first, second, label).item() == pytest.approx(math.log(2))
    assert angle_signed(first, second, label).item() == pytest.approx(math.log(1 + math.exp(-2)))
    assert angle_signed(first, second, 1 - label).item() == pytest.approx(math.log(1 + math.exp(2)))


def test_a_vector_of_odd_width_has_no_halves():
    with pytest.raises(AssertionError, match="D must be even"):
        angle(torch.ones(2, 3), torch.ones(2, 3), torch.tensor([0.0, 1.0]))


# In-batch negatives -----------------------------------------------------------------------------------------

DIFFERENT = (TEXT, TEXT + 6)


def test_in_batch_by_hand():
    first, second = directions(0, 90), directions(60, 180)
    label, t = torch.tensor([1.0, 0.0]), 0.5
    # The text at 0 degrees: its partner at 60 has cosine 1/2; the others, at 90 and 180, have 0 and -1.
    # The text at 60: its partner 1/2; the others, 30 and 120 degrees away.
    of_first = math.log(math.exp(1) + math.exp(0) + math.exp(-2)) - 1
    of_second = math.log(math.exp(1) + math.exp(math.sqrt(3)) + math.exp(-1)) - 1
    loss = in_batch(first, second, label, TEXT[:2], TEXT[2:4], positive_from=1.0, temperature=t)
    assert loss.item() == pytest.approx((of_first + of_second) / 2, rel=1e-12)


def in_batch_by_sets(first, second, label, group_first, group_second, positive_from, t):
    rows = list(zip(group_first.tolist(), group_second.tolist(), (label >= positive_from).tolist(), strict=True))
    texts = functional.normalize(torch.cat([first, second]), dim=1)
    groups = [row[0] for row in rows] + [row[1] for row in rows]
    terms = []
    for pair, (one, other, is_positive) in enumerate(rows):
        if not is_positive:
            continue
        known = {one, other}.union(*({a, b} for a, b, is_other in rows if is_other and {a, b} & {one, other}))
        for own, partner in [(pair, pair + len(rows)), (pair + len(rows), pair)]:
            kept = [partner] + [c for c in range(len(groups)) if groups[c] not in known]
            logits = torch.stack([texts[own] @ texts[c] / t for c in kept])
            terms.append(logits.logsumexp(0) - logits[0])
    return torch.stack(terms).mean()


@pytest.mark.parametrize("texts", [6, 12, 40])
@pytest.mark.parametrize("positive_from", [0.3, 0.8])
def test_in_batch_is_that_of_a_loop_over_sets_of_texts(texts, positive_from):
    random = torch.Generator().manual_seed(texts)
    first, second = torch.randn(2, 15, 4, generator=random)
    label = torch.rand(15, generator=random)
    groups = torch.randint(texts, (2, 15), generator=random).unbind()
    value, gradients = value_and_gradients(
        lambda a, b: in_batch(a, b, label, *groups, positive_from=positive_from, temperature=0.2), [first, second]
    )
    expected, expected_gradients = value_and_gradients(
        lambda a, b: in_batch_by_sets(a, b, label, *groups, positive_from, 0.2), [first, second]
    )
    assert value == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(gradients, expected_gradients)


A, B, C, D, E = range(5)


@pytest.mark.parametrize(
    ("pair", "label", "candidates"),
    [
        ((A, C), 1.0, 1),  # the same first text
        ((C, B), 1.0, 1),  # the same second text
        ((B, C), 1.0, 1),  # the same text on the other side
        ((C, A), 1.0, 1),
        ((A, B), 0.0, 1),  # the same pair, whatever its label
        ((A, C), 0.0, 2),  # the other text of a pair of lower label is a negative
        ((C, D), 1.0, 3),  # two texts that have nothing to do with it
    ],
)
def test_texts_known_to_be_positives_are_no_negatives(pair, label, candidates):
    # The first pair is (A, B). All vectors being equal, the loss is the mean log of the candidates of its anchors.
    one = torch.ones(1, 4)
    group_first, group_second = torch.tensor([[A, pair[0]], [B, pair[1]]])
    loss = in_batch(
        one.expand(2, 4),
        one.expand(2, 4),
        torch.tensor([1.0, label]),
        group_first,
        group_second,
        positive_from=1.0,
        temperature=0.1,
    )
    assert loss.item() == pytest.approx(math.log(candidates))


def test_a_known_positive_is_ignored_in_a_pair_that_shares_no_text_too():
    # C is a positive of A by the second pair, so the C of the third is no negative of A and B; D and E are.
    group_first, group_second = torch.tensor([[A, A, C, E], [B, C, D, E]])
    label = torch.tensor([1.0, 0.0, 0.0, 0.0])
    vectors = torch.ones(4, 4)

    def candidates(label):
        first = in_batch(vectors, vectors, label, group_first, group_second, positive_from=1.0, temperature=0.1)
        return math.exp(first.item())

    assert candidates(label) == pytest.approx(1 + 5)  # C, C, D, E, E
    label[1] = 1.0
    assert candidates(label) == pytest.approx(1 + 3)  # D, E, E


def test_in_batch_without_a_positive_is_0_and_so_is_its_gradient():
    first, second, label = pairs()
    assert_zero_with_graph(
        lambda a, b: in_batch(a, b, label, *DIFFERENT, positive_from=1.1, temperature=0.05), [first, second]
    )


def test_in_batch_of_one_pair_has_nothing_to_choose_from():
    loss = in_batch(wave(1)[:1], wave(9)[:1], torch.ones(1), TEXT[:1], TEXT[1:2], positive_from=1.0, temperature=0.05)
    assert loss.item() == 0


def test_in_batch_at_chance_is_the_log_of_the_other_texts_and_does_not_depend_on_sides_or_lengths():
    first, second, label = pairs()
    same = torch.ones(6, 4)
    chance = in_batch(same, same, label, *DIFFERENT, positive_from=0.5, temperature=0.05)
    assert chance.item() == pytest.approx(math.log(11))
    loss = in_batch(first, second, label, *DIFFERENT, positive_from=0.5, temperature=0.1)
    swapped = in_batch(second * 3, first / 2, label, *DIFFERENT[::-1], positive_from=0.5, temperature=0.1)
    torch.testing.assert_close(swapped, loss)


def test_steps_down_the_gradient_of_in_batch_bring_the_positive_pairs_together_and_others_apart():
    first, second, label = pairs()

    def loss(a, b):
        return in_batch(a, b, label, *DIFFERENT, positive_from=0.5, temperature=0.5)

    before, (by_first, by_second) = value_and_gradients(loss, [first, second])
    after_first, after_second = first - 0.1 * by_first, second - 0.1 * by_second
    assert loss(after_first, after_second).item() < before
    cosine_before = functional.cosine_similarity(first, second)
    assert (functional.cosine_similarity(after_first, after_second) > cosine_before)[label >= 0.5].all()


def test_in_batch_is_finite_in_float32_at_the_extremes():
    first = torch.eye(6, 8, dtype=torch.float32) * 1e6
    second = -torch.eye(6, 8, dtype=torch.float32) * 1e-6
    second[0] = 0
    value, gradients = value_and_gradients(
        lambda a, b: in_batch(a, b, torch.ones(6), *DIFFERENT, positive_from=1.0, temperature=0.05), [first, second]
    )
    assert math.isfinite(value) and all(torch.isfinite(gradient).all() for gradient in gradients)


# Hard negatives ---------------------------------------------------------------------------------------------


def test_contrastive_with_hard_negatives_by_hand():
    anchor, positive, negative = directions(0, 90), directions(60, 90), directions(90, 0)
    t = 0.5
    # Row 0, at 0 degrees: its positive 1/2, the other positive 0, its negative 0; row 1 has no negative.
    # Row 1, at 90 degrees: its positive 1, the other positive sqrt(3)/2, the negative of row 0, at 90, has 1.
    row_0 = math.log(math.exp(1) + 2) - 1
    row_1 = math.log(2 * math.exp(2) + math.exp(math.sqrt(3))) - 2
    has_negative, nothing = torch.tensor([True, False]), torch.zeros(2, 4, dtype=torch.bool)
    loss = contrastive_with_hard_negatives(anchor, positive, negative, has_negative, nothing, temperature=t)
    assert loss.item() == pytest.approx((row_0 + row_1) / 2, rel=1e-12)
    # With the negative of row 0 left out of row 1.
    nothing[1, 2] = True
    row_1 = math.log(math.exp(2) + math.exp(math.sqrt(3))) - 2
    loss = contrastive_with_hard_negatives(anchor, positive, negative, has_negative, nothing, temperature=t)
    assert loss.item() == pytest.approx((row_0 + row_1) / 2, rel=1e-12)


def test_contrastive_with_hard_negatives_is_that_of_sentence_transformers():
    vectors = [wave(1), wave(100), wave(200)]
    reference = peers.MultipleNegativesRankingLoss(model=None, scale=20.0)
    value, gradients = value_and_gradients(
        lambda *v: contrastive_with_hard_negatives(*v, EVERY, NONE, temperature=0.05), vectors
    )
    expected = value_and_gradients(lambda *v: reference.compute_loss_from_embeddings(list(v), None), vectors)
    assert value == pytest.approx(expected[0], rel=1e-12)
    torch.testing.assert_close(gradients, expected[1])


def test_what_stands_in_the_place_of_an_absent_negative_has_no_part_in_value_or_gradient():
    has_negative = torch.tensor([True, False, True, False, False, True])

    def loss(a, p, n):
        return contrastive_with_hard_negatives(a, p, n, has_negative, NONE, temperature=0.05)

    negative = wave(200)
    value, gradients = value_and_gradients(loss, [wave(1), wave(100), negative])
    negative[1], negative[3] = 0, 1e6
    again, gradients_again = value_and_gradients(loss, [wave(1), wave(100), negative])
    assert again == value
    torch.testing.assert_close(gradients_again, gradients)
    assert (gradients[2][~has_negative] == 0).all()


def test_hard_negatives_at_chance_and_of_one_row():
    same = torch.ones(6, 4)
    loss = contrastive_with_hard_negatives(same, same, same, EVERY, NONE, temperature=0.05)
    assert loss.item() == pytest.approx(math.log(12))
    one = torch.ones(1, 4)
    for has_negative, candidates in [(True, 2), (False, 1)]:
        loss = contrastive_with_hard_negatives(
            one, one, one, torch.tensor([has_negative]), NONE[:1, :2], temperature=0.05
        )
        assert loss.item() == pytest.approx(math.log(candidates))


def test_a_step_down_the_gradient_brings_each_anchor_to_its_positive_and_away_from_its_negative():
    anchor, positive, negative = wave(1), wave(100), wave(200)

    def loss(*v):
        return contrastive_with_hard_negatives(*v, EVERY, NONE, temperature=0.5)

    before, gradients = value_and_gradients(loss, [anchor, positive, negative])
    after = [v - 0.1 * g for v, g in zip([anchor, positive, negative], gradients, strict=True)]
    assert loss(*after).item() < before
    margin_before = functional.cosine_similarity(anchor, positive) - functional.cosine_similarity(anchor, negative)
    margin_after = functional.cosine_similarity(after[0], after[1]) - functional.cosine_similarity(after[0], after[2])
    assert (margin_after > margin_before).all()


def test_contrastive_with_hard_negatives_is_finite_in_float32_at_the_extremes():
    anchor = torch.eye(6, 8, dtype=torch.float32) * 1e6
    value, gradients = value_and_gradients(
        lambda *v: contrastive_with_hard_negatives(*v, EVERY, NONE, temperature=0.05),
        [anchor, -anchor * 1e-12, anchor],
    )
    assert value == pytest.approx(2 / 0.05, rel=1e-5)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


# Squared error ----------------------------------------------------------------------------------------------


def test_mse_by_hand_at_chance_and_perfect():
    first, second, label = directions(0, 0), directions(60, 180), torch.tensor([0.8, 0.1])
    assert mse(first, second, label).item() == pytest.approx((0.3**2 + 1.1**2) / 2, rel=1e-12)
    assert mse(first, directions(90, -90), label).item() == pytest.approx((0.8**2 + 0.1**2) / 2, rel=1e-12)
    assert mse(first, directions(60, 90), torch.tensor([0.5, 0.0])).item() == pytest.approx(0, abs=1e-30)


def test_mse_is_that_of_sentence_transformers():
    first, second, label = pairs()
    label = label.float().double()  # they cut labels to float32
    value, gradients = value_and_gradients(lambda a, b: mse(a, b, label), [first, second])
    reference = peers.CosineSimilarityLoss(model=None)
    expected = value_and_gradients(lambda a, b: reference.compute_loss_from_embeddings([a, b], label), [first, second])
    assert value == pytest.approx(expected[0], rel=1e-12)
    torch.testing.assert_close(gradients, expected[1])


def test_a_step_down_the_gradient_of_mse_brings_every_cosine_nearer_to_its_label():
    first, second, label = pairs()
    _, gradients = value_and_gradients(lambda a, b: mse(a, b, label), [first, second])
    after = functional.cosine_similarity(first - 0.1 * gradients[0], second - 0.1 * gradients[1])
    assert ((after - label).abs() < (functional.cosine_similarity(first, second) - label).abs()).all()
