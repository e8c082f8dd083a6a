"""Ratings: a healthy run is passed in silence, and each fault is told from what only looks like it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from whyrank.diagnosis.compare.ratings import compare_ratings
from whyrank.diagnosis.probes.ratings.courses import course, late_share, rounds
from whyrank.preflight.probes.rating_labels import CLASS_AWARE

from ... import rated
from ..planted import (
    TUNED,
    another_pooling,
    equal_ratings,
    lost_fold,
    of,
    sides_apart,
    surface_dropped,
    wasted_tokens,
    with_finetune,
)

RISING = np.linspace(0, 1, 9)


@pytest.fixture(scope="module")
def sound(healthy):
    return rated.with_ratings(healthy)


def with_labels(records, change):
    """Other labels for every system; what was predicted stays."""
    runs = {
        name: run if run.ratings is None else replace(run, ratings=run.ratings.assign(label=change(run.ratings)))
        for name, run in records.runs.items()
    }
    return replace(records, runs=runs)


def test_a_healthy_run_is_examined_in_silence(sound, findings):
    assert findings(sound) == {}


def test_a_healthy_run_that_reads_the_sides_apart_without_loss_is_examined_in_silence(healthy, findings):
    assert findings(rated.with_ratings(healthy, is_separate=True)) == {}


def test_a_constant_target_in_one_fold_is_a_warning_and_gets_a_class_aware_loss(lab, healthy, findings):
    found = findings(equal_ratings(lab, healthy))["constant-predictions", "base-tuned"]
    assert found.severity == "warning" and "the same rating in rare: 1 of 20 columns of folds" in found.sentence
    weights = {key.split(".")[-2]: value for key, value in found.fix.params.items()}
    assert weights == {"weighted_bce": 1.0, "bce": 0.0, "focal": 0.0, "mse": 0.0}


def test_a_fold_without_any_order_is_an_error_of_both_kinds_and_gets_a_warmup(sound, findings):
    rows = np.flatnonzero(rated.FOLD == 1)
    found = findings(rated.rated_otherwise(sound, *TUNED, rows=rows, columns=slice(None), to=0.5))
    assert set(found) == of("constant-predictions", *TUNED) | of("fold-failed", *TUNED)
    assert {finding.severity for finding in found.values()} == {"error"}
    # The first step had the full rate.
    assert found["fold-failed", "base-tuned"].fix.params == {"finetune_rank.warmup_ratio": 0.1}
    assert found["constant-predictions", "base-tuned"].fix.params == {"finetune_rank.warmup_ratio": 0.1}


def test_a_fold_that_failed_after_a_warmup_gets_shorter_steps(lab, healthy, findings):
    spoilt = lost_fold(lab, healthy)
    history = spoilt.finetune["base"].history
    warmed = with_finetune(spoilt, history=history.assign(rate_factor=history["rate_factor"].replace(1.0, 0.03)))
    rates = {"finetune_rank.learning_rate": 3.3e-4, "finetune_rank.encoder_learning_rate": 3.3e-5}
    assert findings(warmed)["fold-failed", "base-tuned"].fix.params == rates


def test_a_fold_that_failed_at_a_rate_that_no_encoder_stands_gets_the_usual_one_and_a_warmup(lab, healthy, findings):
    spoilt = lost_fold(lab, healthy)
    history = spoilt.finetune["base"].history
    far = with_finetune(spoilt, history=history.assign(encoder_learning_rate=0.1))
    mended = {"finetune_rank.encoder_learning_rate": 1e-4, "finetune_rank.warmup_ratio": 0.1}
    assert findings(far)["fold-failed", "base-tuned"].fix.params == mended


def test_predictions_that_are_constant_because_their_training_labels_are_say_nothing(lab, healthy, findings):
    def without_rare(ratings):
        others = (ratings["target"] == "rare") & (ratings["fold"] != 2)
        return ratings["label"].where(~others, 0.0)

    assert findings(with_labels(equal_ratings(lab, healthy), without_rare)) == {}


def test_rounding_does_not_make_equal_ratings_differ(lab, healthy, findings):
    spoilt = equal_ratings(lab, healthy)
    noise = 1e-8 * np.random.default_rng(0).standard_normal(rated.ROWS * len(rated.TARGETS))
    runs = {name: replace(spoilt.runs[name], ratings=spoilt.runs[name].ratings) for name in TUNED}
    for name, run in runs.items():
        runs[name] = replace(run, ratings=run.ratings.assign(prediction=run.ratings["prediction"] + noise))
    assert set(findings(replace(spoilt, runs=spoilt.runs | runs))) == of("constant-predictions", *TUNED)


def test_ratings_that_are_no_numbers_are_told_and_not_averaged(sound, findings):
    rows = np.flatnonzero(rated.FOLD == 0)
    found = findings(rated.rated_otherwise(sound, *TUNED, rows=rows, columns=slice(None), to=float("nan")))
    assert found["constant-predictions", "base-tuned"].severity == "error"
    assert all(np.isfinite(evidence.value) for finding in found.values() for evidence in finding.evidence)


def test_a_fold_that_the_floor_rates_as_badly_is_a_hard_one_and_no_failure(lab, healthy, findings):
    spoilt = lost_fold(lab, healthy)
    rows = np.flatnonzero(rated.FOLD == 3)
    hard = rated.rated_otherwise(spoilt, "tfidf", "base", "barlow", rows=rows, columns=slice(None), to="noise")
    assert findings(hard) == {}


def test_where_ratings_are_all_that_was_trained_a_share_of_tokens_weighs_what_it_tells(lab, healthy, findings):
    both = wasted_tokens(lab, another_pooling(lab, rated.with_ratings(healthy)))
    found = findings(both)
    floors = compare_ratings(both, level=0.95, resamples=100, seed=7).systems.set_index("system")["fold_mean"]
    share = found["fixed-allocation-truncates", "ratings"].evidence
    points = 100 * (share[0].value - share[1].value) * floors.drop(list(TUNED)).max()
    assert found["fixed-allocation-truncates", "ratings"].weight == pytest.approx(points)
    # Measured in points of a ranking that nobody trained for.
    pooling = found["pooling-mismatch", "prepare"]
    assert pooling.weight == 0
    assert pooling.severity == "info"
    assert pooling.sentence.startswith("In ranking, for which nothing was trained: Pooled by")


@pytest.mark.parametrize(("separate", "speaks"), [(2.4, False), (2.41, False), (3.2, True)])
def test_sides_apart_speak_from_one_point_on(separate, speaks, lab, healthy, findings):
    found = findings(sides_apart(lab, healthy, separate))
    assert set(found) == (of("separate-encoders-lose-interaction", *TUNED) if speaks else set())


def test_a_joint_run_is_not_told_to_be_joint(lab, healthy, findings):
    spoilt = sides_apart(lab, healthy)
    assert findings(replace(spoilt, data=replace(spoilt.data, ratings=rated.prepared()))) == {}


def test_the_gain_of_reading_as_one_text_is_the_difference_of_the_means_with_its_interval(lab, healthy, findings):
    found = findings(sides_apart(lab, healthy))["separate-encoders-lose-interaction", "base-tuned"]
    joint, apart, difference = (evidence.value for evidence in found.evidence)
    assert difference == pytest.approx(100 * (joint - apart)) and found.weight == difference
    assert 1 < found.interval[0] < difference < found.interval[1]
    assert found.fix.params == {
        "prepare.ratings.layout": "joint",
        "finetune_rank.objectives.ratings.encoders": "one",
    }


def test_all_blocks_are_to_be_read_where_they_rate_better_than_the_last_and_than_what_was_tuned(lab, healthy, findings):
    one = findings(surface_dropped(lab, healthy))["last-block-drops-surface", "base-tuned"]
    assert one.fix.params == {"finetune_rank.objectives.ratings.layer_means": True}
    assert one.weight == pytest.approx(one.evidence[-1].value) and one.interval[0] > 0


def test_where_all_blocks_were_trained_the_last_ones_are_to_be_trained_alone(lab, healthy, findings):
    one = findings(surface_dropped(lab, healthy, moved_block_0=0.1))["last-block-drops-surface", "base-tuned"]
    assert one.fix.params["finetune_rank.train"] == "last"


@pytest.mark.parametrize(
    ("blocks", "columns"),
    # Better than the last block, but not than what was tuned on it; and what the layer reads already.
    [(2.0, {}), (1.0, {"ratings_layer_means": 6})],
)
def test_blocks_that_tuning_has_overtaken_or_reads_are_passed_in_silence(blocks, columns, lab, healthy, findings):
    assert findings(surface_dropped(lab, healthy, blocks, **columns)) == {}


def test_a_training_that_ended_while_both_curves_rose_together_is_underfitted(sound, findings):
    rising = rated.training(held_out=0.25, train=0.28, curve=RISING)
    spoilt = replace(sound, finetune=dict.fromkeys(("base", "barlow"), rising))
    found = findings(spoilt)
    assert set(found) == of("underfitted", *TUNED)
    assert "mean column Spearman on training rows was still rising: 0.00 at the start, 0.28" in (
        found["underfitted", "base-tuned"].sentence
    )
    # 400 batches of 16 of 240 rows were 26.7 rounds.
    assert found["underfitted", "base-tuned"].fix.params == {"finetune_rank.epochs": 80}


@pytest.mark.parametrize(("held_out", "train"), [(0.25, 0.45), (0.005, 0.35)])
def test_a_gap_or_a_level_held_out_curve_is_not_underfitting(held_out, train, sound, findings):
    curve = rated.training(held_out=held_out, train=train, curve=RISING)
    assert findings(replace(sound, finetune=dict.fromkeys(("base", "barlow"), curve))) == {}


def test_a_training_that_hardly_moved_is_underfitted_and_gets_longer_steps(sound, findings):
    still = rated.training(held_out=0.02, train=0.03)
    slow = replace(still, history=still.history.assign(learning_rate=2e-6, encoder_learning_rate=2e-7))
    found = findings(replace(sound, finetune=dict.fromkeys(("base", "barlow"), slow)))["underfitted", "base-tuned"]
    assert "had hardly moved" in found.sentence
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
    assert findings(both)["underfitted", "base-tuned"].fix.params == {"finetune_rank.epochs": 40}


@pytest.mark.parametrize(
    ("losses", "params"),
    [
        (["bce"], CLASS_AWARE),
        (["weighted_bce", "focal"], CLASS_AWARE),
        (["weighted_bce"], {"prepare.ratings.exclude": ["rare"]}),
    ],
)
def test_equal_ratings_under_a_class_aware_loss_have_their_target_left_out(losses, params, lab, healthy, findings):
    spoilt = equal_ratings(lab, healthy)
    history = spoilt.finetune["base"].history.assign(**{f"ratings_{name}_loss": 0.5 for name in losses})
    found = findings(with_finetune(spoilt, history=history))
    assert found["constant-predictions", "base-tuned"].fix.params == params


def test_targets_that_are_equal_in_one_fold_each_are_not_all_left_out(healthy, findings):
    rows = np.flatnonzero(np.less(rated.FOLD, len(rated.TARGETS)))
    spoilt = rated.rated_otherwise(rated.with_ratings(healthy), *TUNED, rows=rows, columns=rated.FOLD[rows], to=0.5)
    history = spoilt.finetune["base"].history.assign(ratings_weighted_bce_loss=0.5)
    found = findings(with_finetune(spoilt, history=history))["constant-predictions", "base-tuned"]
    assert found.evidence[0].value == len(rated.TARGETS)
    assert found.fix.params == {"finetune_rank.warmup_ratio": 0.1}


@pytest.mark.parametrize(
    ("budgets", "tokens"),
    [([26, 260, 223], {}), ([26, 260, 224], {"title": 25, "body": 259, "answer": 223}), ([26, 484, 510], None)],
)
def test_fields_that_one_text_has_no_room_for_share_what_there_is(budgets, tokens, lab, healthy, findings):
    spoilt = sides_apart(lab, healthy)
    fields = spoilt.data.tables["rating_fields"].assign(budget=budgets)
    tables = spoilt.data.tables | {"rating_fields": fields}
    found = findings(replace(spoilt, data=replace(spoilt.data, tables=tables)))
    params = found["separate-encoders-lose-interaction", "base-tuned"].fix.params
    shared = {name.removeprefix("prepare.ratings.tokens."): value for name, value in params.items() if "tokens" in name}
    assert shared == ({"title": 12, "body": 241, "answer": 254} if tokens is None else tokens)
    assert sum(shared.values()) <= 509


def test_a_training_that_knows_its_own_rows_less_than_a_floor_knows_unseen_ones_is_underfitted(sound, findings):
    rows = compare_ratings(sound, level=0.95, resamples=100, seed=7).systems.set_index("system")["fold_mean"]
    floor = rows[["tfidf", "base", "barlow"]].max()
    flat = rated.training(held_out=floor - 0.15, train=floor - 0.1)
    found = findings(replace(sound, finetune=dict.fromkeys(("base", "barlow"), flat)))
    assert set(found) == of("underfitted", *TUNED)
    one = found["underfitted", "base-tuned"]
    assert "had not come far" in one.sentence
    assert f", while {rows.drop(list(TUNED)).idxmax()} rates rows that it has not seen at {floor:.2f}." in one.sentence
    assert one.weight == pytest.approx(15, abs=0.5)
    above = rated.training(held_out=floor - 0.05, train=floor)
    assert findings(replace(sound, finetune=dict.fromkeys(("base", "barlow"), above))) == {}


def spiked(sound, train):
    record = rated.training(held_out=train, train=train)
    loss, norm = record.history["loss"].to_numpy().copy(), np.full(rated.STEPS, 2.0)
    loss[4:8] += 1.5
    norm[3:6] = 20.0
    spoilt = replace(record, history=record.history.assign(loss=loss, ratings_loss=loss, gradient_norm=norm))
    return replace(sound, finetune=dict.fromkeys(("base", "barlow"), spoilt))


def test_a_spike_without_warmup_is_told_where_ratings_never_got_over_it(sound, findings):
    found = findings(spiked(sound, 0.03))
    assert set(found) == of("no-warmup-spike", *TUNED)
    assert "mean column Spearman of training rows went from 0.00 to 0.03" in found["no-warmup-spike", TUNED[0]].sentence
    assert found["no-warmup-spike", "base-tuned"].fix.params == {"finetune_rank.warmup_ratio": 0.1}
    assert findings(spiked(sound, 0.6)) == {}


def below_words(healthy, **changes):
    return rated.with_ratings(healthy, noise={"base-tuned": 3.4, "barlow-tuned": 3.4}, **changes)


def test_ratings_below_those_of_words_are_told_instead_of_the_ranking_that_was_not_trained(healthy, findings):
    found = findings(below_words(healthy))
    assert set(found) == of("worse-than-lexical", *TUNED)
    one = found["worse-than-lexical", "base-tuned"]
    assert "of mean column Spearman below tfidf" in one.sentence and one.severity == "warning"
    assert one.weight == pytest.approx(-one.evidence[2].value) and one.interval[1] < 0
    assert one.fix.params == {"finetune_rank.train": "all"}


def test_the_causes_are_named_in_order_of_weight_and_mended_together(lab, healthy, findings):
    spoilt = below_words(healthy, is_separate=True)
    table = rated.layouts(separate=3.2)
    apart = {name: replace(spoilt.runs[name], rating_layouts=table) for name in ("base", "barlow")}
    rising = rated.training(held_out=0.15, train=0.16, curve=RISING)
    spoilt = replace(spoilt, runs=spoilt.runs | apart, finetune=dict.fromkeys(("base", "barlow"), rising))
    found = findings(spoilt)
    one = found["worse-than-lexical", "base-tuned"]
    causes = [found[code, "base-tuned"] for code in ("separate-encoders-lose-interaction", "underfitted")]
    named = ", ".join(cause.code for cause in sorted(causes, key=lambda cause: -cause.weight))
    assert one.cause.startswith(f"In order of weight: {named}. ")
    assert one.fix.params == causes[0].fix.params | causes[1].fix.params


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
    start = f"After 400 steps training had only begun: mean column Spearman over all rows is {value:.2f}, while barlow"
    assert one.sentence.startswith(start)
    way = rate * factor.sum() / 0.015
    assert values["sum of the learning rates over what learning takes"] == pytest.approx(way)
    assert one.fix.params["finetune_rank.learning_rate"] == pytest.approx(rate / way, rel=0.05)
    assert below.fix.params == one.fix.params and below.cause.startswith("In order of weight: underfitted. ")


def test_an_untuned_ridge_below_words_is_for_information(healthy, findings):
    found = findings(rated.with_ratings(healthy, noise={"base": 3.4, "barlow": 3.4}))
    assert set(found) == of("worse-than-lexical", "base", "barlow")
    assert {finding.severity for finding in found.values()} == {"info"}


def test_a_ranking_that_was_not_trained_for_is_for_information(lab, sound, findings):
    tuned = lab.run(lab.vectors(0.47))
    runs = {name: replace(tuned, ratings=sound.runs[name].ratings) for name in TUNED}
    found = findings(replace(sound, runs=sound.runs | runs))
    assert set(found) == of("forgetting", *TUNED)
    one = found["forgetting", "base-tuned"]
    assert one.severity == "info" and one.sentence.startswith("Training without ranking took ")


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
    assert rounds(sound.data, sound.finetune["base"]) == pytest.approx(400 * 16 / 240)
