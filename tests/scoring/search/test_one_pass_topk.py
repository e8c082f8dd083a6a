"""Scores in tiles, most of them looked at once, against the definition on whole rows."""

import numpy as np
import pytest

from whyrank.scoring.ranking.representation import Vectors
from whyrank.scoring.search import embed, one_pass_topk, tiles

QUERIES, ANSWERS = 80, 3000


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    for name, value in (("ROWS", 32), ("COLUMNS", 400), ("PART", 12), ("THREADS", 2)):
        monkeypatch.setattr(tiles, name, value)


def vectors_of(kind):
    random = np.random.default_rng(1)
    query_ND, answer_AD = random.standard_normal((QUERIES, 24)), random.standard_normal((ANSWERS, 24))
    if kind == "whole numbers":  # products are exact, and equal ones abound
        query_ND, answer_AD = random.integers(-2, 3, (QUERIES, 5)), random.integers(-2, 3, (ANSWERS, 5))
    elif kind == "copies":  # 200 copies of each of some answers, anywhere
        answer_AD[random.permutation(ANSWERS)[:1000]] = np.repeat(random.standard_normal((5, 24)), 200, axis=0)
    elif kind == "narrow":  # cosines between 0.99 and 1
        query_ND, answer_AD = 20 + query_ND, 20 + answer_AD
    elif kind == "collapsed":
        query_ND, answer_AD = answer_AD[0] + 1e-7 * query_ND, answer_AD[0] + 1e-7 * answer_AD
    elif kind == "one long answer":
        answer_AD[7] *= 1e4
    elif kind == "tiny":
        query_ND, answer_AD = 1e-20 * query_ND, 1e-18 * answer_AD
    elif kind == "zero":
        query_ND[::2] = 0
    return Vectors(query_ND.astype(np.float32), answer_AD.astype(np.float32))


def whole(score):
    score_QA = np.full((QUERIES, ANSWERS), np.nan, dtype=np.float32)
    for rows, first, score_RB in score.tiles(np.arange(QUERIES)):
        score_QA[rows, first : first + score_RB.shape[1]] = score_RB
    return score_QA


KINDS = ["random", "whole numbers", "copies", "narrow", "collapsed", "one long answer", "tiny", "zero"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("score", ["cosine", "dot"])
def test_queries_that_one_look_settles_are_found_as_the_definition_says(kind, score, by_definition, make_pairs):
    product, pairs = embed.Product(vectors_of(kind), score), make_pairs(QUERIES, ANSWERS, 4)
    query_Q = np.arange(QUERIES)
    reader = one_pass_topk.Survey(pairs, product.pairs(*pairs), product.bounds(query_Q), 100)
    tiles.sweep(reader, product.tiles(query_Q))
    found, open_Q = reader.settle()
    expected = by_definition(whole(product), pairs, 100)
    closed_P = ~open_Q[pairs.query_P]
    for name in ("above_P", "tied_P", "own_P"):
        np.testing.assert_array_equal(getattr(found, name)[closed_P], getattr(expected, name)[closed_P], err_msg=name)
    np.testing.assert_array_equal(found.answer_QK[~open_Q], expected.answer_QK[~open_Q])
    np.testing.assert_array_equal(found.score_QK[~open_Q], expected.score_QK[~open_Q])
    # Else a test of one reader, or of two, would test nothing.
    if kind in ("random", "narrow"):
        assert not open_Q.any()
    elif kind == "collapsed":
        assert open_Q.all()
    elif kind == "copies":
        assert 0 < open_Q.sum() < QUERIES


@pytest.mark.parametrize("keep", [1, 100, ANSWERS])
def test_two_looks_settle_the_rest(keep, by_definition, same, make_pairs):
    product, pairs = embed.Product(vectors_of("whole numbers"), "dot"), make_pairs(QUERIES, ANSWERS, 4)
    expected = by_definition(product(np.arange(QUERIES)), pairs, keep)
    assert expected.tied_P.min() > 1 and expected.tied_P.max() > one_pass_topk.CROWD
    same(one_pass_topk.find_in_tiles(product, np.arange(QUERIES), pairs, keep), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("score", ["cosine", "dot"])
def test_places_are_those_of_exact_products_but_for_rounding(kind, score, make_pairs):
    vectors, pairs = vectors_of(kind), make_pairs(QUERIES, ANSWERS, 4)
    found = one_pass_topk.find_in_tiles(embed.Product(vectors, score), np.arange(QUERIES), pairs, 100)
    query_ND, answer_AD = (each.astype(np.float64) for each in vectors)
    if score == "cosine":
        query_ND, answer_AD = (
            each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in (query_ND, answer_AD)
        )
    exact_QA = query_ND @ answer_AD.T
    length_Q = np.linalg.norm(query_ND, axis=1) * np.linalg.norm(answer_AD, axis=1).max()
    own_P = exact_QA[pairs.query_P, pairs.answer_P]
    step_P = 2.0**-20 * np.abs(exact_QA).max(axis=1)[pairs.query_P]
    margin_P = step_P + 4e-7 * length_Q[pairs.query_P]
    rows_PA = exact_QA[pairs.query_P]
    assert (found.above_P >= (rows_PA > (own_P + margin_P)[:, None]).sum(axis=1)).all()
    assert (found.above_P + found.tied_P <= (rows_PA >= (own_P - margin_P)[:, None]).sum(axis=1)).all()
    assert (found.tied_P >= 1).all()
    assert all(len(set(answers)) == 100 for answers in found.answer_QK)
    listed_QK = np.take_along_axis(exact_QA, found.answer_QK, axis=1)
    margin_Q1 = (2.0**-20 * np.abs(exact_QA).max(axis=1) + 4e-7 * length_Q)[:, None]
    assert (np.abs(listed_QK + np.sort(-exact_QA, axis=1)[:, :100]) <= margin_Q1).all()


def test_a_collapsed_encoder_is_one_tie_in_the_order_of_the_corpus(make_pairs):
    product, pairs = embed.Product(vectors_of("collapsed"), "cosine"), make_pairs(QUERIES, ANSWERS, 2)
    assert len(np.unique(whole(product))) > 3
    found = one_pass_topk.find_in_tiles(product, np.arange(QUERIES), pairs, 100)
    assert (found.above_P == 0).all() and (found.tied_P == ANSWERS).all()
    assert (found.answer_QK == np.arange(100)).all()


class Given:
    """Scores from a table, with what is said of them beforehand; each sweep takes the next table."""

    def __init__(self, *score_QA, guess_P, bound):
        self.tables, self.guess_P, self.bound, self.n_answers = list(score_QA), guess_P, bound, score_QA[0].shape[1]

    def tiles(self, query_Q):
        score_QA = self.tables.pop(0)
        for columns in tiles.cuts(self.n_answers, tiles.COLUMNS):
            for rows in tiles.cuts(len(query_Q), tiles.ROWS):
                yield tiles.Tile(rows, columns.start, score_QA[query_Q[rows], columns])

    def pairs(self, query_P, answer_P):
        return self.guess_P

    def bounds(self, query_Q):
        return np.full(len(query_Q), self.bound)


@pytest.mark.parametrize(("out", "bound"), [(0.3, 1.1), (3e-6, 1.1), (0.0, 0.2), (0.0, 0.0), (0.3, 50.0)])
def test_a_wrong_guess_or_bound_costs_a_second_look_and_no_place(out, bound, by_definition, same, make_pairs):
    random, pairs = np.random.default_rng(0), make_pairs(QUERIES, ANSWERS, 3)
    # Close together: a step is 1e-6, and 1 answer in 150 is on one level.
    score_QA = (0.5 + 1e-4 * random.random((QUERIES, ANSWERS))).astype(np.float32)
    score_QA[:, 17] = -1
    guess_P = score_QA[pairs.query_P, pairs.answer_P].astype(np.float64) + out
    given = Given(score_QA, score_QA, guess_P=guess_P, bound=bound)
    same(one_pass_topk.find_in_tiles(given, np.arange(QUERIES), pairs, 10), by_definition(score_QA, pairs, 10))


def test_no_answer_misses_its_own_tie_where_the_second_look_rounds_another_way():
    first_QA = np.ones((1, 900), dtype=np.float32)
    second_QA = first_QA.copy()
    second_QA[0, 500] -= 2**-18  # four steps
    given = Given(first_QA, second_QA, guess_P=np.ones(1), bound=1.1)
    found = one_pass_topk.find_in_tiles(given, np.arange(1), tiles.Pairs(np.array([0]), np.array([500])), 10)
    assert not given.tables  # both were looked at
    assert (found.above_P.tolist(), found.tied_P.tolist()) == ([0], [900])


@pytest.mark.parametrize("score", ["cosine", "dot"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_vector_that_is_not_finite_is_refused_with_its_place(score, bad, make_pairs):
    for table, row, place in (
        ("query_ND", 41, r"query row 41 and candidate \d+ "),
        ("answer_AD", 2345, "candidate 2345 "),
    ):
        vectors = vectors_of("random")
        getattr(vectors, table)[row, 3] = bad
        with pytest.raises(ValueError, match=place), np.errstate(invalid="ignore"):
            one_pass_topk.find_in_tiles(
                embed.Product(vectors, score), np.arange(QUERIES), make_pairs(QUERIES, ANSWERS, 3), 10
            )


def test_a_score_of_plus_infinity_alone_is_refused_too(monkeypatch, make_pairs):
    product = embed.Product(vectors_of("random"), "dot")
    tiles = product.tiles

    def with_one_infinite(query_Q):
        for tile in tiles(query_Q):
            if tile.rows.start <= 41 < tile.rows.stop and tile.first == 400:
                tile.score_RB[41 - tile.rows.start, 7] = np.inf
            yield tile

    monkeypatch.setattr(product, "tiles", with_one_infinite)
    with pytest.raises(ValueError, match="query row 41 and candidate 407 "):
        one_pass_topk.find_in_tiles(product, np.arange(QUERIES), make_pairs(QUERIES, ANSWERS, 3), 10)
