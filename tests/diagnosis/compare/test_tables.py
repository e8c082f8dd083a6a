"""The shape that all comparisons share: which pairs there are, one row a family and system, Holm within a family."""

import numpy as np
import pytest

from whyrank.diagnosis.compare import tables
from whyrank.findings.systems import BEST_BASELINE
from whyrank.measure.significance.resampling import holm
from whyrank.measure.significance.statistics import resample_means

DRAWS = {"resamples": 200, "seed": 0}
PAIRS = {("a", "b"): "b", ("a", "words"): BEST_BASELINE}
COLUMNS = ["type", "a", "b", "role", "difference", "low", "high", "p", "p_holm", "n", "reason"]


def families(columns=1):
    random = np.random.default_rng(0)
    for name, n in (("all", 40), ("some", 20)):
        values = {system: random.random((n, columns)) + 0.2 * i for i, system in enumerate(("words", "b", "a"))}
        yield tables.Family({"type": name, "n": n}, resample_means(values, np.arange(n) // 2, list(PAIRS), **DRAWS))


def test_the_baseline_takes_its_place_and_a_pair_without_a_system_is_left_out():
    comparisons = [("a", "b"), ("a", BEST_BASELINE), ("b", "gone"), ("gone", BEST_BASELINE)]
    assert tables.roles(comparisons, ["a", "b", "words"], {BEST_BASELINE: "words"}) == PAIRS
    assert tables.roles(comparisons, ["a", "b"], {BEST_BASELINE: None}) == {("a", "b"): "b"}


def test_each_system_has_a_row_for_each_family_and_each_named_column_of_the_statistic():
    columns = ["type", "system", "statistic", "value", "low", "high", "n"]
    found = tables.system_table(families(2), columns, level=0.95, statistics=["mrr", "accuracy"])
    assert list(found) == columns and len(found) == 2 * 3 * 2
    row = found.set_index(["type", "system", "statistic"]).loc[("some", "a", "accuracy")]
    one = list(families(2))[1].resampled
    assert (row["value"], row["low"], row["high"]) == one.interval("a", 0.95, 1) and row["n"] == 20
    mean = tables.system_table(families(2), ["system", "value"], level=0.95)
    assert mean["value"].iloc[0] == pytest.approx(found["value"].iloc[:2].mean())


def test_holm_corrects_within_a_family():
    found = tables.difference_table(families(), PAIRS, COLUMNS, level=0.95)
    assert list(found) == COLUMNS and found["type"].tolist() == ["all", "all", "some", "some"]
    assert found["role"].tolist() == [*PAIRS.values()] * 2 and (found["difference"] > 0).all()
    for _, part in found.groupby("type"):
        assert part["p_holm"].tolist() == holm(part["p"]).tolist()


def test_a_table_without_rows_has_its_columns_and_numbers_are_floats():
    found = tables.difference_table(families(), {}, COLUMNS, level=0.95)
    assert list(found) == COLUMNS and found.empty and found["p"].dtype == float
