"""Folds hold groups together, and leaks between them are counted by question."""

import numpy as np
import pytest

from whyrank.core.errors import UserError
from whyrank.data.ratings.folds import fold_table, folds, group_numbers, leak_keys

TITLES = ["How to brew?", "how  to brew", "HOW TO BREW!", "Which hops?", "Which malt?", "which malt", "Yeast"]


def test_titles_that_differ_in_case_space_and_punctuation_are_one_group():
    group_N = group_numbers(TITLES)
    assert len(set(group_N)) == 4
    assert group_N[0] == group_N[1] == group_N[2] and group_N[4] == group_N[5]


def test_rows_without_a_group_have_none():
    assert group_numbers(["", "a", "", "b"]).tolist() == [-1, 0, -1, 1]


def test_no_group_is_in_two_folds_and_folds_are_even_for_any_sizes_of_groups():
    random = np.random.default_rng(0)
    for _ in range(20):
        group_N = random.integers(0, random.integers(5, 60), 300)
        fold_N = folds(group_N, 5)
        assert set(fold_N) == set(range(5))
        assert all(len(set(fold_N[group_N == group])) == 1 for group in set(group_N))
        largest = np.bincount(group_N).max()
        sizes = np.bincount(fold_N)
        assert sizes.max() - sizes.min() <= largest


def test_the_same_rows_in_another_order_get_the_same_folds():
    texts = [f"question {i % 37} about {i % 37}" for i in range(200)]
    order = np.random.default_rng(1).permutation(200)
    fold_N = folds(group_numbers(texts), 5)
    assert np.array_equal(folds(group_numbers([texts[i] for i in order]), 5), fold_N[order])


def test_more_folds_than_groups_are_a_user_error():
    with pytest.raises(UserError, match="the rows have 3 groups; take fewer"):
        folds(np.array([0, 0, 1, 2]), 4)


def test_questions_that_stand_in_two_folds_are_counted_with_their_rows():
    fold_N, group_N = np.array([0, 1, 0, 0, 1, 1, 1]), np.arange(7)
    keys = keys_of([(title, "", "") for title in TITLES])
    table = fold_table(fold_N, group_N, keys)
    assert table["rows"].tolist() == [3, 4]
    assert table["groups"].tolist() == [3, 4]
    # Of the three of "how to brew" two lie in one fold and one in the other; the two of "which malt" lie in one.
    assert table["shared_rows"].tolist() == table["shared_title"].tolist() == [2, 1]
    assert table["kept_by"].tolist() == ["title", "title"]
    assert fold_table(np.array([0, 0, 0, 1, 1, 1, 1]), group_N, keys)["shared_rows"].tolist() == [0, 0]


def keys_of(rows, labels=None):
    return leak_keys(rows, np.zeros((len(rows), 1)) if labels is None else np.array(labels))


BODY = "Hello, my garden pump hums all night"
ANSWER = "Clean the filter, then press the button for three seconds."


@pytest.mark.parametrize(
    ("rows", "labels", "shared", "kept_by"),
    [
        ([("One", BODY, "a"), ("Two", BODY, "b")], [[0], [1]], ["body"], "body"),
        (
            [("One", f"<p>{BODY} &amp; more</p>", "a"), ("Two", f"{BODY.upper()}  & more!", "b")],
            [[0], [1]],
            ["body"],
            "body",
        ),
        ([("One", "see the title", "a"), ("Two", "See the title.", "b")], [[0], [1]], [], "title"),
        ([("One", "x", ANSWER), ("Two", "y", ANSWER)], [[0.5], [0.5]], ["answer"], "answer"),
        # A canned answer that is rated otherwise for each question gives nothing away.
        ([("One", "x", ANSWER), ("Two", "y", ANSWER)], [[0.5], [1.0]], [], "title"),
        ([("One", "x", "Yes."), ("Two", "y", "Yes.")], [[0.5], [0.5]], [], "title"),
        ([("", "see it", "a"), ("", "See it!", "b")], [[0], [1]], ["body"], "body"),
        ([("", "", "a"), ("", "", "b")], [[0], [1]], [], ""),
        # Titles tie the second to the first, bodies to the third: no column holds all of it together.
        (
            [("One", BODY, "a"), ("One", f"{BODY} at 5", "b"), ("Two", f"{BODY} at 5", "c")],
            [[0], [0], [1]],
            ["title", "body"],
            "",
        ),
    ],
)
def test_a_leak_is_seen_in_titles_bodies_and_rated_answers(rows, labels, shared, kept_by):
    table = fold_table(np.arange(len(rows)), np.arange(len(rows)), keys_of(rows, labels))
    assert [name for name in ("title", "body", "answer") if table[f"shared_{name}"].any()] == shared
    assert set(table["kept_by"]) == {kept_by}
    assert bool(table["shared_rows"].any()) == bool(shared)
