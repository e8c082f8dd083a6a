"""The comparison table against numbers worked by hand, and against the measures it is made of."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.diagnosis.compare.ranking import best_system, comparisons, system_table
from whyrank.findings.records import RunRecord
from whyrank.measure.significance.statistics import mean_interval, resample_means

DRAWS = {"level": 0.95, "resamples": 200, "seed": 0}


def run_of(values, types=None):
    """One query per value, two per answer, so that n queries make n / 2 clusters."""
    n = len(values)
    queries = {
        "query_id": [f"q{i}" for i in range(n)],
        "type": types or ["question"] * n,
        "cluster": [f"a{i // 2}" for i in range(n)],
        "accuracy@1": np.array(values, dtype=float),
    }
    return RunRecord({}, pd.DataFrame(queries), pd.DataFrame())


@pytest.fixture
def small(recorded):
    """base is right on 1 of 4, base-tuned on 3 of 4, tfidf on none, bm25 on 2 of 4."""
    types = ["question", "question", "conversation", "conversation"]
    values = {"tfidf": [0, 0, 0, 0], "bm25": [1, 1, 0, 0], "base": [1, 0, 0, 0], "base-tuned": [1, 1, 1, 0]}
    return replace(recorded, runs={name: run_of(hits, types) for name, hits in values.items()})


def test_system_table_has_the_means_worked_by_hand_for_every_type(small):
    table = system_table(small, **DRAWS).set_index(["system", "type"])
    assert table.loc[("base-tuned", "all"), "value"] == 3 / 4
    assert table.loc[("base-tuned", "question"), "value"] == 1
    assert table.loc[("base-tuned", "conversation"), "value"] == 1 / 2
    assert table["n"].tolist() == [4, 2, 2] * 4


def test_system_table_covers_every_recorded_metric_in_the_order_of_the_runs(recorded):
    table = system_table(recorded, **DRAWS)
    assert list(table["system"].drop_duplicates()) == ["tfidf", "bm25", "base", "barlow", "base-tuned", "barlow-tuned"]
    assert set(table["metric"]) == {"accuracy@1", "accuracy@3", "accuracy@10", "map@3", "map@10", "mrr", "ndcg@10"}
    assert len(table) == 6 * 3 * 7
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()


def test_intervals_resample_answers_not_queries(recorded):
    table = system_table(recorded, **DRAWS)
    chosen = table[(table["system"] == "base") & (table["type"] == "all") & (table["metric"] == "mrr")].iloc[0]
    queries = recorded.runs["base"].queries
    expected = mean_interval(queries["mrr"], queries["cluster"], resamples=200, seed=0)
    assert (chosen["low"], chosen["high"]) == (expected.low, expected.high)


def test_type_without_test_queries_has_no_row(small):
    only_questions = replace(small, runs={"base": run_of([1, 0, 1, 1])})
    assert system_table(only_questions, **DRAWS)["type"].tolist() == ["all", "question"]


def test_differences_worked_by_hand(small):
    table = comparisons(small, "accuracy@1", **DRAWS).set_index(["a", "b", "type"])["difference"]
    assert table[("base-tuned", "base", "all")] == 3 / 4 - 1 / 4
    assert table[("base-tuned", "base", "question")] == 1 - 1 / 2
    assert table[("base-tuned", "bm25", "all")] == 3 / 4 - 2 / 4
    assert table[("base", "bm25", "all")] == 1 / 4 - 2 / 4


def test_pairs_with_a_system_that_is_not_recorded_are_left_out(small):
    table = comparisons(small, "accuracy@1", **DRAWS)
    pairs = list(table[["a", "b"]].drop_duplicates().itertuples(index=False, name=None))
    assert pairs == [("base-tuned", "base"), ("base-tuned", "bm25"), ("base", "bm25")]


def test_all_seven_pairs_of_the_experiment_are_compared(recorded):
    table = comparisons(recorded, "accuracy@1", **DRAWS)
    assert len(table) == 7 * 3
    assert set(table.loc[table["role"] == "best lexical baseline", "b"]) == {
        best_system(recorded, "accuracy@1", ("tfidf", "bm25"))
    }


def test_queries_are_paired_by_id_not_by_row(small):
    shuffled = small.runs["base"].queries.iloc[::-1].reset_index(drop=True)
    runs = {**small.runs, "base": replace(small.runs["base"], queries=shuffled)}
    pd.testing.assert_frame_equal(
        comparisons(replace(small, runs=runs), "accuracy@1", **DRAWS), comparisons(small, "accuracy@1", **DRAWS)
    )


def test_systems_with_different_queries_cannot_be_compared(small):
    fewer = replace(small.runs["base"], queries=small.runs["base"].queries.head(3))
    with pytest.raises(AssertionError, match="different queries"):
        comparisons(replace(small, runs={**small.runs, "base": fewer}), "accuracy@1", **DRAWS)


def test_p_and_interval_are_those_of_the_paired_test(recorded):
    row = comparisons(recorded, "mrr", **DRAWS).iloc[0]
    tuned, base = recorded.runs["base-tuned"].queries, recorded.runs["base"].queries
    both = {"a": tuned["mrr"], "b": base["mrr"]}
    test = resample_means(both, tuned["cluster"], [("a", "b")], resamples=200, seed=0).comparison("a", "b", 0.95)
    assert (row["difference"], row["low"], row["high"], row["p"]) == pytest.approx(test)
    assert (row["n_queries"], row["n_clusters"]) == (len(tuned), tuned["cluster"].nunique())


def test_lower_level_gives_a_narrower_interval_around_the_same_difference(recorded):
    at_95 = comparisons(recorded, "mrr", **DRAWS)
    at_50 = comparisons(recorded, "mrr", **(DRAWS | {"level": 0.5}))
    assert (at_50["high"] - at_50["low"] < at_95["high"] - at_95["low"]).all()
    assert at_50["difference"].equals(at_95["difference"])


def test_holm_corrects_over_the_pairs_of_one_type(recorded):
    table = comparisons(recorded, "accuracy@1", **DRAWS)
    questions = table[table["type"] == "question"].sort_values("p")
    # Holm's smallest adjusted p is the smallest p times the size of its family: 7 pairs.
    assert questions["p_holm"].iloc[0] == pytest.approx(7 * questions["p"].iloc[0])
    assert (table["p_holm"] >= table["p"]).all()


def test_metric_that_was_not_evaluated_is_refused_with_the_choices(small):
    with pytest.raises(UserError, match=r"'accuracy@5', which was not evaluated; choose one of accuracy@1"):
        comparisons(small, "accuracy@5", **DRAWS)
