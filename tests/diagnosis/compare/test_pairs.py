"""The tables of similarity against numbers worked by hand, and against the measures they are made of."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whyrank.core.prepared import STS_SETS
from whyrank.diagnosis.compare.pairs import compare_similarity, of_list, undefined
from whyrank.measure.metrics.correlation import spearman
from whyrank.measure.significance.statistics import resample_spearman

DRAWS = {"level": 0.95, "resamples": 200, "seed": 0}
NOISE = {"tfidf": 0.6, "base": 0.3, "base-tuned": 0.4}


def pairs_of(noise, sources, seed=0):
    """60 pairs of each (source, subset)."""
    random = np.random.default_rng(seed)
    parts = [
        pd.DataFrame({"source": source, "subset": subset, "label": np.arange(60) % 6 / 5}) for source, subset in sources
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(
        pair_id=[f"p{i}" for i in table.index], prediction=table["label"] + noise * random.normal(size=len(table))
    )


def with_pairs(recorded, *sources, noises=NOISE):
    runs = {
        name: replace(run, pairs=pairs_of(noises[name], sources, i) if name in noises else None)
        for i, (name, run) in enumerate(recorded.runs.items())
    }
    return replace(recorded, runs=runs)


@pytest.fixture(scope="module")
def several(recorded):
    return with_pairs(recorded, ("sts12", "a"), ("sts12", "b"), ("stsb", ""), ("mine", ""))


@pytest.fixture(scope="module")
def found(several):
    return compare_similarity(several, **DRAWS)


def test_lists_come_as_the_mean_then_each_source_with_the_mean_over_its_subsets(found):
    lists = found.systems.drop_duplicates("list").set_index("list")
    assert list(lists.index) == ["mean of 2 sets", "sts12", "sts12, mean of 2 subsets", "stsb", "mine"]
    assert lists["sets"].tolist() == [2, 1, 2, 1, 1] and lists["n_pairs"].tolist() == [180, 120, 120, 60, 60]
    assert found.headline == "mean of 2 sets"


def test_values_are_spearmans_correlations_and_the_mean_is_over_the_standard_sets_alone(several, found):
    values = found.systems.set_index(["list", "system"])["value"]
    pairs = several.runs["base"].pairs

    def of(rows):
        return spearman(rows["prediction"], rows["label"]).value

    for source in ("sts12", "stsb", "mine"):
        assert values[source, "base"] == of(pairs[pairs["source"] == source])
    assert values["mean of 2 sets", "base"] == pytest.approx((values["sts12", "base"] + values["stsb", "base"]) / 2)
    subsets = [of(pairs[pairs["subset"] == name]) for name in ("a", "b")]
    assert values["sts12, mean of 2 subsets", "base"] == pytest.approx(np.mean(subsets))
    assert ((found.systems["low"] < found.systems["value"]) & (found.systems["value"] < found.systems["high"])).all()


def test_differences_are_those_of_the_paired_test_and_holm_corrects_over_the_pairs_of_one_list(several, found):
    table = of_list(found, "stsb").set_index(["a", "b"])
    assert list(table.index) == [("base-tuned", "base"), ("base-tuned", "tfidf"), ("base", "tfidf")]
    assert table["role"].tolist() == ["base", "best lexical baseline", "best lexical baseline"]
    rows = {
        name: run.pairs[run.pairs["source"] == "stsb"] for name, run in several.runs.items() if run.pairs is not None
    }
    both = {name: rows[name]["prediction"] for name in ("base-tuned", "base")}
    pair = ("base-tuned", "base")
    alone = resample_spearman(both, rows["base"]["label"], np.arange(60), [pair], resamples=200, seed=0)
    expected, row = alone.comparison(*pair, 0.95), table.loc[pair]
    assert row["difference"] == expected.difference and row["low"] == pytest.approx(expected.low, abs=0.03)
    assert row["p"] == pytest.approx(expected.p_value, abs=0.1)  # other draws: each list has its own
    assert table["p_holm"].min() == pytest.approx(3 * table["p"].min())


def test_pairs_are_matched_by_id_and_systems_with_different_pairs_are_refused(several, found):
    run = several.runs["base"]
    shuffled = replace(several, runs=several.runs | {"base": replace(run, pairs=run.pairs.iloc[::-1])})
    again = compare_similarity(shuffled, **DRAWS)
    pd.testing.assert_frame_equal(again.comparisons, found.comparisons)
    fewer = replace(several, runs=several.runs | {"base": replace(run, pairs=run.pairs.head(50))})
    with pytest.raises(AssertionError, match="different test pairs"):
        compare_similarity(fewer, **DRAWS)


def test_a_collapsed_system_is_undefined_with_its_reason_on_every_list_that_it_enters(several):
    run = several.runs["base-tuned"]
    flat = run.pairs.assign(prediction=run.pairs["prediction"].where(run.pairs["source"] != "stsb", 0.7))
    table = compare_similarity(replace(several, runs=several.runs | {"base-tuned": replace(run, pairs=flat)}), **DRAWS)
    systems = table.systems.set_index(["list", "system"])
    assert np.isnan(systems.loc[("stsb", "base-tuned"), "value"])
    assert systems.loc[("stsb", "base-tuned"), "reason"] == "constant predictions"
    assert systems.loc[("mean of 2 sets", "base-tuned"), "reason"] == "stsb: constant predictions"
    assert undefined(table) == ["base-tuned on stsb: constant predictions"]
    differences = of_list(table, "stsb").set_index(["a", "b"])
    assert differences.loc[("base-tuned", "base"), "reason"] == "base-tuned: constant predictions"
    assert differences.loc[("base-tuned", "base"), ["difference", "low", "high", "p", "p_holm"]].isna().all()
    # Not counted in the family: one comparison is left.
    assert differences.loc[("base", "tfidf"), "p_holm"] == differences.loc[("base", "tfidf"), "p"]


def test_sets_of_the_users_own_have_a_mean_where_no_standard_set_is_tested(recorded):
    own = compare_similarity(with_pairs(recorded, ("one", ""), ("two", "")), **DRAWS)
    assert own.headline == "mean of 2 sets"
    single = compare_similarity(with_pairs(recorded, ("one", ""), ("stsb", "")), **DRAWS)
    assert list(single.systems["list"].unique()) == ["stsb", "one"] and single.headline == "stsb"


def test_all_seven_sets_are_the_published_average(recorded):
    seven = compare_similarity(with_pairs(recorded, *((name, "") for name in STS_SETS)), **DRAWS)
    assert seven.headline == "mean of 7 sets" and len(seven.systems["list"].unique()) == 8


def test_without_test_pairs_the_tables_are_empty_with_their_columns(recorded):
    nothing = compare_similarity(recorded, **DRAWS)
    assert nothing.headline == "" and nothing.systems.empty and nothing.comparisons.empty
    assert {"list", "value", "reason"} <= set(nothing.systems) and "p_holm" in nothing.comparisons


def test_the_same_records_give_the_same_tables(several, found):
    again = compare_similarity(several, **DRAWS)
    pd.testing.assert_frame_equal(again.systems, found.systems)
    pd.testing.assert_frame_equal(again.comparisons, found.comparisons)
