"""The learning rate: where the checks begin, and what they propose."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from whyrank.diagnosis.probes.training import learning_rate, steps
from whyrank.findings.records import Records

from ..faults import NOTHING, TUNED, flat, of, planted, unchanged, with_finetune, with_history
from ..ranking.test_collapse import collapse
from .test_training import too_little_training


@planted(
    "warmup-longer-than-training", of("warmup-longer-than-training", *TUNED) | of("tuning-brought-nothing", *TUNED)
)
def endless_warmup(lab: Any, healthy: Records, share: float = 0.1) -> Records:
    """The rate rises through all 400 steps, up to `share` of its peak, and little is learned."""
    step = np.arange(1, 401)
    spoilt = flat(with_history(healthy, rate_factor=share * step / 400, learning_rate=1e-3 * share * step / 400))
    return unchanged(lab, spoilt)


@planted("no-warmup-spike", of("no-warmup-spike", *TUNED) | of("tuning-brought-nothing", *TUNED))
def spike(lab: Any, healthy: Records, height: float = 3.0, gradient: float = 20.0) -> Records:
    """The loss jumps at the fifth step and comes down again; what it took from the ranking does not come back."""
    loss = healthy.finetune["base"].history["loss"].to_numpy().copy()
    norm = np.full(len(loss), 2.0)
    loss[4:8] += height
    norm[3:6] = gradient
    return unchanged(lab, flat(with_history(healthy, loss=loss, gradient_norm=norm)))


# What was lost shows in the ranking.
@planted(
    "learning-rate-too-high",
    of("learning-rate-too-high", *TUNED) | of("worse-than-zero-shot", *TUNED) | of("worse-than-lexical", *TUNED),
)
def long_steps(lab: Any, healthy: Records, loss: float = 3.6) -> Records:
    """The losses settle at or above their start, and the ranking is lost."""
    done = np.arange(1, 401) / 400
    course = 3.0 + (loss - 3.0) * np.minimum(1, 8 * done)
    losses = dict.fromkeys(("loss", "rank_loss", "similarity_loss"), course)
    spoilt = flat(with_history(healthy, **losses, moved_block_5=0.8 * done), end=0.15)
    tuned = lab.run(lab.vectors(0.6))
    return lab.spoil(spoilt, base_tuned=tuned, barlow_tuned=tuned)


def test_a_warmup_whose_end_the_run_lived_to_see_is_not_too_long(healthy, findings):
    step = np.arange(1, 401)
    assert findings(with_history(healthy, rate_factor=np.minimum(1, step / 400))) == {}
    assert findings(with_history(healthy, rate_factor=np.minimum(1, (401 - step) / 200))) == {}
    # Half of the steps, then down again.
    assert findings(with_history(healthy, rate_factor=np.minimum(step, 401 - step) / 401)) == {}


@pytest.mark.parametrize(("progress", "speaks"), [(1.0, True), (0.5, True), (0.05, False)])
def test_a_run_that_patience_ended_in_a_short_warmup_is_not_blamed_on_the_warmup(progress, speaks, healthy, findings):
    # 400 steps of a warm-up of 500, of 400, 800 or 8,000 planned.
    step = np.arange(1, 401)
    spoken = findings(with_history(healthy, rate_factor=step / 501, progress=progress * step / 400))
    assert set(spoken) == (of("warmup-longer-than-training", *TUNED) if speaks else set())


def test_a_warmup_that_reached_most_of_the_peak_does_not_explain_that_little_was_learned(lab, healthy, findings):
    short, near = (findings(endless_warmup(lab, healthy, share)) for share in (0.49, 0.9))
    assert set(short) == of("warmup-longer-than-training", *TUNED) | NOTHING
    assert set(near) == NOTHING | of("warmup-longer-than-training", *TUNED) | of("underfitted", *TUNED)
    assert short["warmup-longer-than-training", "base-tuned"].fix.params == {"finetune_rank.warmup_ratio": 0.1}


@pytest.mark.parametrize(("height", "gradient"), [(0.2, 20.0), (3.0, 5.9)])
def test_a_low_rise_or_ordinary_gradients_are_no_spike(height, gradient, lab, healthy, findings):
    assert set(findings(spike(lab, healthy, height, gradient))) == of("underfitted", *TUNED) | NOTHING


def test_a_spike_after_a_warmup_is_not_blamed_on_a_missing_one(lab, healthy, findings):
    factor = np.minimum(1, np.arange(1, 401) / 40)
    assert set(findings(with_history(spike(lab, healthy), rate_factor=factor))) == of("underfitted", *TUNED) | NOTHING


def test_a_spike_that_training_got_over_is_not_spoken_of(lab, healthy, findings):
    history = spike(lab, healthy).finetune["base"].history
    assert findings(with_finetune(healthy, history=history)) == {}


@pytest.mark.parametrize(("loss", "speaks"), [(3.0, True), (2.9, False)])
def test_steps_are_too_long_only_where_no_loss_came_down(loss, speaks, lab, healthy, findings):
    spoken = {code for code, _ in findings(long_steps(lab, healthy, loss))}
    assert ("learning-rate-too-high" in spoken) is speaks
    # What fell is not short of steps.
    assert "underfitted" not in spoken


@pytest.mark.parametrize(("fall", "speaks"), [(0.05, True), (0.2, False)])
def test_in_noisy_batches_a_loss_that_fell_by_a_tenth_came_down(fall, speaks, lab, healthy, findings):
    # As from batches of two queries: the standard deviation is half of the loss.
    loss = 3.0 * (1 - fall) + 1.5 * np.where(np.arange(400) % 2 == 0, 1, -1)
    loss[0] = 3.0
    noisy = with_history(long_steps(lab, healthy), **dict.fromkeys(("loss", "rank_loss", "similarity_loss"), loss))
    assert ("learning-rate-too-high" in {code for code, _ in findings(noisy)}) is speaks


def test_an_objective_that_learned_clears_the_learning_rate(lab, healthy, findings):
    learnt = with_history(long_steps(lab, healthy), similarity_loss=np.linspace(10, 1, 400))
    assert "learning-rate-too-high" not in {code for code, _ in findings(learnt)}


def test_accuracy_within_noise_of_its_start_was_not_thrown_off(lab, healthy, findings):
    # Two standard errors of 0.62 over 200 training queries: 0.069; and four fifths of 0.62: 0.496.
    for end, speaks in ((0.48, True), (0.51, False)):
        spoken = findings(flat(long_steps(lab, healthy), end=end))
        assert (("learning-rate-too-high", "base-tuned") in spoken) is speaks


def test_the_fix_is_a_tenth_of_the_rates_and_a_warmup_where_there_was_none(lab, healthy, findings):
    spoilt, key = long_steps(lab, healthy), ("learning-rate-too-high", "base-tuned")
    tenth = {"finetune_rank.learning_rate": 1e-4}
    assert findings(spoilt)[key].fix.params == tenth | {"finetune_rank.warmup_ratio": 0.1}
    warmed = with_history(spoilt, rate_factor=np.minimum(1, np.arange(1, 401) / 40))
    assert findings(warmed)[key].fix.params == tenth


def test_where_the_vectors_collapsed_the_learning_rate_is_an_error_and_stands_first(lab, healthy, findings):
    spoken = findings(collapse(lab, long_steps(lab, healthy)))
    assert [code for code, _ in spoken][:2] == ["learning-rate-too-high"] * 2
    assert spoken["learning-rate-too-high", "base-tuned"].severity == "error"
    assert ("collapsed-embeddings", "base-tuned") in spoken


def test_histories_from_before_the_schedule_was_recorded_are_read_without_complaint(lab, healthy, findings):
    history = healthy.finetune["base"].history.drop(columns=["rate_factor", "progress"])
    assert findings(with_finetune(healthy, history=history)) == {}
    still = with_finetune(too_little_training(lab, healthy), history=history)
    assert set(findings(still)) == of("underfitted", *TUNED) | NOTHING


def test_single_steps_and_equal_losses_do_not_break_the_noise():
    assert learning_rate._noise(np.array([1.0])) > 0
    assert learning_rate._noise(np.array([1.0, 1.0, 1.0, 1.0])) == 0


def test_unchanged_systems_that_learned_nothing_are_underfitted(lab, healthy, findings):
    assert set(findings(unchanged(lab, flat(healthy)))) == of("underfitted", *TUNED) | NOTHING


def test_a_schedule_that_goes_above_its_peak_is_an_error(healthy, findings):
    found = findings(with_history(healthy, rate_factor=np.linspace(0.1, 20.0, 400)))
    assert {found["learning-rate-too-high", system].severity for system in TUNED} == {"error"}
    assert "by up to 20" in found["learning-rate-too-high", TUNED[0]].sentence


@pytest.mark.parametrize(("rate", "speaks"), [(0.05, True), (1e-3, False)])
def test_at_a_senseless_rate_a_dev_set_that_only_fell_tells_what_training_queries_do_not(rate, speaks, healthy):
    record = healthy.finetune["base"]
    looks = record.evaluations.assign(mrr_all=np.where(np.arange(len(record.evaluations)) == 0, 0.8, 0.5))
    own = replace(record, history=record.history.assign(learning_rate=rate), evaluations=looks)
    assert learning_rate.is_never_as_good(own)
    assert (bool(steps.too_long(own)) and learning_rate.is_never_as_good(own)) is speaks
    assert not learning_rate.is_never_as_good(replace(own, evaluations=looks.iloc[::-1]))


def test_steps_that_are_too_long_by_the_dev_set_alone_need_no_length_of_the_weights(healthy, findings):
    record = healthy.finetune["base"]
    looks = record.evaluations.assign(mrr_all=np.where(np.arange(len(record.evaluations)) == 0, 0.8, 0.5))
    others = [name for name in record.history if str(name).startswith("similarity")]
    history = record.history.drop(columns=["weight_norm", "shrink_cosine", *others], errors="ignore")
    own = replace(record, history=history.assign(learning_rate=0.05), evaluations=looks)
    found = findings(replace(healthy, finetune={"base": own, "barlow": own}))
    assert "never as good as before" in found["learning-rate-too-high", "base-tuned"].sentence
    assert "times as long" not in found["learning-rate-too-high", "base-tuned"].sentence


@pytest.mark.parametrize(("peak", "wanted"), [(0.3, 1e-3), (5e-3, 5e-4)])
def test_a_senseless_rate_comes_down_to_the_usual_one_and_another_to_its_tenth(peak, wanted, healthy):
    records = with_history(healthy, learning_rate=np.linspace(peak, 0, len(healthy.finetune["base"].history)))
    assert steps.calmer(records.finetune["base"]) == {"finetune_rank.learning_rate": wanted}
