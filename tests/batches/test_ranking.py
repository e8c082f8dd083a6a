"""Training pairs for ranking, their candidates, and what must not be a negative."""

import itertools
from collections import Counter

import numpy as np
import pytest

from whyrank.batches.ranking import RankBatches, endless
from whyrank.core.errors import UserError
from whyrank.core.options.finetune import RankBatches as Options
from whyrank.training.ranking.hard_negatives import mine


@pytest.fixture
def small(make_prepared):
    """q0 has two relevant answers; a1 and a3 are the same text under two ids; q4 is a test query."""
    return make_prepared(
        [("a0", "zero"), ("a1", "same"), ("a2", "two"), ("a3", "same")],
        [
            ("q0", "question", "train", "x"),
            ("q1", "question", "train", "x"),
            ("q2", "conversation", "train", "x"),
            ("q3", "question", "train", "x"),
            ("q4", "question", "test", "x"),
        ],
        [
            ("q0", "a0", 1.0), ("q0", "a2", 1.0), ("q1", "a0", 1.0), ("q2", "a1", 1.0), ("q3", "a3", 1.0),
            ("q4", "a2", 1.0), ("q1", "a2", 0.0),
        ],
    )  # fmt: skip


def batches(prepared, candidates="all", mask=True, size=5, seed=0):
    return RankBatches(
        prepared, Options(size, candidates, "masked" if mask else "negative"), np.random.default_rng(seed)
    )


def as_ids(batch):
    """query, own answer -> (ignored answers, false negatives) as answer rows."""
    return {
        (int(query), int(batch.candidate_C[target])): (
            batch.candidate_C[ignored].tolist(),
            batch.candidate_C[false].tolist(),
        )
        for query, target, ignored, false in zip(
            batch.query_B, batch.target_B, batch.ignored_BC, batch.false_BC, strict=True
        )
    }


def test_against_all_answers_other_relevant_answers_are_ignored_and_equal_texts_counted_as_false_negatives(small):
    batch = next(batches(small))
    assert batch.candidate_C.tolist() == [0, 1, 2, 3]
    assert as_ids(batch) == {
        (0, 0): ([2], []),
        (0, 2): ([0], []),
        (1, 0): ([], []),  # a2 was judged not relevant to q1: a fair negative
        (2, 1): ([], [3]),  # the same text under another id
        (3, 3): ([], [1]),
    }
    assert batch.distinct_answers == 4


def test_without_the_mask_positives_serve_as_negatives_and_are_counted(small):
    batch = next(batches(small, mask=False))
    assert not batch.ignored_BC.any()
    assert as_ids(batch) == {
        (0, 0): ([], [2]),
        (0, 2): ([], [0]),
        (1, 0): ([], []),
        (2, 1): ([], [3]),
        (3, 3): ([], [1]),
    }


def test_against_the_batch_each_row_has_its_own_column_and_no_positive_serves_as_a_negative(small):
    batch = next(batches(small, candidates="batch"))
    assert batch.target_B.tolist() == [0, 1, 2, 3, 4]
    relevant = {0: {0, 2}, 1: {0}, 2: {1}, 3: {3}}
    texts = ["zero", "same", "two", "same"]
    for row, query in enumerate(batch.query_B):
        own = batch.candidate_C[row]
        assert own in relevant[query]
        for column, answer in enumerate(batch.candidate_C):
            is_other_positive = column != row and answer in relevant[query]
            assert batch.ignored_BC[row, column] == is_other_positive
            is_same_text = column != row and texts[answer] == texts[own] and not is_other_positive
            assert batch.false_BC[row, column] == is_same_text
    # q0 and q1 both ask for a0, so a0 stands in two columns: the other one must not be a negative.
    assert batch.ignored_BC.sum() == 2 + 2 + 1  # (q0,a0): a0 of q1, a2 · (q0,a2): a0 twice · (q1,a0): a0 of q0


def test_against_the_batch_without_the_mask_the_same_answer_of_another_row_is_a_false_negative(small):
    masked, bare = next(batches(small, candidates="batch")), next(batches(small, candidates="batch", mask=False))
    assert not bare.ignored_BC.any()
    assert np.array_equal(bare.false_BC, masked.ignored_BC | masked.false_BC)
    assert bare.false_BC.sum() == 5 + 2


@pytest.mark.parametrize("candidates", ["all", "batch"])
def test_the_target_is_the_column_of_a_relevant_training_answer_and_never_ignored_or_false(topics, candidates):
    relevant = {(int(q), int(a)) for q, a in topics.relevant[["query", "answer"]].to_numpy()}
    train = set(topics.rows("train"))
    for batch in itertools.islice(batches(topics, candidates=candidates, size=16), 10):
        rows = np.arange(16)
        assert set(batch.query_B) <= train
        assert {
            (int(q), int(a)) for q, a in zip(batch.query_B, batch.candidate_C[batch.target_B], strict=True)
        } <= relevant
        assert not batch.ignored_BC[rows, batch.target_B].any()
        assert not batch.false_BC.any()  # masked, and no two answers are the same text
        assert batch.distinct_answers == len(set(batch.candidate_C[batch.target_B]))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_every_pair_comes_once_per_round(small, size):
    drawn = [
        (int(query), int(batch.candidate_C[target]))
        for batch in itertools.islice(batches(small, size=size), 15)
        for query, target in zip(batch.query_B, batch.target_B, strict=True)
    ]
    assert len(drawn) == 15 * size
    pairs = {(0, 0), (0, 2), (1, 0), (2, 1), (3, 3)}
    for start in range(0, len(drawn), 5):
        assert Counter(drawn[start : start + 5]) == Counter(pairs)


def test_batches_have_one_size_also_across_rounds_and_no_more_than_there_are_rows():
    sizes = {len(rows) for rows in itertools.islice(endless(7, 3, np.random.default_rng(0)), 20)}
    assert sizes == {3}
    assert [len(rows) for rows in itertools.islice(endless(4, 64, np.random.default_rng(0)), 3)] == [4, 4, 4]


def test_rounds_differ_in_order_and_the_same_generator_state_gives_the_same_batches(small):
    def flat(seed):
        return [batch.query_B.tolist() for batch in itertools.islice(batches(small, size=5, seed=seed), 6)]

    assert flat(1) == flat(1)
    assert flat(1) != flat(2)
    assert len({tuple(row) for row in flat(1)}) > 1


def test_fewer_than_two_training_pairs_are_a_user_error(make_prepared):
    lonely = make_prepared(
        [("a0", "zero")],
        [("q0", "question", "train", "x"), ("q1", "question", "test", "x")],
        [("q0", "a0", 1.0), ("q1", "a0", 1.0)],
    )
    with pytest.raises(UserError, match="1 training pairs"):
        batches(lonely)


# Mined negatives --------------------------------------------------------------------------------------------


# Pairs of `small` in order: (q0,a0) (q0,a2) (q1,a0) (q2,a1) (q3,a3).
MINED = np.array([[1, 3], [-1, -1], [2, -1], [2, 0], [0, -1]])


def with_mined(prepared, mined, **options):
    ranking = batches(prepared, candidates="batch", **options)
    ranking.use(mined)
    return ranking


@pytest.mark.parametrize("seed", range(6))
def test_the_mined_negatives_of_the_rows_follow_the_answers_of_the_batch_each_once(small, seed):
    ranking, plain = with_mined(small, MINED, size=2, seed=seed), batches(small, candidates="batch", size=2, seed=seed)
    pairs = list(zip(ranking.query_P.tolist(), ranking.answer_P.tolist(), strict=True))
    for batch, bare in itertools.islice(zip(ranking, plain, strict=False), 10):
        rows = [pairs.index(pair) for pair in zip(batch.query_B, bare.candidate_C, strict=True)]
        mined = set(MINED[rows].ravel().tolist()) - {-1} - set(bare.candidate_C.tolist())
        assert batch.candidate_C.tolist() == bare.candidate_C.tolist() + sorted(mined)
        assert batch.target_B.tolist() == [0, 1]
        assert batch.distinct_answers == bare.distinct_answers
        for name in ("ignored_BC", "false_BC"):
            assert np.array_equal(getattr(batch, name)[:, :2], getattr(bare, name))


@pytest.mark.parametrize("mask", [True, False])
def test_a_mined_negative_of_one_row_is_masked_where_it_is_relevant_to_another(small, mask):
    # (q0,a0) and (q2,a1) make the batch; q2 brings a2, which is relevant to q0 too, and q0 brings a3, the text of a1.
    ranking = with_mined(small, MINED, mask=mask)
    ranking.rows = iter([np.array([0, 3])])
    batch = next(ranking)
    assert batch.candidate_C.tolist() == [0, 1, 2, 3]
    relevant_a2, text_a3 = [[0, 0, 1, 0], [0, 0, 0, 0]], [[0, 0, 0, 0], [0, 0, 0, 1]]
    assert batch.ignored_BC.astype(int).tolist() == (relevant_a2 if mask else [[0] * 4] * 2)
    assert batch.false_BC.astype(int).tolist() == (text_a3 if mask else np.add(relevant_a2, text_a3).tolist())


def test_a_table_without_negatives_and_one_replaced_between_steps_leave_the_order_of_the_pairs(small):
    ranking, plain = batches(small, candidates="batch", size=3), batches(small, candidates="batch", size=3)
    tables = [np.full((5, 2), -1), np.full((5, 1), 1), np.full((5, 3), 2)]
    for table in tables:
        ranking.use(table)
        batch, bare = next(ranking), next(plain)
        assert batch.query_B.tolist() == bare.query_B.tolist()
        assert set(batch.candidate_C) == (set(bare.candidate_C) | set(table.ravel())) - {-1}


def test_mined_negatives_of_training_queries_are_neither_relevant_nor_false_for_their_own_row(topics):
    ranking = batches(topics, candidates="batch", size=4)
    random = np.random.default_rng(0)
    vectors = random.normal(size=(len(topics.queries), 8)), random.normal(size=(6, 8))
    pairs = ranking.query_P, ranking.answer_P, ranking.relevant_QA
    negative_PN = mine(*vectors, *pairs, count=2, margin=0.0, text_A=ranking.text_A)
    assert (negative_PN >= 0).any()
    ranking.use(negative_PN)
    row_of = {pair: row for row, pair in enumerate(zip(ranking.query_P, ranking.answer_P, strict=True))}
    for batch in itertools.islice(ranking, 12):
        for row, pair in enumerate(zip(batch.query_B, batch.candidate_C, strict=False)):
            own = np.isin(batch.candidate_C, negative_PN[row_of[pair]])
            assert not (batch.ignored_BC[row] | batch.false_BC[row])[own].any()


# Going on where another run stopped --------------------------------------------------------------------------


@pytest.mark.parametrize("candidates", ["all", "batch"])
@pytest.mark.parametrize(("taken", "skipped"), [(0, 0), (0, 1), (0, 7), (3, 4), (2, 23)])
def test_after_skipping_come_the_batches_of_an_uninterrupted_sequence(small, candidates, taken, skipped):
    # 3 of 5 rows a batch, so that batches span rounds.
    whole, resumed = (batches(small, candidates=candidates, size=3, seed=4) for _ in range(2))
    list(itertools.islice(whole, taken + skipped))
    list(itertools.islice(resumed, taken))
    resumed.skip(skipped)
    if candidates == "batch":
        whole.use(MINED)
        resumed.use(MINED)
    for expected, batch in itertools.islice(zip(whole, resumed, strict=False), 5):
        for name, value in vars(expected).items():
            assert np.array_equal(getattr(batch, name), value)
