"""Predicted ratings: each fault is told from what only looks like it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from whyrank.diagnosis.probes.ratings.imbalance import CLASS_AWARE
from whyrank.findings.records import Records

from ... import rated
from ..faults import TUNED, of, planted, with_finetune


@planted("constant-predictions", of("constant-predictions", *TUNED))
def equal_ratings(lab: Any, healthy: Records) -> Records:
    """Tuned systems rate the rows of one fold alike on one target."""
    rows = np.flatnonzero(rated.FOLD == 2)
    return rated.rated_otherwise(rated.with_ratings(healthy), *TUNED, rows=rows, columns=2, to=0.07)


@planted("fold-failed", of("fold-failed", *TUNED))
def lost_fold(lab: Any, healthy: Records) -> Records:
    """Tuned systems know nothing of the rows of one fold."""
    rows = np.flatnonzero(rated.FOLD == 3)
    return rated.rated_otherwise(rated.with_ratings(healthy), *TUNED, rows=rows, columns=slice(None), to="noise")


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


def test_a_constant_target_in_one_fold_is_a_warning_and_gets_a_class_aware_loss(lab, healthy, findings):
    found = findings(equal_ratings(lab, healthy))["constant-predictions", "base-tuned"]
    assert found.severity == "warning" and "the same rating in rare: 1 of 20 fold columns" in found.sentence
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
    fixed = {"finetune_rank.encoder_learning_rate": 1e-4, "finetune_rank.warmup_ratio": 0.1}
    assert findings(far)["fold-failed", "base-tuned"].fix.params == fixed


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


def test_a_ranking_that_was_not_trained_for_is_for_information(lab, sound, findings):
    tuned = lab.run(lab.vectors(0.47))
    runs = {name: replace(tuned, ratings=sound.runs[name].ratings) for name in TUNED}
    found = findings(replace(sound, runs=sound.runs | runs))
    assert set(found) == of("forgetting", *TUNED)
    one = found["forgetting", "base-tuned"]
    assert one.severity == "info" and one.sentence.startswith("Training without ranking made ")
