"""The tables of ratings against the measures they are made of, and against numbers worked by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whyrank.core import checksums, io
from whyrank.diagnosis.compare.ratings import by_fold, compare_ratings, undefined, wide
from whyrank.diagnosis.read import read_run, read_training
from whyrank.findings.records import TrainingRecord
from whyrank.measure.metrics.correlation import spearman
from whyrank.measure.significance.resampling import holm

from .. import rated

DRAWS = {"level": 0.95, "resamples": 200, "seed": 0}


@pytest.fixture(scope="module")
def sound(recorded):
    return rated.with_ratings(recorded)


@pytest.fixture(scope="module")
def found(sound):
    return compare_ratings(sound, **DRAWS)


def test_a_run_without_ratings_has_none_to_compare(recorded):
    assert compare_ratings(recorded, **DRAWS) is None


def test_the_mean_is_over_the_correlations_of_the_columns(found, sound):
    one = wide(sound.runs["base-tuned"].ratings)
    columns = [spearman(*pair).value for pair in zip(one.prediction_NT.T, one.label_NT.T, strict=True)]
    of_system = found.columns[found.columns["system"] == "base-tuned"]
    assert of_system["value"].tolist() == pytest.approx(columns)
    systems = found.systems.set_index("system")
    assert systems.loc["base-tuned", "value"] == pytest.approx(np.mean(columns))
    folds = [np.mean([spearman(part.prediction_NT[:, t], part.label_NT[:, t]).value for t in range(4)])
             for _, part in by_fold(one)]  # fmt: skip
    assert systems.loc["base-tuned", "fold_mean"] == pytest.approx(np.mean(folds))
    assert systems.loc["base-tuned", ["fold_low", "fold_high"]].tolist() == pytest.approx([min(folds), max(folds)])
    assert "bm25" not in systems.index and found.is_first
    assert (found.n_rows, found.n_groups, found.folds) == (300, 150, 5)


def test_bounds_enclose_their_values(found):
    for table, value in ((found.systems, "value"), (found.columns, "value"), (found.comparisons, "difference")):
        assert (table["low"] < table[value]).all() and (table[value] < table["high"]).all()


def test_targets_are_described_by_their_labels(found):
    rare = found.targets.set_index("target").loc["rare"]
    label_N = rated.labels()[:, 2]
    assert rare["n"] == 300 and rare["mean"] == pytest.approx(label_N.mean())
    assert rare["near_0"] == pytest.approx((label_N < 0.1).mean()) and rare["distinct"] == len(set(label_N))


def test_each_system_is_compared_with_each_floor_and_holm_corrects_the_table(found):
    pairs = set(found.comparisons[["a", "b"]].itertuples(index=False, name=None))
    tuned = {(a, b) for a in ("base-tuned", "barlow-tuned") for b in ("tfidf", "base")}
    assert tuned | {("base", "tfidf"), ("barlow", "tfidf"), ("barlow-tuned", "base-tuned")} <= pairs
    assert found.comparisons["p_holm"].tolist() == holm(found.comparisons["p"]).tolist()


def test_without_pretraining_its_copies_are_shown_and_not_compared(sound):
    plain = compare_ratings(replace(sound, barlow=TrainingRecord({}, pd.DataFrame())), **DRAWS)
    assert "barlow-tuned" in set(plain.systems["system"])
    assert set(plain.comparisons["a"]) == {"base-tuned", "base"} and len(plain.comparisons) == 3


def test_an_undefined_column_is_left_out_counted_and_named(sound):
    flat = rated.rated_otherwise(sound, "base-tuned", rows=np.arange(rated.ROWS), columns=1, to=0.5)
    found = compare_ratings(flat, **DRAWS)
    row = found.systems.set_index("system").loc["base-tuned"]
    others = found.columns[(found.columns["system"] == "base-tuned") & (found.columns["target"] != "helpful")]
    assert row["undefined"] == 1 and row["value"] == pytest.approx(others["value"].mean())
    assert undefined(found) == ["base-tuned on helpful: constant predictions"]


def test_a_system_that_orders_nothing_is_compared_with_none_and_the_reason_names_it(sound):
    flat = rated.rated_otherwise(sound, "base-tuned", rows=np.arange(rated.ROWS), columns=slice(None), to=0.5)
    found = compare_ratings(flat, **DRAWS)
    row = found.comparisons.set_index(["a", "b"]).loc["base-tuned", "base"]
    assert np.isnan(row["difference"]) and row["reason"] == "base-tuned: constant predictions"
    assert found.systems.set_index("system").loc["base-tuned", "undefined"] == 4


def test_the_order_of_the_recorded_rows_does_not_matter():
    table = rated.long(rated.predictions(1.0))
    shuffled = table.sample(frac=1, random_state=0).sort_values("target", kind="stable")
    one, other = wide(table), wide(shuffled)
    order = [other.targets.index(target) for target in one.targets]
    assert np.array_equal(one.prediction_NT, other.prediction_NT[:, order])
    assert np.array_equal(one.group_N, other.group_N) and np.array_equal(one.fold_N, other.fold_N)


def test_recorded_files_are_read_back_and_tables_without_rows_are_none(sound, tmp_path):
    run = sound.runs["base"]
    (tmp_path / "metrics").mkdir()
    io.write_json(tmp_path / "metrics/base.json", {})
    for name, table in (("queries", run.queries), ("top", run.top), ("ratings", run.ratings)):
        io.write_table(tmp_path / f"base/{name}.parquet", table)
    io.write_table(tmp_path / "base/ratings_layouts.parquet", run.rating_layouts.head(0))
    checksums.write(tmp_path / "base", [tmp_path / "metrics/base.json"])
    read = read_run(tmp_path / "base", tmp_path / "metrics/base")
    assert read.ratings.equals(run.ratings) and read.rating_layouts is None
    io.write_json(tmp_path / "tuning.json", {"steps_run": 400})
    io.write_table(tmp_path / "tuning/history.csv", rated.training().history)
    io.write_table(tmp_path / "tuning/rating_folds.csv", rated.training().rating_folds)
    checksums.write(tmp_path / "tuning", [tmp_path / "tuning.json"])
    training = read_training(tmp_path / "tuning")
    assert len(training.rating_folds) == 5 * 9 and training.is_for_ratings
