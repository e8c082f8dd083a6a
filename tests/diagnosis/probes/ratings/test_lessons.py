"""Ratings that training ended too early for."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whyrank.diagnosis.compare.ratings import compare_ratings
from whyrank.diagnosis.probes.ratings.lessons import course, late_share, rounds

from ... import rated
from ..faults import TUNED, of, with_params


@pytest.fixture(scope="module")
def sound(healthy):
    return rated.with_ratings(healthy)


RISING = np.linspace(0, 1, 9)


def test_a_training_that_ended_while_both_curves_rose_together_is_underfitted(sound, findings):
    rising = rated.training(held_out=0.25, train=0.28, curve=RISING)
    spoilt = replace(sound, finetune=dict.fromkeys(("base", "barlow"), rising))
    found = findings(spoilt)
    assert set(found) == of("underfitted", *TUNED)
    assert "mean column Spearman on training rows was still rising (0.00 at the start, 0.28" in (
        found["underfitted", "base-tuned"].sentence
    )
    # 400 batches of 16 of 240 rows were 26.7 rounds.
    assert found["underfitted", "base-tuned"].fix.params == {"finetune_rank.epochs": 80, "finetune_rank.max_steps": 0}


@pytest.mark.parametrize(("held_out", "train"), [(0.25, 0.45), (0.005, 0.35)])
def test_a_gap_or_a_level_held_out_curve_is_not_underfitting(held_out, train, sound, findings):
    curve = rated.training(held_out=held_out, train=train, curve=RISING)
    assert findings(replace(sound, finetune=dict.fromkeys(("base", "barlow"), curve))) == {}


def test_a_training_that_hardly_moved_is_underfitted_and_gets_longer_steps(sound, findings):
    still = rated.training(held_out=0.02, train=0.03)
    slow = replace(still, history=still.history.assign(learning_rate=2e-6, encoder_learning_rate=2e-7))
    found = findings(replace(sound, finetune=dict.fromkeys(("base", "barlow"), slow)))["underfitted", "base-tuned"]
    assert "had hardly risen" in found.sentence
    assert found.fix.params == {"finetune_rank.learning_rate": 1e-3, "finetune_rank.encoder_learning_rate": 1e-4}


def test_a_rate_that_the_task_has_for_itself_is_the_one_that_is_changed(sound, findings):
    still = rated.training(held_out=0.02, train=0.03)
    slow = still.history.assign(learning_rate=2e-5, ratings_learning_rate=2e-5, encoder_learning_rate=2e-7)
    slowly = replace(sound, finetune=dict.fromkeys(("base", "barlow"), replace(still, history=slow)))
    found = findings(slowly)["underfitted", "base-tuned"]
    assert found.fix.params["finetune_rank.objectives.ratings.learning_rate"] == 1e-3
    assert found.fix.params["finetune_rank.encoder_learning_rate"] == 1e-4


def test_rounds_count_the_rows_with_labels_of_a_model_as_rows(sound, findings):
    rising = rated.training(held_out=0.25, train=0.28, curve=RISING)
    rising = replace(rising, history=rising.history.assign(ratings_pseudo_rows=8))
    rows = pd.concat([sound.data.ratings, sound.data.ratings.iloc[:240].assign(use="unlabelled", fold=-1)])
    both = replace(sound, data=replace(sound.data, ratings=rows), finetune=dict.fromkeys(("base", "barlow"), rising))
    # 400 batches of 16 of 240 rows, and as many without labels, were 13.3 rounds.
    assert findings(both)["underfitted", "base-tuned"].fix.params == {
        "finetune_rank.epochs": 40,
        "finetune_rank.max_steps": 0,
    }


def test_a_training_that_knows_its_own_rows_less_than_a_floor_knows_unseen_ones_is_underfitted(sound, findings):
    rows = compare_ratings(sound, level=0.95, resamples=100, seed=7).systems.set_index("system")["fold_mean"]
    floor = rows[["tfidf", "base", "barlow"]].max()
    flat = rated.training(held_out=floor - 0.15, train=floor - 0.1)
    found = findings(replace(sound, finetune=dict.fromkeys(("base", "barlow"), flat)))
    assert set(found) == of("underfitted", *TUNED)
    one = found["underfitted", "base-tuned"]
    assert "was still low" in one.sentence
    assert f", while {rows.drop(list(TUNED)).idxmax()} reaches {floor:.2f} on unseen rows." in one.sentence
    assert one.weight == pytest.approx(15, abs=0.5)
    above = rated.training(held_out=floor - 0.05, train=floor)
    assert findings(replace(sound, finetune=dict.fromkeys(("base", "barlow"), above))) == {}


@pytest.mark.parametrize(
    ("noise", "rate", "codes"),
    [
        ({"base-tuned": 3.4, "barlow-tuned": 3.4}, 2e-5, ["underfitted", "worse-than-lexical"]),
        ({"base-tuned": 3.4, "barlow-tuned": 3.4}, 1e-3, ["worse-than-lexical"]),
        ({}, 2e-5, []),
    ],
)
def test_a_few_short_steps_that_end_below_a_floor_are_a_beginning(noise, rate, codes, healthy, findings):
    # Few rows are known at once: training rows say nothing here, and held-out ones are in order within their folds.
    known = rated.training(held_out=0.35, train=0.6)
    factor = known.history["rate_factor"]
    short = known.history.assign(learning_rate=rate * factor, encoder_learning_rate=rate * factor / 10)
    records = rated.with_ratings(healthy, noise=noise)
    found = findings(replace(records, finetune=dict.fromkeys(("base", "barlow"), replace(known, history=short))))
    assert {code for code, _ in found} == set(codes)
    if "underfitted" not in codes:
        return
    one, below = found["underfitted", "base-tuned"], found["worse-than-lexical", "base-tuned"]
    values = {evidence.name: evidence.value for evidence in (*one.evidence, *below.evidence)}
    value = values["mean column Spearman of base-tuned"]
    start = f"over all rows is {value:.2f}, while barlow"
    assert one.sentence.startswith("Training ended too early: after 400 steps it had only begun: ")
    assert start in one.sentence
    way = rate * factor.sum() / 0.015
    assert values["sum of the learning rates, of what learning takes"] == pytest.approx(100 * way)
    assert one.fix.params["finetune_rank.learning_rate"] == pytest.approx(rate / way, rel=0.05)
    assert below.fix.params == one.fix.params and below.cause.startswith("Explained by `underfitted`. ")


def test_a_course_is_the_mean_over_the_folds_of_the_looks_that_all_had_and_undefined_is_nothing():
    record = rated.training()
    folds = pd.DataFrame(
        {"fold": [0, 0, 0, 1, 1], "step": [0, 10, 20, 0, 12], "ratings_spearman": [np.nan, 0.2, 0.4, 0.0, 0.3],
         "train_ratings_spearman": [np.nan, 0.3, 0.5, 0.1, 0.5]}
    )  # fmt: skip
    looks = course(replace(record, rating_folds=folds))
    assert looks.to_numpy() == pytest.approx(np.array([[0, 0, 0.05], [11, 0.25, 0.4]]))
    assert course(replace(record, rating_folds=pd.DataFrame(), evaluations=pd.DataFrame())).empty


def test_the_last_quarter_of_the_way_begins_where_the_rates_have_made_three_quarters_of_it():
    record = rated.training()
    step = np.arange(0, rated.STEPS + 1, rated.STEPS // 8)
    # A cosine has made 0.71 of its way after three eighths of the steps and 0.82 after half of them.
    assert late_share(record, step, 0.25) == 3
    level = replace(record, history=record.history.assign(rate_factor=1.0))
    assert late_share(level, step, 0.25) == 6


def test_rounds_count_the_rows_outside_the_recorded_fold(sound):
    assert rounds(sound, sound.finetune["base"]) == pytest.approx(400 * 16 / 240)
    summed = with_params(sound, finetune_rank__gradient_accumulation_steps=4)
    assert rounds(summed, sound.finetune["base"]) == pytest.approx(4 * 400 * 16 / 240)
