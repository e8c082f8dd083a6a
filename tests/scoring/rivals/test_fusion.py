"""Two rankings in one: worked by hand, by pytrec_eval, and the choices on the dev set."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from whyrank.core import checksums, io
from whyrank.core.errors import UserError
from whyrank.core.options.systems import System
from whyrank.scoring.rivals.fusion import Fusion, min_max, reciprocal_rank, z_score
from whyrank.scoring.rivals.sources import Lists
from whyrank.scoring.systems import score
from whyrank.scoring.tasks import KEPT

FUSION = {"kind": "fusion", "role": "rival", "made_of": "data/scores/encoder"}
ONE = Lists(np.array([4]), np.array([[0, 1]]), np.array([[3.0, 1.0]]))
OTHER = Lists(np.array([4]), np.array([[2, 1]]), np.array([[0.9, 0.5]]))


def keep(name, query_Q):
    """Take from the lists of an encoder all but those of some queries."""
    folder = Path("data/scores/encoder") / name
    table = io.read_table(folder / KEPT)
    with checksums.summed_folder(folder) as new:
        io.write_table(new / KEPT, table[table["query"].isin(query_Q)])


def test_scales_by_hand():
    score_QK = np.array([[4.0, 2.0, 2.0], [1.0, 1.0, 1.0]])
    np.testing.assert_allclose(min_max(score_QK), [[1, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(z_score(score_QK)[0], np.array([2, -1, -1]) / np.sqrt(2))
    np.testing.assert_allclose(reciprocal_rank(score_QK), [[1 / 61, 1 / 62.5, 1 / 62.5], [1 / 62] * 3])


def test_a_weighted_sum_and_reciprocal_ranks_by_hand_with_what_neither_kept_below():
    weighted = Fusion([ONE, OTHER], [0.25, 0.75], "weighted", "min-max", 4)(np.array([4]))
    np.testing.assert_allclose(weighted, [[0.25, 0, 0.75, -1]])
    ranks = Fusion([ONE, OTHER], [0.5, 0.5], "rrf", "min-max", 4)(np.array([4]))
    np.testing.assert_allclose(ranks[0, :3], [0.5 / 61, 1 / 62, 0.5 / 61], rtol=1e-6)
    assert ranks[0, 3] < 0 < ranks[0, :3].min()


def test_the_better_encoder_on_dev_is_fused_and_a_useless_one_gets_no_weight(tasks, make_vectors, leave):
    leave("poor", *make_vectors(5.0))
    leave("rich", *make_vectors(0.2))
    how = score(System(**FUSION), tasks).how
    assert how["systems"] == ["bm25", "rich"] and sum(how["weights"]) == pytest.approx(1)
    both = score(System(**FUSION, fuse="all", lexical="none"), tasks).how
    assert both["systems"] == ["poor", "rich"] and both["weights"] == [0.5, 0.5]
    named = score(System(**FUSION, of=["poor"]), tasks)
    assert named.how["systems"] == ["bm25", "poor"] and named.how["weights"][0] > 0.5
    with pytest.raises(UserError, match=r"^data/scores/encoder/gone does not exist; "):
        score(System(**FUSION, of=["gone"]), tasks)


def test_the_scores_of_a_system_that_was_taken_away_take_no_part(tasks, make_vectors, leave):
    leave("poor", *make_vectors(5.0))
    leave("taken-away", *make_vectors(0.2))
    systems = {"poor": "encoder", "bm25": "bm25"}
    assert score(System(**FUSION), replace(tasks, systems=systems)).how["systems"] == ["bm25", "poor"]
    # Of another kind by now: DVC leaves its scores of before.
    systems["taken-away"] = "served"
    assert score(System(**FUSION), replace(tasks, systems=systems)).how["systems"] == ["bm25", "poor"]


def test_lists_of_test_queries_alone_choose_nothing_and_stand_for_no_other_query(tasks, make_vectors, leave):
    test_Q, dev_Q = tasks.texts.rows("test"), tasks.texts.rows("dev")
    leave("one", *make_vectors(1.0))
    leave("two", *make_vectors(2.0))
    keep("two", test_Q)
    found = score(System(**FUSION, fuse="all"), tasks)
    assert found.how["dev_mrr"] is None and found.how["weights"] == pytest.approx([1 / 3] * 3)
    assert found.others.queries.empty and len(found.run.queries) == len(test_Q)
    best = score(System(**FUSION), tasks)
    assert best.how["systems"] == ["bm25", "one"] and set(best.others.queries["split"]) == {"dev", "train"}
    keep("one", np.union1d(test_Q, dev_Q[:2]))
    alone = score(System(**FUSION, of=["one"]), tasks)
    assert alone.others.queries["query_id"].tolist() == tasks.texts.queries["query_id"].iloc[dev_Q[:2]].tolist()


def test_a_list_is_never_given_to_a_query_that_has_none():
    for query in (3, 5):
        with pytest.raises(AssertionError, match=r"^a query without a list has no row"):
            ONE.at(np.array([4, query]))


@pytest.mark.parametrize("kind", ["tfidf", "bm25"])
def test_a_lexical_baseline_is_fused_by_its_own_dev_figure(tasks, leave, make_vectors, kind):
    leave("base", *make_vectors(1.0))
    baseline = score(System(kind, "baseline", "src"), tasks)
    with checksums.summed_folder(f"data/scores/{kind}/{kind}") as folder:
        io.write_table(folder / KEPT, baseline.kept(tasks.texts))
    found = score(System("fusion", "rival", f"data/scores/{kind}", lexical="none", fuse="all"), tasks)
    again = score(System("fusion", "rival", f"data/scores/{kind}", lexical=kind), tasks)
    for one in (found, again):  # alone, and with itself
        assert one.how["systems"] == [kind] and one.how["weights"] == [1.0] and one.analyser == baseline.analyser
    table = baseline.others.queries
    assert found.how["dev_mrr"] == pytest.approx(table[table["split"] == "dev"]["mrr"].mean(), abs=0.02)


@pytest.mark.parametrize("method", ["weighted", "rrf"])
def test_its_figures_are_those_of_pytrec_eval(tasks, make_vectors, leave, method):
    pytrec_eval = pytest.importorskip("pytrec_eval")
    leave("base", *make_vectors(1.0))
    scored = score(System(**FUSION, method=method), tasks)
    parts = scored.run.top.groupby("query_id")
    run = {query: dict(zip(part["answer_id"], part["score"], strict=True)) for query, part in parts}
    qrels = tasks.texts.qrels[tasks.texts.qrels["query_id"].isin(run)]
    judged = {query: {answer: 1} for query, answer in zip(qrels["query_id"], qrels["answer_id"], strict=True)}
    theirs = pytrec_eval.RelevanceEvaluator(judged, {"success.1", "ndcg_cut.3"}).evaluate(run)
    # Ties have no order there.
    ours = scored.run.queries[scored.run.queries["tied"] == 1].set_index("query_id")
    assert len(ours) > 10
    for query, row in ours.iterrows():
        assert row["accuracy@1"] == pytest.approx(theirs[query]["success_1"], abs=1e-4)
        assert row["ndcg@3"] == pytest.approx(theirs[query]["ndcg_cut_3"], abs=1e-4)
