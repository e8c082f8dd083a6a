"""Whether the figures of a run follow from its vectors, its lists and the judgements."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.ranking import by_lists, own_records
from whyrank.diagnosis.recount import half_precision as half_precision_of
from whyrank.diagnosis.recount import to_bfloat16, values
from whyrank.findings.probe import registered
from whyrank.findings.records import Records
from whyrank.measure.metrics import ranking

from ..faults import of, planted


@planted("metrics-do-not-follow", of("metrics-do-not-follow", "base-tuned"))
def counted_from_two(lab: Any, healthy: Records) -> Records:
    """The first rank counts as the second."""
    run = healthy.runs["base-tuned"]
    later = run.queries.assign(mrr=1 / (1 / run.queries["mrr"] + 1))
    return lab.spoil(healthy, base_tuned=replace(run, queries=later))


def reversed_lists(run):
    top = run.top.iloc[::-1].reset_index(drop=True)
    return replace(run, top=top.assign(rank=run.top["rank"].to_numpy()))


def permuted_ids(run):
    ids = sorted(run.top["answer_id"].unique())
    return replace(
        run, top=run.top.assign(answer_id=run.top["answer_id"].map(dict(zip(ids, np.roll(ids, 1), strict=True))))
    )


def dot_products(run):
    assert run.query_vectors is not None
    length_N = np.linalg.norm(run.query_vectors, axis=1)
    row = run.top["query_id"].str[1:].astype(int)
    return replace(run, top=run.top.assign(score=run.top["score"] * length_N[row]))


def beyond_one(run):
    """Lengths of the vectors of some queries are in the thousands, of others near 1."""
    row = run.top["query_id"].str[1:].astype(int)
    return replace(run, top=run.top.assign(score=run.top["score"] * np.exp(2.0 * (row % 9))))


def of_the_train_split(run):
    ids = [f"q{int(name[1:]) // 10 * 10:03d}" for name in run.queries["query_id"]]
    return replace(run, queries=run.queries.assign(query_id=ids))


def reversed_accuracy(run):
    return replace(run, queries=run.queries.assign(**{"accuracy@10": 1 - run.queries["accuracy@10"]}))


FAULTS = {
    reversed_lists: "not sorted by falling score",
    permuted_ids: "ids of the answers are permuted",
    dot_products: "dot products, the vectors were not normalised",
    beyond_one: "a cosine is at most 1",
    of_the_train_split: "none of the test split",
    reversed_accuracy: "accuracy@10 of 120 of 120 queries is not what its vectors give",
    lambda run: replace(run, queries=run.queries.iloc[:-20]): "20 of 120 judged test queries were dropped",
    lambda run: replace(
        run, metrics=run.metrics | {"mrr_all": 0.9 * run.queries["mrr"].mean()}
    ): "as if divided by 133",
}


@pytest.mark.parametrize("spoil", FAULTS)
def test_a_way_of_miscounting_is_named(spoil, lab, healthy):
    records = lab.spoil(healthy, base_tuned=spoil(healthy.runs["base-tuned"]))
    found = list(own_records.metrics_do_not_follow(Examination(records, "accuracy@1", 0.95, 300, 0)))
    assert [finding.system for finding in found] == ["base-tuned"]
    assert FAULTS[spoil] in found[0].sentence


def test_a_flipped_sign_of_the_scores_is_named(lab, healthy):
    run = healthy.runs["base-tuned"]
    exact = run.query_vectors / np.linalg.norm(run.query_vectors, axis=1, keepdims=True) @ lab.answer_AD.T
    worst_first = lab.scored(-exact)
    records = lab.spoil(healthy, base_tuned=replace(run, queries=worst_first.queries, top=worst_first.top))
    (found,) = own_records.metrics_do_not_follow(Examination(records, "accuracy@1", 0.95, 300, 0))
    assert "their sign is flipped" in found.sentence


def test_scores_of_very_unequal_size_are_not_taken_for_half_precision(healthy):
    run = healthy.runs["base-tuned"]
    assert half_precision_of(beyond_one(run))[0] == half_precision_of(run)[0] == ""


def test_a_lexical_system_is_counted_by_its_lists(lab, healthy):
    run = healthy.runs["bm25"]
    records = lab.spoil(healthy, bm25=replace(run, queries=run.queries.assign(mrr=run.queries["mrr"] / 2)))
    (found,) = own_records.metrics_do_not_follow(Examination(records, "accuracy@1", 0.95, 300, 0))
    assert found.system == "bm25" and "by the lists" in found.sentence


def test_equal_scores_that_go_on_beyond_the_list_are_left_aside(lab, healthy):
    run = healthy.runs["bm25"]
    right = healthy.data.qrels.set_index("query_id")["answer_id"]
    is_right = run.top["answer_id"] == run.top["query_id"].map(right)
    top = run.top.assign(answer_id=run.top["answer_id"].where(~is_right, healthy.data.answers["answer_id"].iloc[-1]))
    top = top.drop_duplicates(["query_id", "answer_id"])
    last = top.groupby("query_id")["score"].last()
    tied = run.queries.assign(score=run.queries["query_id"].map(last), **{"accuracy@10": 0.25}, mrr=0.1)
    records = lab.spoil(healthy, bm25=replace(run, top=top, queries=tied, metrics={}))
    assert by_lists.of_list_metrics(Examination(records, "accuracy@1", 0.95, 300, 0), records.runs["bm25"]) is None
    lower = replace(records.runs["bm25"], queries=tied.assign(score=tied["score"] - 1))
    assert by_lists.of_list_metrics(Examination(records, "accuracy@1", 0.95, 300, 0), lower) is not None


def outcomes(code: str, records: Records) -> list[Any]:
    (probe,) = [one for one in registered("trained") if one.code == code]
    return list(probe.find(Examination(records, "accuracy@1", 0.95, 300, 0)))


def test_a_healthy_run_passes_with_its_distance(healthy):
    told = outcomes("metrics-do-not-follow", healthy)
    assert {one.status for one in told} == {"passed"} and {one.measured.value for one in told} == {0.0}


def test_the_recount_agrees_with_the_metrics_on_random_ranks():
    random = np.random.default_rng(0)
    drawn = [random.permutation(np.arange(1, 21))[: random.integers(1, 4)] for _ in range(50)]
    row_P, rank_P = np.repeat(np.arange(50), [len(rank_R) for rank_R in drawn]), np.concatenate(drawn)
    gain_P = random.integers(1, 4, len(rank_P)).astype(float)
    places = ranking.Places(row_P, rank_P - 1, np.ones(len(rank_P), dtype=int), gain_P, 50, 20)
    # In another order of the pairs, and with a last query that has none.
    order = random.permutation(len(row_P))
    for name, value_Q in ranking.per_query(places).items():
        counted_Q = values(name, row_P[order], rank_P[order], gain_P[order], 51)
        assert counted_Q == pytest.approx([*value_Q, 0.0])
    assert np.isnan(values("recall@10", row_P, rank_P, gain_P, 50)).all()


@planted("ties-by-precision", of("ties-by-precision", "base-tuned"))
def half_precision(lab: Any, healthy: Records) -> Records:
    """The products of the vectors were rounded to bfloat16."""
    run = healthy.runs["base-tuned"]
    assert run.query_vectors is not None
    exact = run.query_vectors / np.linalg.norm(run.query_vectors, axis=1, keepdims=True) @ lab.answer_AD.T
    coarse = lab.scored(to_bfloat16(exact.ravel()).reshape(exact.shape))
    return lab.spoil(healthy, base_tuned=replace(run, queries=coarse.queries, top=coarse.top))


def test_half_precision_is_named_and_explains_the_scores_that_do_not_follow(lab, healthy, findings):
    found = findings(half_precision(lab, healthy))["ties-by-precision", "base-tuned"]
    assert "bfloat16" in found.sentence and found.layer == "evaluation"


@planted("other-definition", of("other-definition", "tfidf", "bm25", "base", "barlow", "base-tuned", "barlow-tuned"))
def unjudged(lab: Any, healthy: Records) -> Records:
    """Twelve test queries have no relevant answer, and are left out of every run."""
    ids = healthy.runs["base"].queries["query_id"].iloc[::10]
    qrels = healthy.data.qrels.assign(score=np.where(healthy.data.qrels["query_id"].isin(ids), 0.0, 1.0))
    runs = {
        name: replace(run, queries=run.queries[~run.queries["query_id"].isin(ids)],
                      top=run.top[~run.top["query_id"].isin(ids)].reset_index(drop=True))
        for name, run in healthy.runs.items()
    }  # fmt: skip
    return replace(healthy, data=replace(healthy.data, qrels=qrels), runs=runs)


def test_map_has_the_denominator_of_trec_eval_beside_ours(healthy):
    run = healthy.runs["base"]
    other = healthy.data.qrels.iloc[:-1].assign(answer_id=list(healthy.data.qrels["answer_id"].iloc[1:]))
    data = replace(healthy.data, qrels=pd.concat([healthy.data.qrels, other.assign(score=1.0)]).drop_duplicates())
    records = replace(healthy, data=data, runs={"base": run})
    case = Examination(records, "map@3", 0.95, 300, 0)
    (probe,) = [one for one in registered("trained") if one.code == "other-definition"]
    assert [one.status for one in probe.find(case)] == ["passed"]


@planted("score-scale-moved", of("score-scale-moved", "base-tuned"))
def shifted_scores(lab: Any, healthy: Records) -> Records:
    run = healthy.runs["base-tuned"]
    return lab.spoil(
        healthy, base_tuned=replace(run, queries=run.queries.assign(top_score=run.queries["top_score"] + 0.4))
    )


def test_the_threshold_of_the_same_precision_is_named(lab, healthy, findings):
    found = findings(shifted_scores(lab, healthy))["score-scale-moved", "base-tuned"]
    assert "instead of" in found.sentence and "precision" in found.sentence and found.severity == "info"
