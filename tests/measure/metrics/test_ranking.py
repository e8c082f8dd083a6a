"""Ranking metrics against hand-worked numbers, all orders of the ties, trec_eval, ranx and scikit-learn.

Which definitions agree, without ties (A candidates, R relevant answers, cut-off k):

    ours                         trec_eval       ranx           scikit-learn
    accuracy@k                   success_k       hit_rate@k
    mrr                          recip_rank      mrr
    map@k, denominator "R"       map_cut_k       map@k          label_ranking_average_precision (k = A)
    map@k, denominator min_k_R   not: at most k/R where R > k, both in trec_eval and ranx
    ndcg@k                       ndcg_cut_k      ndcg@k         ndcg_score; not ranx's ndcg_burges (gain 2^g - 1)

With ties: scikit-learn's ndcg_score averages over orders as we do; its label_ranking_average_precision gives every tied
candidate the worst rank of the tie, trec_eval sorts ties by document name, ranx by its sort: none of those agrees.
"""

import tracemalloc
from itertools import permutations
from math import log2

import numpy as np
import pytest

from whyrank.measure.metrics import locating, ranking
from whyrank.measure.metrics.ranking import (
    Places,
    accuracy,
    average_precision,
    ndcg,
    per_query,
    reciprocal_rank,
)


def places_of(scores_QA, gains_QA):
    query_P, answer_P = np.nonzero(gains_QA)
    return Places(
        query_P, *locating.locate(scores_QA, query_P, answer_P), gains_QA[query_P, answer_P], *scores_QA.shape
    )


def random_case(n_queries, n_candidates, *, ties, seed=0):
    """Scores with or without ties; grades 0 to 3, at least one relevant answer per query."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 3, (n_queries, n_candidates)) if ties else rng.random((n_queries, n_candidates))
    gains_QA = rng.integers(1, 4, levels.shape) * (rng.random(levels.shape) < 0.4)
    gains_QA[:, 0] = np.maximum(gains_QA[:, 0], 1)
    return levels.astype(np.float64), gains_QA.astype(np.float64)


@pytest.fixture
def by_hand():
    scores_QA = np.array([[9.0, 5, 5, 1], [2, 2, 2, 1], [4, 3, 2, 1]])
    # Query 0: one relevant answer shares ranks 2 and 3, the other has rank 4. Query 1: two of the three tied at the
    # top are relevant. Query 2: nothing is relevant.
    gains_QA = np.array([[0.0, 1, 0, 2], [1, 3, 0, 0], [0, 0, 0, 0]])
    return places_of(scores_QA, gains_QA)


def test_places_of_the_table_worked_by_hand(by_hand):
    assert by_hand.above_P.tolist() == [1, 3, 0, 0]
    assert by_hand.tied_P.tolist() == [2, 1, 3, 3]


def test_accuracy_worked_by_hand(by_hand):
    np.testing.assert_allclose(accuracy(by_hand, 1), [0, 2 / 3, np.nan])
    np.testing.assert_allclose(accuracy(by_hand, 2), [1 / 2, 1, np.nan])  # rank 2 or 3, evenly; two of three hold one
    np.testing.assert_allclose(accuracy(by_hand, 3), [1, 1, np.nan])


def test_reciprocal_rank_worked_by_hand(by_hand):
    # (1/2 + 1/3) / 2 = 5/12;  first rank 1 with 2/3, rank 2 with 1/3: 2/3 + 1/6 = 5/6
    np.testing.assert_allclose(reciprocal_rank(by_hand), [5 / 12, 5 / 6, np.nan])
    np.testing.assert_allclose(reciprocal_rank(by_hand, 2), [1 / 4, 5 / 6, np.nan])
    np.testing.assert_allclose(reciprocal_rank(by_hand, 1), [0, 2 / 3, np.nan])


def test_average_precision_worked_by_hand_with_both_denominators(by_hand):
    # Query 0 at 3: 5/12 as above, over min(3, 2) = 2. At 4 the other adds 2/4.
    # Query 1 at 3: relevant ranks {1,2}: (1 + 1)/2, {1,3}: (1 + 2/3)/2, {2,3}: (1/2 + 2/3)/2; mean 29/36.
    np.testing.assert_allclose(average_precision(by_hand, 3), [5 / 24, 29 / 36, np.nan])
    np.testing.assert_allclose(average_precision(by_hand, 4), [11 / 24, 29 / 36, np.nan])
    np.testing.assert_allclose(average_precision(by_hand, 1), [0, 2 / 3, np.nan])
    np.testing.assert_allclose(average_precision(by_hand, 1, denominator="R"), [0, 1 / 3, np.nan])


def test_ndcg_worked_by_hand(by_hand):
    # Query 0 at 3: gain 1 at ranks 2, 3 evenly; ideal 2 then 1. Query 1 at 1: mean gain 4/3 over ideal 3.
    expected = (1 / log2(3) + 1 / log2(4)) / 2 / (2 + 1 / log2(3))
    np.testing.assert_allclose(ndcg(by_hand, 3)[0], expected)
    np.testing.assert_allclose(ndcg(by_hand, 1), [0, 4 / 9, np.nan])


def metrics_of_order(gains_in_order, cutoff):
    """Textbook definitions on one order, in plain Python."""
    hits = [g > 0 for g in gains_in_order]
    n_relevant = sum(hits)
    precision = sum(sum(hits[: i + 1]) / (i + 1) for i in range(min(cutoff, len(hits))) if hits[i])
    ideal = sum(g / log2(i + 2) for i, g in enumerate(sorted(gains_in_order, reverse=True)[:cutoff]))
    return np.array(
        [
            any(hits[:cutoff]),
            precision / min(cutoff, n_relevant),
            precision / n_relevant,
            1 / (1 + hits.index(True)),
            sum(g / log2(i + 2) for i, g in enumerate(gains_in_order[:cutoff])) / ideal,
        ]
    )


@pytest.mark.parametrize("cutoff", [1, 2, 3, 10])
def test_every_metric_is_the_mean_over_all_orders_of_the_tied_candidates(cutoff):
    scores_QA, gains_QA = random_case(25, 5, ties=True)
    expected_Q5 = np.zeros((25, 5))
    orders = list(permutations(range(5)))
    for q in range(25):
        for order in orders:
            ranked = sorted(order, key=lambda a, q=q: -scores_QA[q, a])  # stable: the order breaks the ties
            expected_Q5[q] += metrics_of_order([float(gains_QA[q, a]) for a in ranked], cutoff) / len(orders)
    places = places_of(scores_QA, gains_QA)
    assert (places.ties.relevant_G > 1).any() and (places.ties.before_G > 0).any()
    np.testing.assert_allclose(accuracy(places, cutoff), expected_Q5[:, 0], atol=1e-12)
    np.testing.assert_allclose(average_precision(places, cutoff), expected_Q5[:, 1], atol=1e-12)
    np.testing.assert_allclose(average_precision(places, cutoff, denominator="R"), expected_Q5[:, 2], atol=1e-12)
    np.testing.assert_allclose(reciprocal_rank(places), expected_Q5[:, 3], atol=1e-12)
    np.testing.assert_allclose(ndcg(places, cutoff), expected_Q5[:, 4], atol=1e-12)


def test_a_collapsed_encoder_scores_chance_on_every_metric_and_never_one():
    n = 1000
    gains_QA = np.zeros((2, n))
    gains_QA[0, 7] = 1
    gains_QA[1, 3:5] = 1
    result = per_query(places_of(np.ones((2, n)), gains_QA))
    np.testing.assert_allclose(result["accuracy@10"][0], 10 / n)
    np.testing.assert_allclose(result["accuracy@10"][1], 1 - (990 / 1000) * (989 / 999))
    np.testing.assert_allclose(result["mrr"][0], (1 / np.arange(1, n + 1)).sum() / n)
    np.testing.assert_allclose(result["map@3"][0], (1 + 1 / 2 + 1 / 3) / n)
    np.testing.assert_allclose(result["ndcg@10"][0], (1 / np.log2(np.arange(2, 12))).sum() / n)


def test_reciprocal_rank_in_blocks_equals_one_block(monkeypatch):
    places = places_of(*random_case(40, 30, ties=True))
    with monkeypatch.context() as patch:
        patch.setattr(ranking, "BLOCK_BYTES", 64 * 30)
        blocked_Q = reciprocal_rank(places)
    np.testing.assert_allclose(blocked_Q, reciprocal_rank(places), rtol=1e-14)


def test_locate_counts_like_a_plain_loop_whatever_the_block(monkeypatch):
    scores_QA, gains_QA = random_case(20, 9, ties=True)
    scores_QA[0, :2] = [np.inf, -np.inf]
    query_P, answer_P = np.nonzero(gains_QA)
    monkeypatch.setattr(locating, "BLOCK_BYTES", 400)  # two pairs at a time
    above_P, tied_P = locating.locate(scores_QA, query_P, answer_P)
    for q, a, above, tied in zip(query_P, answer_P, above_P, tied_P, strict=True):
        assert above == sum(s > scores_QA[q, a] for s in scores_QA[q])
        assert tied == sum(s == scores_QA[q, a] for s in scores_QA[q])


@pytest.mark.parametrize("n_candidates", [1, 7, 8, 9, 1000])
@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [1, 2], [3, 3, 0], [2], []], ids=str)
def test_counts_are_those_of_a_plain_loop_whatever_the_rows_and_their_width(rows, n_candidates, monkeypatch):
    random = np.random.default_rng(0)
    scores_QA, query_P = random.integers(0, 4, (4, n_candidates)).astype(np.float32), np.array(rows, dtype=np.int64)
    value_P = random.integers(0, 4, len(rows)).astype(np.float32)
    for block_bytes in (2**26, 2 * 9 * n_candidates):
        monkeypatch.setattr(locating, "BLOCK_BYTES", block_bytes)
        for compare in (np.greater, np.greater_equal, np.equal):
            found = locating.count(compare, scores_QA, query_P, value_P)
            expected = [sum(compare(scores_QA[q], value)) for q, value in zip(query_P, value_P, strict=True)]
            assert found.tolist() == expected and found.dtype == np.int64


def test_locate_stays_within_its_block_of_memory(monkeypatch):
    monkeypatch.setattr(locating, "BLOCK_BYTES", 2**20)
    scores_QA = np.random.default_rng(0).random((300, 2000), dtype=np.float32)  # 300 pairs would take 2.9 MiB at once
    tracemalloc.start()
    locating.locate(scores_QA, np.arange(300), np.arange(300))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * 2**20


def test_locate_compares_scores_in_their_own_precision():
    scores_QA = np.array([[1.0, 1.0 + 1e-9]])
    assert locating.locate(scores_QA, [0], [0]) == (1, 1)
    assert locating.locate(scores_QA.astype(np.float32), [0], [0]) == (0, 2)


def test_a_nan_score_is_refused_with_its_query_row():
    scores_QA = np.zeros((4, 3))
    scores_QA[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"query row 2 .*candidate 1"):
        locating.locate(scores_QA, [0], [0])


def test_blocks_of_queries_concatenate_to_the_whole():
    scores_QA, gains_QA = random_case(12, 6, ties=True)
    blocks = [places_of(scores_QA[s], gains_QA[s]) for s in (slice(0, 5), slice(5, 6), slice(6, 12))]
    whole = per_query(places_of(scores_QA, gains_QA))
    for name, value_Q in per_query(Places.concatenate(blocks)).items():
        np.testing.assert_array_equal(value_Q, whole[name])


def test_the_order_of_the_pairs_does_not_matter():
    scores_QA, gains_QA = random_case(12, 6, ties=True)
    query_P, answer_P = np.nonzero(gains_QA)
    mixed = np.random.default_rng(1).permutation(len(query_P))
    query_P, answer_P = query_P[mixed], answer_P[mixed]
    shuffled = Places(query_P, *locating.locate(scores_QA, query_P, answer_P), gains_QA[query_P, answer_P], 12, 6)
    for name, value_Q in per_query(places_of(scores_QA, gains_QA)).items():
        np.testing.assert_allclose(per_query(shuffled)[name], value_Q, rtol=1e-14)


def test_per_query_names_and_cutoffs(by_hand):
    names = ["accuracy@1", "accuracy@3", "accuracy@10", "map@3", "map@10", "mrr", "ndcg@10"]
    assert list(per_query(by_hand)) == names
    chosen = per_query(by_hand, accuracy_cutoffs=(2,), map_cutoffs=(), ndcg_cutoffs=(1, 5))
    assert list(chosen) == ["accuracy@2", "mrr", "ndcg@1", "ndcg@5"]
    with pytest.raises(TypeError, match="recall_cutoffs"):
        per_query(by_hand, recall_cutoffs=(1,))


def qrels_and_run(scores_QA, gains_QA):
    qrels = {f"q{q:02}": {f"a{a:02}": int(g) for a, g in enumerate(row) if g} for q, row in enumerate(gains_QA)}
    run = {f"q{q:02}": {f"a{a:02}": float(s) for a, s in enumerate(row)} for q, row in enumerate(scores_QA)}
    return qrels, run


def test_agrees_with_trec_eval_without_ties():
    pytrec_eval = pytest.importorskip("pytrec_eval")
    scores_QA, gains_QA = random_case(30, 15, ties=False)
    places = places_of(scores_QA, gains_QA)
    qrels, run = qrels_and_run(scores_QA, gains_QA)
    wanted = {"success_1,3,10", "recip_rank", "map_cut_3,10", "ndcg_cut_10"}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, wanted).evaluate(run)
    ours = {f"success_{k}": accuracy(places, k) for k in (1, 3, 10)}
    ours |= {f"map_cut_{k}": average_precision(places, k, denominator="R") for k in (3, 10)}
    ours |= {"recip_rank": reciprocal_rank(places), "ndcg_cut_10": ndcg(places, 10)}
    for name, value_Q in ours.items():
        np.testing.assert_allclose(value_Q, [theirs[q][name] for q in sorted(qrels)], atol=1e-12, err_msg=name)
    # The other denominator differs exactly where there are more relevant answers than the cut-off.
    differs_Q = ~np.isclose(average_precision(places, 3), average_precision(places, 3, denominator="R"))
    np.testing.assert_array_equal(differs_Q, (places.relevant_Q > 3) & (average_precision(places, 3) > 0))
    assert differs_Q.any()


@pytest.mark.slow  # numba compiles ranx for some 15 s
@pytest.mark.filterwarnings("ignore")
def test_agrees_with_ranx_without_ties():
    ranx = pytest.importorskip("ranx")
    scores_QA, gains_QA = random_case(30, 15, ties=False)
    places = places_of(scores_QA, gains_QA)
    qrels, run = qrels_and_run(scores_QA, gains_QA)
    names = ["hit_rate@1", "hit_rate@10", "mrr", "map@3", "map@10", "ndcg@10", "ndcg_burges@10"]
    theirs = ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), names, return_mean=False)
    ours = {f"hit_rate@{k}": accuracy(places, k) for k in (1, 10)}
    ours |= {f"map@{k}": average_precision(places, k, denominator="R") for k in (3, 10)}
    ours |= {"mrr": reciprocal_rank(places), "ndcg@10": ndcg(places, 10)}
    for name, value_Q in ours.items():
        np.testing.assert_allclose(value_Q, theirs[name], atol=1e-12, err_msg=name)
    assert not np.allclose(ndcg(places, 10), theirs["ndcg_burges@10"])


@pytest.mark.parametrize("ties", [False, True])
def test_ndcg_agrees_with_scikit_learn_with_ties_too(ties):
    metrics = pytest.importorskip("sklearn.metrics")
    scores_QA, gains_QA = random_case(20, 12, ties=ties)
    places = places_of(scores_QA, gains_QA)
    for k in (1, 5, 12):
        theirs_Q = [metrics.ndcg_score(g[None], s[None], k=k) for g, s in zip(gains_QA, scores_QA, strict=True)]
        np.testing.assert_allclose(ndcg(places, k), theirs_Q, atol=1e-12)


def test_average_precision_agrees_with_scikit_learn_without_ties_but_not_with_ties():
    metrics = pytest.importorskip("sklearn.metrics")
    for ties in (False, True):
        scores_QA, gains_QA = random_case(20, 12, ties=ties)
        ours_Q = average_precision(places_of(scores_QA, gains_QA), 12)
        theirs = metrics.label_ranking_average_precision_score(gains_QA > 0, scores_QA)
        if ties:  # each tied candidate takes the tie's last rank, and all relevant of the tie count: not an order
            assert abs(ours_Q.mean() - theirs) > 0.01
        else:
            np.testing.assert_allclose(ours_Q.mean(), theirs, atol=1e-12)
