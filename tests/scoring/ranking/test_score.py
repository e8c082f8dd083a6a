"""Scores to a run: the metrics of every query against brute force, ties, blocks, and the run file."""

from itertools import pairwise, permutations

import numpy as np
import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.core.options.params import Evaluate
from whyrank.scoring.ranking import score as rank
from whyrank.scoring.ranking.representation import Vectors
from whyrank.scoring.search import embed, tiles

OPTIONS = Evaluate(accuracy_cutoffs=[1, 3], map_cutoffs=[3], ndcg_cutoffs=[3], stemmer="", keep=4, pair_tokens=128)

# 5 answers, 6 queries: several relevant answers, ties of relevant and irrelevant ones, one query not judged.
SCORES = np.array(
    [
        [0.9, 0.5, 0.5, 0.1, 0.0],  # q0: a1, untouched by its tie at the top, tied with a2
        [0.3, 0.3, 0.3, 0.3, 0.3],  # q1: all tied, a4
        [0.2, 0.8, 0.4, 0.8, 0.6],  # q2: a0 and a3, the second tied at the top
        [0.1, 0.2, 0.3, 0.4, 0.5],  # q3: not judged
        [-0.5, -0.1, -0.1, -0.1, -0.9],  # q4: a1, a2 and a4, all scores negative
        [0.7, 0.6, 0.5, 0.4, 0.3],  # q5: a0, no tie
    ],
    dtype=np.float32,
)
RELEVANT = {0: {1: 1.0}, 1: {4: 1.0}, 2: {0: 2.0, 3: 1.0}, 4: {1: 1.0, 2: 3.0, 4: 1.0}, 5: {0: 1.0}}


@pytest.fixture
def small(make_prepared):
    kinds = ["question", "conversation", "question", "question", "conversation", "question"]
    return make_prepared(
        [(f"a{i}", f"answer {i}") for i in range(5)],
        [(f"q{i}", kind, "test", "x") for i, kind in enumerate(kinds)],
        [(f"q{query}", f"a{answer}", gain) for query, gains in RELEVANT.items() for answer, gain in gains.items()],
    )


def lookup(query_Q):
    return SCORES[query_Q]


def by_brute_force(query):
    """Every metric as the mean over all orders that agree with the scores, counted position by position."""
    gains, sums, orders = RELEVANT[query], {}, 0
    for order in permutations(range(5)):
        if any(SCORES[query][one] < SCORES[query][two] for one, two in pairwise(order)):
            continue
        orders += 1
        hits = [gains.get(answer, 0.0) for answer in order]
        found = [i + 1 for i, gain in enumerate(hits) if gain > 0]
        ideal = sorted(gains.values(), reverse=True)[:3]
        values = {
            "accuracy@1": float(found[0] <= 1),
            "accuracy@3": float(found[0] <= 3),
            "map@3": sum((i + 1) / place for i, place in enumerate(found) if place <= 3) / min(3, len(found)),
            "mrr": 1 / found[0],
            "ndcg@3": sum(g / np.log2(i + 2) for i, g in enumerate(hits[:3]))
            / sum(g / np.log2(i + 2) for i, g in enumerate(ideal)),
        }
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + value
    return {name: value / orders for name, value in sums.items()}


def run(small, options=OPTIONS):
    return rank.rank(lookup, small, rank.queries_with_relevant(small, "test"), options)


def test_every_metric_agrees_with_brute_force_over_all_orders_of_the_ties(small):
    queries = run(small).queries.set_index("query_id")
    assert queries.index.tolist() == ["q0", "q1", "q2", "q4", "q5"]
    for query in RELEVANT:
        assert queries.loc[f"q{query}"][list(by_brute_force(query))].to_dict() == pytest.approx(by_brute_force(query))


def test_a_query_is_recorded_with_its_type_cluster_and_the_place_of_its_best_relevant_answer(small):
    queries = run(small).queries.set_index("query_id")
    assert queries["type"].tolist() == ["question", "conversation", "question", "conversation", "question"]
    assert queries["cluster"].tolist() == ["a1", "a4", "a0", "a1", "a0"]  # the first relevant answer
    assert queries["above"].tolist() == [1, 0, 0, 0, 0]
    assert queries["tied"].tolist() == [2, 5, 2, 3, 1]
    np.testing.assert_allclose(queries["score"], [0.5, 0.3, 0.8, -0.1, 0.7], atol=1e-6)
    np.testing.assert_allclose(queries["top_score"], [0.9, 0.3, 0.8, -0.1, 0.7], atol=1e-6)


@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_the_run_does_not_depend_on_how_many_queries_are_scored_at_a_time(small, monkeypatch, block):
    whole = run(small)
    monkeypatch.setattr(rank, "BLOCK", block)
    in_blocks = run(small)
    assert in_blocks.queries.equals(whole.queries)
    assert in_blocks.top.equals(whole.top)


def test_the_top_list_is_best_first_with_ties_in_the_order_of_the_corpus(small):
    top = run(small).top
    lists = top.groupby("query_id")["answer_id"].apply(list)
    assert lists["q0"] == ["a0", "a1", "a2", "a3"]
    assert lists["q1"] == ["a0", "a1", "a2", "a3"]
    assert lists["q2"] == ["a1", "a3", "a4", "a2"]
    assert lists["q4"] == ["a1", "a2", "a3", "a0"]
    assert top["rank"].tolist() == [1, 2, 3, 4] * 5
    assert top["query_id"].tolist() == np.repeat(["q0", "q1", "q2", "q4", "q5"], 4).tolist()
    np.testing.assert_allclose(top["score"].head(4), [0.9, 0.5, 0.5, 0.1], atol=1e-6)


def test_no_more_answers_are_kept_than_there_are(small):
    options = Evaluate([1], [3], [3], "", keep=100, pair_tokens=128)
    assert run(small, options).top.groupby("query_id").size().tolist() == [5] * 5


def test_a_collapsed_encoder_with_rounding_noise_comes_out_fully_tied_and_at_chance(make_prepared):
    answers, queries = 50, 40
    prepared = make_prepared(
        [(f"a{i}", str(i)) for i in range(answers)],
        [(f"q{i}", "question", "test", "x") for i in range(queries)],
        [(f"q{i}", f"a{i}", 1.0) for i in range(queries)],
    )
    random = np.random.default_rng(0)
    # Cosines of nearly equal unit vectors: 1 but for a few units in the last place of float32 (6e-8 each).
    noise = (1 + 6e-8 * random.integers(-4, 3, (queries, answers))).astype(np.float32)
    assert len(np.unique(noise)) > 3
    run = rank.rank(lambda query_Q: noise[query_Q], prepared, rank.queries_with_relevant(prepared, "test"), OPTIONS)
    assert (run.queries["tied"] == answers).all() and (run.queries["above"] == 0).all()
    assert run.queries["accuracy@1"].tolist() == pytest.approx([1 / answers] * queries)
    assert run.queries["mrr"].mean() == pytest.approx(np.sum(1 / np.arange(1, answers + 1)) / answers)  # H(50) / 50
    assert rank.summary(run.queries)["tied_share"] == 1.0


def ranked(make_prepared, scores, keep=4):
    """The run of rows of scores, the first answer relevant to all."""
    prepared = make_prepared(
        [(f"a{i}", str(i)) for i in range(scores.shape[1])],
        [(f"q{i}", "question", "test", "x") for i in range(len(scores))],
        [(f"q{i}", "a0", 1.0) for i in range(len(scores))],
    )
    options = Evaluate([1], [3], [3], "", keep, pair_tokens=128)
    return rank.rank(lambda query_Q: scores[query_Q], prepared, rank.queries_with_relevant(prepared, "test"), options)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e6])
def test_rounding_is_relative_to_the_largest_score_of_the_query_and_keeps_real_differences(make_prepared, scale):
    scores = scale * np.array([[1.0 - 1e-7, 1.0, 1.0 - 1e-5, -1.0], [1e-3 * (1 - 1e-5), 1e-3, 0.0, 5e-4]])
    run = ranked(make_prepared, scores.astype(np.float32))
    assert run.queries["above"].tolist() == [0, 1]  # 1e-7 of the largest is a tie, 1e-5 is not
    assert run.queries["tied"].tolist() == [2, 1]
    assert run.top["answer_id"].tolist() == ["a0", "a1", "a2", "a3", "a1", "a0", "a3", "a2"]
    assert run.top["score"].dtype == np.float64 and run.top["score"].iloc[-1] == 0.0
    assert run.queries["score"][0] == run.queries["top_score"][0] == run.top["score"][0] == run.top["score"][1]
    np.testing.assert_allclose(run.top["score"], -np.sort(-scores, axis=1).ravel(), rtol=2e-6, atol=0)


def test_the_largest_magnitude_counts_where_it_is_negative(make_prepared):
    run = ranked(make_prepared, np.array([[2e-7, 1e-7, 0.0, -1.0]], dtype=np.float32))
    assert (run.queries["above"][0], run.queries["tied"][0]) == (0, 3)
    assert run.top["answer_id"].tolist() == ["a0", "a1", "a2", "a3"]


def test_a_query_of_zeros_is_one_tie(make_prepared):
    run = ranked(make_prepared, np.zeros((2, 3), dtype=np.float32))
    assert run.queries["tied"].tolist() == [3, 3] and run.top["score"].tolist() == [0.0] * 6


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_refused_with_its_place(small, bad):
    scores = SCORES.copy()
    scores[2, 3] = bad
    with pytest.raises(ValueError, match="query row 2 and candidate 3 "):
        rank.rank(lambda query_Q: scores[query_Q], small, rank.queries_with_relevant(small, "test"), OPTIONS)


@pytest.mark.parametrize("stream", [7, 1000])
def test_scores_in_tiles_give_the_run_of_whole_rows(make_prepared, monkeypatch, stream):
    # Products of small whole numbers are exact, however they are summed.
    random = np.random.default_rng(0)
    vectors = Vectors(*(random.integers(-2, 3, (n, 8)).astype(np.float32) for n in (60, 500)))
    prepared = make_prepared(
        [(f"a{i}", str(i)) for i in range(500)],
        [(f"q{i}", ["question", "conversation"][i % 2], "test", "x") for i in range(60)],
        [(f"q{i}", f"a{a}", 1.0 + a % 3) for i in range(60) for a in random.choice(500, 1 + i % 4, replace=False)],
    )
    monkeypatch.setattr(rank, "STREAM", stream)
    monkeypatch.setattr(tiles, "COLUMNS", 90)
    score, test_Q = embed.Product(vectors, "dot"), rank.queries_with_relevant(prepared, "test")
    options = Evaluate([1, 3], [3, 10], [10], "", keep=20, pair_tokens=128)
    tiled, whole = (rank.rank(of, prepared, test_Q, options) for of in (score, lambda query_Q: score(query_Q)))
    pd.testing.assert_frame_equal(tiled.queries, whole.queries, rtol=1e-12)  # MRR sums ties of a block side by side
    assert tiled.top.equals(whole.top)
    assert whole.queries["tied"].max() > 20


def test_the_trec_file_gives_trec_eval_the_same_metrics_where_the_definitions_agree(make_prepared):
    # They agree without ties, with a run as long as the corpus; map_cut divides by R, ours by min(k, R): R <= k here.
    pytrec_eval = pytest.importorskip("pytrec_eval")
    random = np.random.default_rng(0)
    scores = random.permutation(30 * 20).reshape(30, 20).astype(np.float32) - 300
    gains = {
        q: {int(a): float(random.integers(1, 4)) for a in random.choice(20, 1 + q % 3, replace=False)}
        for q in range(30)
    }
    prepared = make_prepared(
        [(f"answer {i}", str(i)) for i in range(20)],  # ids with a space
        [(f"q{i}", "question", "test", "x") for i in range(30)],
        [(f"q{q}", f"answer {a}", gain) for q, of in gains.items() for a, gain in of.items()],
    )
    options = Evaluate([1, 3], [3, 10], [10], "", keep=100, pair_tokens=128)
    run = rank.rank(lambda query_Q: scores[query_Q], prepared, rank.queries_with_relevant(prepared, "test"), options)
    text = rank.trec(run.top, "base")
    assert text.splitlines()[0].split()[1::2] == ["Q0", "1", "base"] and len(text.splitlines()[0].split()) == 6
    qrels = {f"q{q}": {f"answer_{a}": int(gain) for a, gain in of.items()} for q, of in gains.items()}
    measures = {"success.1,3", "map_cut.3,10", "recip_rank", "ndcg_cut.10"}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(pytrec_eval.parse_run(text.splitlines(True)))
    names = {
        "accuracy@1": "success_1", "accuracy@3": "success_3", "map@3": "map_cut_3", "map@10": "map_cut_10",
        "mrr": "recip_rank", "ndcg@10": "ndcg_cut_10",
    }  # fmt: skip
    for row in run.queries.to_dict("records"):
        for ours, name in names.items():
            assert row[ours] == pytest.approx(theirs[row["query_id"]][name]), (row["query_id"], ours)


def test_the_summary_is_the_mean_over_all_and_by_type_with_the_number_of_queries(small):
    queries = run(small).queries
    numbers = rank.summary(queries)
    assert (numbers["n_all"], numbers["n_question"], numbers["n_conversation"]) == (5, 3, 2)
    by_query = {query: by_brute_force(query) for query in RELEVANT}
    assert numbers["mrr_all"] == pytest.approx(np.mean([by_query[q]["mrr"] for q in (0, 1, 2, 4, 5)]))
    assert numbers["ndcg@3_question"] == pytest.approx(np.mean([by_query[q]["ndcg@3"] for q in (0, 2, 5)]))
    assert numbers["accuracy@1_conversation"] == pytest.approx(np.mean([by_query[q]["accuracy@1"] for q in (1, 4)]))
    assert numbers["tied_share"] == 4 / 5  # all but q5
    questions = rank.summary(queries[queries["type"] == "question"])
    assert questions["n_conversation"] == 0 and not any(
        name.endswith("_conversation") for name in set(questions) - {"n_conversation"}
    )


def test_a_split_without_judged_queries_is_a_user_error(small):
    with pytest.raises(UserError, match=r"the dev split has no query .* prepare\.split\.dev"):
        rank.queries_with_relevant(small, "dev")
