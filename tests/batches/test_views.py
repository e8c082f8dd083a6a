"""View pairs for Barlow Twins: which texts make a batch, and that this decides whether anything can be learnt."""

import itertools

import numpy as np
import pytest

from whyrank.batches import views as view_batches
from whyrank.batches.views import across_answers, single_answer
from whyrank.core.errors import UserError


def take(batches, count):
    return list(itertools.islice(batches, count))


def rng(seed=0):
    return np.random.default_rng(seed)


# Answer -> text numbers of either side.
FIRST = {
    0: np.array([10, 11, 12]),
    3: np.array([13]),
    4: np.array([14, 15]),
    7: np.array([16, 17]),
    9: np.array([18, 19]),
}
SECOND = {
    0: np.array([20, 21]),
    3: np.array([22, 23]),
    4: np.array([24]),
    7: np.array([25, 26]),
    9: np.array([27, 28, 29]),
}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_across_answers_has_no_answer_twice_in_a_batch_and_both_sides_belong_to_it(size):
    for views in take(across_answers(FIRST, SECOND, size, rng()), 50):
        assert len(views.answer_B) == len(views.first_B) == len(views.second_B) == size
        assert len(set(views.answer_B)) == size
        for first, second, answer in zip(views.first_B, views.second_B, views.answer_B, strict=True):
            assert first in FIRST[answer] and second in SECOND[answer]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_across_answers_deals_all_answers_before_any_comes_again(size):
    dealt = np.concatenate([views.answer_B for views in take(across_answers(FIRST, SECOND, size, rng()), 50)])
    for start in range(0, len(dealt) - 4, 5):
        assert sorted(dealt[start : start + 5]) == [0, 3, 4, 7, 9]
    rounds = {tuple(dealt[start : start + 5]) for start in range(0, len(dealt) - 4, 5)}
    assert len(rounds) > 1  # each round in another order


def test_across_answers_is_smaller_than_asked_where_there_are_fewer_answers():
    assert {len(views.answer_B) for views in take(across_answers(FIRST, SECOND, 128, rng()), 5)} == {5}


def test_across_answers_draws_every_text_of_an_answer_and_pairs_them_freely():
    batches = take(across_answers(FIRST, SECOND, 5, rng()), 200)
    drawn = {
        (int(first), int(second))
        for views in batches
        for first, second, answer in zip(views.first_B, views.second_B, views.answer_B, strict=True)
        if answer == 0
    }
    assert drawn == set(itertools.product([10, 11, 12], [20, 21]))


def test_single_answer_holds_the_smaller_side_whole_and_as_many_of_the_larger_without_any_twice():
    seen = set()
    for views in take(single_answer(FIRST, SECOND, rng()), 60):
        answer = views.answer_B[0]
        first, second = FIRST[answer], SECOND[answer]
        rows = min(len(first), len(second))
        assert len(views.first_B) == len(views.second_B) == rows and set(views.answer_B) == {answer}
        assert len(set(views.first_B)) == len(set(views.second_B)) == rows
        assert set(views.first_B) <= set(first) and set(views.second_B) <= set(second)
        seen.add(int(answer))
    assert seen == {0, 7, 9}  # 3 and 4 have one text on a side: no batch can be standardised


def test_single_answer_pairs_at_random_and_leaves_every_text_of_the_larger_side_a_chance():
    pairs = {
        pair
        for views in take(single_answer(FIRST, SECOND, rng()), 200)
        if views.answer_B[0] == 0
        for pair in zip(views.first_B.tolist(), views.second_B.tolist(), strict=True)
    }
    assert pairs == set(itertools.product([10, 11, 12], [20, 21]))


def test_single_answer_without_an_answer_of_two_texts_on_both_sides_is_a_user_error():
    with pytest.raises(UserError, match=r"pretrain_barlow\.batches=across_answers"):
        next(single_answer({0: np.array([1])}, {0: np.array([2, 3])}, rng()))


@pytest.mark.parametrize(
    "make", [lambda r: across_answers(FIRST, SECOND, 3, r), lambda r: single_answer(FIRST, SECOND, r)]
)
def test_the_same_generator_state_gives_the_same_batches_and_another_does_not(make):
    def flat(seed):
        return [np.concatenate([v.first_B, v.second_B, v.answer_B]).tolist() for v in take(make(rng(seed)), 8)]

    assert flat(1) == flat(1)
    assert flat(1) != flat(2)


@pytest.fixture
def small(make_prepared):
    """3 answers; a0 and a1 have both types in training, a2 questions only; dev and test texts beside them."""
    queries = [
        ("q0", "question", "train", "x"), ("q1", "conversation", "train", "x"), ("q2", "question", "test", "x"),
        ("q3", "question", "train", "x"), ("q4", "conversation", "train", "x"), ("q5", "conversation", "dev", "x"),
        ("q6", "question", "train", "x"), ("q7", "conversation", "test", "x"), ("q8", "conversation", "train", "x"),
    ]  # fmt: skip
    answer_of = ["a0", "a0", "a0", "a1", "a1", "a1", "a2", "a2", "a1"]
    qrels = [(query[0], answer, 1.0) for query, answer in zip(queries, answer_of, strict=True)]
    qrels.append(("q8", "a0", 0.0))  # judged, not relevant
    return make_prepared([("a0", "zero"), ("a1", "one"), ("a2", "two")], queries, qrels)


def test_the_view_question_conversation_takes_training_texts_of_answers_that_have_both(small):
    first, second = view_batches.sides(small, "question-conversation")
    # Text i of a query is 3 answers + its row.
    assert {key: rows.tolist() for key, rows in first.items()} == {0: [3], 1: [6]}
    assert {key: rows.tolist() for key, rows in second.items()} == {0: [4], 1: [7, 11]}


def test_the_view_query_answer_takes_every_training_query_and_the_text_of_its_answer(small):
    first, second = view_batches.sides(small, "query-answer")
    assert {key: rows.tolist() for key, rows in first.items()} == {0: [3, 4], 1: [6, 7, 11], 2: [9]}
    assert {key: rows.tolist() for key, rows in second.items()} == {0: [0], 1: [1], 2: [2]}


@pytest.mark.parametrize(
    ("view", "batches"),
    [
        ("question-conversation", "across_answers"),
        ("query-answer", "across_answers"),
        ("question-conversation", "single_answer"),
    ],
)
def test_batches_of_a_prepared_set_hold_training_texts_only(topics, view, batches):
    answers = len(topics.answers)
    train = set(topics.rows("train") + answers)
    for views in take(
        view_batches.view_batches(view_batches.sides(topics, view), batches=batches, size=4, random=rng()), 30
    ):
        assert set(views.first_B) <= train
        assert set(views.second_B) <= (train if view == "question-conversation" else set(range(answers)))


def test_a_view_without_answers_that_have_both_sides_is_a_user_error_that_says_what_to_set(make_prepared):
    questions_only = make_prepared(
        [("a0", "zero"), ("a1", "one")],
        [("q0", "question", "train", "x"), ("q1", "question", "train", "y")],
        [("q0", "a0", 1.0), ("q1", "a1", 1.0)],
    )
    with pytest.raises(
        UserError,
        match=r"0 training answers .*\.views=\[span-document\]', or leave them out with -S pretrain_barlow\.steps=0",
    ):
        view_batches.all_sides(questions_only, ["question-conversation"])
