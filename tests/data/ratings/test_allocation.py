"""Tokens shared out among fields: what holds for any lengths and budgets, and cases worked out by hand."""

import numpy as np
import pytest

from whyrank.data.ratings.allocation import allocate, allocate_texts, kept_tokens

QUEST = np.array([26, 260, 210])


@pytest.fixture(params=[0, 1, 2])
def drawn(request):
    """300 rows of 3 fields each, from empty ones to such as are far too long; budgets of 0 among the others."""
    random = np.random.default_rng(request.param)
    budget_F = random.integers(0 if request.param else 1, 300, 3) * (np.arange(3) != request.param - 1)
    length_NF = random.integers(0, 700, (300, 3)) * random.integers(0, 2, (300, 3))
    length_NF[:50] = random.integers(0, 4, (50, 3))
    length_NF[50:100] = budget_F + random.integers(-2, 3, (50, 3)).clip(-budget_F)
    return length_NF.clip(0), budget_F


@pytest.mark.parametrize("adaptive", [False, True])
def test_no_field_keeps_more_than_it_has_and_no_row_more_than_the_sum_of_the_budgets(drawn, adaptive):
    length_NF, budget_F = drawn
    kept_NF = allocate(length_NF, budget_F, adaptive=adaptive)
    assert kept_NF.dtype == np.int64 and kept_NF.shape == length_NF.shape
    assert ((kept_NF >= 0) & (kept_NF <= length_NF)).all()
    assert (kept_NF.sum(axis=1) <= budget_F.sum()).all()
    assert (kept_NF[:, budget_F == 0] == 0).all()


def test_adaptive_never_keeps_less_of_a_field_than_its_own_budget_would(drawn):
    length_NF, budget_F = drawn
    fixed_NF, adaptive_NF = (allocate(length_NF, budget_F, adaptive=adaptive) for adaptive in (False, True))
    assert np.array_equal(fixed_NF, np.minimum(length_NF, budget_F))
    assert (adaptive_NF >= fixed_NF).all()


def test_adaptive_leaves_nothing_over_as_long_as_a_field_is_cut(drawn):
    length_NF, budget_F = drawn
    kept_NF = allocate(length_NF, budget_F, adaptive=True)
    wanted_N = np.where(budget_F > 0, length_NF, 0).sum(axis=1)
    assert np.array_equal(kept_NF.sum(axis=1), np.minimum(wanted_N, budget_F.sum()))


def test_adaptive_shares_are_in_proportion_to_the_budgets_among_the_cut_fields(drawn):
    length_NF, budget_F = drawn
    kept_NF = allocate(length_NF, budget_F, adaptive=True)
    has_budget_F = budget_F > 0
    for length_F, kept_F in zip(length_NF[:, has_budget_F], kept_NF[:, has_budget_F], strict=True):
        cut_F = kept_F < length_F
        if cut_F.any():
            # No field, whole or not, has a larger share than a cut one, to within the token that cannot be shared.
            least = ((kept_F + 1) / budget_F[has_budget_F])[cut_F].min()
            assert ((kept_F - 1) / budget_F[has_budget_F] <= least).all()


def test_a_longer_field_keeps_no_fewer_tokens_and_takes_none_from_a_field_within_its_budget():
    lengths = np.array([[10, 100, n] for n in range(0, 700, 7)])
    kept_NF = allocate(lengths, QUEST, adaptive=True)
    assert (np.diff(kept_NF[:, 2]) >= 0).all()
    assert (kept_NF[:, :2] == [10, 100]).all()


@pytest.mark.parametrize(
    ("length", "adaptive", "expected"),
    [
        ([10, 100, 50], True, [10, 100, 50]),  # all fit
        ([10, 100, 900], False, [10, 100, 210]),
        ([10, 100, 900], True, [10, 100, 386]),  # 496 - 110
        ([10, 900, 900], True, [10, 269, 217]),  # 486 shared 260 : 210 is 268.85 : 217.15
        ([90, 900, 900], True, [26, 260, 210]),  # nothing is left over
        ([0, 900, 0], True, [0, 496, 0]),
        ([30, 0, 300], True, [30, 0, 300]),
        ([900, 10, 900], True, [54, 10, 432]),  # 486 shared 26 : 210 is 53.5 : 432.5
    ],
)
def test_shares_worked_out_by_hand(length, adaptive, expected):
    assert allocate(np.array([length]), QUEST, adaptive=adaptive).tolist() == [expected]


@pytest.mark.parametrize(
    ("kept", "head_share", "expected"),
    [
        (4, 1.0, [0, 1, 2, 3]),
        (4, 0.0, [6, 7, 8, 9]),
        (4, 0.5, [0, 1, 8, 9]),
        (3, 0.5, [0, 1, 9]),  # half a token goes to the beginning
        (0, 0.5, []),
        (10, 0.5, list(range(10))),
        (12, 0.5, list(range(10))),
    ],
)
def test_a_cut_field_keeps_its_beginning_and_its_end(kept, head_share, expected):
    assert kept_tokens(10, kept, head_share).tolist() == expected


def test_the_places_that_are_kept_are_ascending_distinct_and_as_many_as_asked_for():
    random = np.random.default_rng(0)
    for _ in range(200):
        length, share = int(random.integers(0, 50)), float(random.random())
        kept = int(random.integers(0, 60))
        place_K = kept_tokens(length, kept, share)
        assert len(place_K) == min(kept, length)
        assert (np.diff(place_K) > 0).all()
        assert ((place_K >= 0) & (place_K < length)).all()


SIDES = [slice(0, 2), slice(2, 3)]


@pytest.mark.parametrize(
    ("length_F", "kept_F"),
    [
        # Of 12 tokens the answer takes 1, and the question, which may take 8, has 2 of title and 6 of body.
        ([2, 20, 1], [2, 6, 1]),
        # The answer would take 10 of 12 and has room for 8; the 4 that are left go to the body.
        ([0, 20, 20], [0, 4, 8]),
        # Both as long as their budgets allow.
        ([20, 20, 20], [5, 1, 6]),
        ([1, 1, 1], [1, 1, 1]),
    ],
)
def test_of_two_texts_neither_has_more_than_there_is_room_for_and_the_other_gets_what_that_leaves(length_F, kept_F):
    kept_NF = allocate_texts(np.array([length_F]), np.array([5, 1, 6]), SIDES, 8, adaptive=True)
    assert kept_NF.tolist() == [kept_F]


@pytest.mark.parametrize("adaptive", [False, True])
def test_two_texts_keep_no_less_than_by_fixed_budgets_and_all_there_is_room_for(adaptive):
    random = np.random.default_rng(3)
    length_NF = random.integers(0, 60, (500, 3)) * random.integers(0, 2, (500, 3))
    budget_F, room = np.array([5, 9, 12]), 16
    kept_NF = allocate_texts(length_NF, budget_F, SIDES, room, adaptive=adaptive)
    fixed_NF = np.minimum(length_NF, budget_F)
    kept_N2, length_N2 = (
        np.stack([table[:, side].sum(axis=1) for side in SIDES], axis=1) for table in (kept_NF, length_NF)
    )
    assert (kept_NF <= length_NF).all() and (kept_N2 <= room).all() and (kept_NF >= fixed_NF).all()
    if adaptive:
        wanted_N = np.minimum(length_N2, room).sum(axis=1)
        assert np.array_equal(kept_N2.sum(axis=1), np.minimum(wanted_N, budget_F.sum()))
    else:
        assert np.array_equal(kept_NF, fixed_NF)
