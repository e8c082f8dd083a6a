"""Mined negatives by hand, against the definition written out, and against sentence-transformers where it agrees.

In the tables worked by hand the answers are the unit vectors, so that a query's vector is its row of scores; scores
and margins are sums of powers of two, so that a score at the bound is exactly at the bound.
"""

from types import SimpleNamespace

import datasets
import numpy as np
import pytest
import scipy.sparse
import torch
from sentence_transformers.util import mine_hard_negatives

from whyrank.training.ranking.hard_negatives import mine


def mined(score_QA, pairs, *, count=3, margin=0.25, text_A=None, **options):
    score_QA = np.array(score_QA)
    return mine_vectors(score_QA, np.eye(score_QA.shape[1]), pairs, count, margin, text_A, **options).tolist()


def mine_vectors(query_QD, answer_AD, pairs, count, margin, text_A=None, **options):
    query_P, answer_P = np.array(pairs).T
    relevant_QA = scipy.sparse.csr_matrix(
        (np.ones(len(pairs)), (query_P, answer_P)), shape=(len(query_QD), len(answer_AD))
    )
    text_A = np.arange(len(answer_AD)) if text_A is None else np.array(text_A)
    return mine(
        query_QD, answer_AD, query_P, answer_P, relevant_QA, count=count, margin=margin, text_A=text_A, **options
    )


def random_case(seed=0, queries=30, answers=25, width=6):
    """Vectors of length 1, so that scores have both signs; one to four relevant answers; some texts stand twice."""
    random = np.random.default_rng(seed)
    query_QD, answer_AD = random.normal(size=(queries, width)), random.normal(size=(answers, width))
    query_QD /= np.linalg.norm(query_QD, axis=1, keepdims=True)
    answer_AD /= np.linalg.norm(answer_AD, axis=1, keepdims=True)
    pairs = [
        (query, int(answer))
        for query in range(queries)
        for answer in random.choice(answers, random.integers(1, 5), replace=False)
    ]
    return query_QD, answer_AD, pairs, random.integers(0, answers // 2, answers)


def test_best_first_below_the_bound_and_not_at_it():
    # Own 0.5 at a margin of 1/4: the bound is 0.375. Answers 1 (above own) and 2 (between) are too close to the own
    # answer, 3 is at the bound; 5, 4 and 6 are below it.
    assert mined([[0.5, 0.75, 0.4375, 0.375, 0.125, 0.25, 0.0625]], [(0, 0)]) == [[5, 4, 6]]
    assert mined([[0.5, 0.75, 0.4375, 0.375, 0.125, 0.25, 0.0625]], [(0, 0)], margin=0.0) == [[2, 3, 5]]
    assert mined([[0.5, 0.5, 0.25]], [(0, 0)], margin=0.0) == [[2, -1, -1]]  # as good as the own answer is not below it


def test_the_bound_of_a_negative_score_lies_below_it_too():
    # Own -0.5: the bound is -0.625, where (1 - 1/4) * -0.5 = -0.375 would let in answer 1, better than the own one.
    assert mined([[-0.5, -0.4375, -0.5625, -0.625, -0.75]], [(0, 0)]) == [[4, -1, -1]]
    # Own 0: a share of nothing is nothing.
    assert mined([[0.0, 0.0, -0.125, 0.125]], [(0, 0)]) == [[2, -1, -1]]


def test_each_pair_has_the_bound_of_its_own_answer_and_no_relevant_answer_of_the_query_is_a_negative():
    # Bounds: 0.75 for answer 0 and 0.375 for answer 1, which is itself below 0.75 and so must be left out as relevant.
    scores = [[1.0, 0.5, 0.625, 0.25, 0.75], [0.25, 0.125, 0.5, 1.0, 0.0]]
    assert mined(scores, [(0, 0), (0, 1), (1, 3)]) == [[2, 3, -1], [3, -1, -1], [2, 0, 1]]
    # Answer 0 is relevant to query 0 only: query 1 may have it.


def test_no_answer_with_the_text_of_a_relevant_one_is_a_negative():
    # Query 0 has answers 0 and 2; answers 4 and 5 have the text of 2, answer 3 that of 0; 1 and 6 share a text of
    # their own, and both may stand.
    score, texts = [1.0, 0.5, 0.75, 0.625, 0.25, 0.125, 0.0625], [7, 1, 3, 7, 3, 3, 1]
    assert mined([score], [(0, 0), (0, 2)], text_A=texts) == [[1, 6, -1]] * 2
    assert mined([score], [(0, 0)], text_A=texts) == [[1, 4, 5]]  # 2 is at the bound


def test_rows_are_padded_where_fewer_remain_also_beyond_the_number_of_answers():
    assert mined([[1.0, 0.5, 0.25]], [(0, 0)], count=5) == [[1, 2, -1, -1, -1]]
    assert mined([[0.0, 0.5, 0.25]], [(0, 0)], count=2) == [[-1, -1]]


def defined(query_QD, answer_AD, pairs, count, margin, text_A):
    """The definition, pair by pair."""
    rows = []
    for query, own in pairs:
        scores = [float(query_QD[query] @ answer) for answer in answer_AD]
        texts = {text_A[answer] for other, answer in pairs if other == query}
        bound = scores[own] - margin * abs(scores[own])
        fair = [a for a in range(len(answer_AD)) if scores[a] < bound and text_A[a] not in texts]
        best = sorted(fair, key=lambda answer: -scores[answer])[:count]
        rows.append(best + [-1] * (count - len(best)))
    return rows


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("margin", [0.0, 0.05, 0.5, 1.0])
def test_random_tables_equal_the_definition_and_hold_no_relevant_answer(seed, margin):
    *vectors, pairs, text_A = random_case(seed)
    negative_PN = mine_vectors(*vectors, pairs, 4, margin, text_A)
    assert negative_PN.tolist() == defined(*vectors, pairs, 4, margin, text_A)
    assert (negative_PN >= 0).any()
    relevant = set(pairs)
    for (query, _), negatives in zip(pairs, negative_PN, strict=True):
        assert not relevant & {(query, int(answer)) for answer in negatives}


def test_blocks_the_order_of_the_pairs_the_scale_of_the_scores_and_the_library_change_nothing():
    query_QD, answer_AD, pairs, text_A = random_case(7)
    expected_PN = mine_vectors(query_QD, answer_AD, pairs, 4, 0.1, text_A)
    for block in (1, 7, len(pairs)):
        assert np.array_equal(mine_vectors(query_QD, answer_AD, pairs, 4, 0.1, text_A, block=block), expected_PN)
    order_P = np.random.default_rng(0).permutation(len(pairs))
    shuffled = [pairs[i] for i in order_P]
    assert np.array_equal(mine_vectors(query_QD, answer_AD, shuffled, 4, 0.1, text_A, block=7), expected_PN[order_P])
    assert np.array_equal(mine_vectors(query_QD, 20 * answer_AD, pairs, 4, 0.1, text_A), expected_PN)
    tensors = torch.tensor(query_QD, requires_grad=True), torch.tensor(answer_AD)
    negative_PN = mine_vectors(*tensors, pairs, 4, 0.1, text_A)
    assert negative_PN.dtype == np.int64
    assert np.array_equal(negative_PN, expected_PN)


class Lookup:
    """A model for sentence-transformers whose vectors are given: text i of either side is `str(i)`."""

    device = torch.device("cpu")
    model_card_data = SimpleNamespace(base_model=None)

    def __init__(self, query_QD, answer_AD):
        self.query_QD, self.answer_AD = query_QD, answer_AD

    def encode_query(self, texts, **_):
        return self.query_QD[[int(text) for text in texts]]

    def encode_document(self, texts, **_):
        return self.answer_AD[[int(text) for text in texts]]

    def similarity(self, first, second):
        return torch.as_tensor(first) @ torch.as_tensor(second).T

    def similarity_pairwise(self, first, second):
        return (torch.as_tensor(first) * torch.as_tensor(second)).sum(1)


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.3])
def test_the_lowest_scoring_pair_of_each_query_has_the_negatives_of_sentence_transformers(margin):
    query_QD, answer_AD, pairs, _ = random_case(3)
    table = {"query": [str(query) for query, _ in pairs], "answer": [str(answer) for _, answer in pairs]}
    triplets = mine_hard_negatives(
        datasets.Dataset.from_dict(table),
        Lookup(query_QD, answer_AD),
        corpus=[str(answer) for answer in range(len(answer_AD))],
        relative_margin=margin,
        num_negatives=4,
        range_max=len(answer_AD),
        verbose=False,
    )
    theirs = {pair: [] for pair in pairs}
    for row in triplets:
        theirs[int(row["query"]), int(row["answer"])].append(int(row["negative"]))
    ours = dict(zip(pairs, mine_vectors(query_QD, answer_AD, pairs, 4, margin).tolist(), strict=True))
    lowest = {}
    for query, answer in pairs:
        score = query_QD[query] @ answer_AD[answer]
        lowest[query] = min(lowest.get(query, (np.inf, -1)), (score, answer))
    assert min(lowest.values())[0] < 0 < max(lowest.values())[0]  # both signs of the own answer's score
    for query, (_, answer) in lowest.items():
        assert [negative for negative in ours[query, answer] if negative >= 0] == theirs[query, answer]
