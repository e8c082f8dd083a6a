"""Gradients and what the steps make of them."""

from typing import Any

import numpy as np
import pytest

from whyrank.findings.records import AS_BEFORE, Records

from ..faults import TUNED, of, planted, with_finetune, with_history


@planted("gradient-grows", of("gradient-grows", *TUNED))
def not_zeroed(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, gradient_left=1.0)


@planted("gradient-vanishes", of("gradient-vanishes", *TUNED))
def no_gradient(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, gradient_norm=0.0)


@planted("clipped-throughout", of("clipped-throughout", *TUNED))
def clipped(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, clip_factor=1e-8, gradient_block_5=1e-11)


@planted("steps-against-gradient", of("steps-against-gradient", *TUNED))
def uphill(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, descent_cosine=-0.4)


@planted("weight-decay-undoes", of("weight-decay-undoes", *TUNED))
def decayed(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, shrink_cosine=0.8, weight_norm=0.9)


@planted("weights-in-half-precision", of("weights-in-half-precision", *TUNED))
def in_half(lab: Any, healthy: Records, share: float = 0.7) -> Records:
    """Most weights of a model from elsewhere are as before."""
    metrics = healthy.finetune["base"].metrics | {AS_BEFORE: share}
    return with_finetune(healthy, metrics=metrics)


@pytest.mark.parametrize(("share", "spoken"), [(0.49, False), (0.51, True)])
def test_half_of_the_weights_as_before_speaks(share, spoken, lab, healthy, findings):
    assert bool(findings(in_half(lab, healthy, share))) is spoken


@planted("updates-lost-in-rounding", of("updates-lost-in-rounding", *TUNED))
def half_precision(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, weights_changed=0.4)


@planted("learning-rate-jumps", of("learning-rate-jumps", *TUNED))
def zigzag(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, learning_rate=np.where(np.arange(400) % 2, 1e-3, 1e-5))


def test_a_norm_that_rises_step_by_step_is_a_warning(healthy, findings):
    found = findings(with_history(healthy, gradient_norm=np.linspace(1, 20, 400)))
    assert found["gradient-grows", "base-tuned"].severity == "warning"
    noisy = np.random.default_rng(0).uniform(1, 20, 400)
    assert ("gradient-grows", "base-tuned") not in findings(with_history(healthy, gradient_norm=noisy))


def test_a_gradient_that_goes_with_the_loss_has_not_vanished(healthy, findings):
    norm = np.geomspace(1, 1e-5, 400)
    solved = {"rank_loss": np.geomspace(3, 0.01, 400), "loss": np.geomspace(4, 0.01, 400)}
    assert ("gradient-vanishes", "base-tuned") not in findings(with_history(healthy, gradient_norm=norm, **solved))
    assert ("gradient-vanishes", "base-tuned") in findings(with_history(healthy, gradient_norm=norm, loss=4.0))


def test_clipping_that_leaves_adamw_enough_is_for_information(healthy, findings):
    spoilt = with_history(healthy, clip_factor=1e-4, gradient_block_5=1e-6)
    assert findings(spoilt)["clipped-throughout", "base-tuned"].severity == "info"
    assert ("clipped-throughout", "base-tuned") not in findings(with_history(healthy, clip_factor=0.1))


def test_steps_to_zero_that_take_nothing_off_are_no_decay(healthy, findings):
    still = with_history(healthy, shrink_cosine=0.8, weight_norm=1.0)
    assert ("weight-decay-undoes", "base-tuned") not in findings(still)


def test_an_optimiser_of_other_weights_is_named(healthy, findings):
    still = {
        "moved_block_5": 0.0,
        "weights_changed": 0.0,
        "update_block_5": 0.0,
        "gradient_left": 1.0,
        "descent_cosine": 0.0,
    }
    found = findings(with_history(healthy, **still))
    assert "it holds other weights" in found["nothing-moves", "base-tuned"].cause
    assert ("gradient-grows", "base-tuned") not in found


@pytest.mark.parametrize("rate", [np.linspace(1, 0, 400), np.minimum(np.arange(1, 401) / 40, 1), np.ones(400)])
def test_a_schedule_that_rises_falls_or_rests_is_one(rate, healthy, findings):
    assert ("learning-rate-jumps", "base-tuned") not in findings(with_history(healthy, learning_rate=1e-3 * rate))


def test_a_rate_of_zero_for_most_steps_is_named(healthy, findings):
    rate = np.where(np.arange(400) < 100, 1e-3, 0.0)
    assert "below 1 % of its peak in 75 %" in findings(with_history(healthy, learning_rate=rate))[
        "learning-rate-jumps", "base-tuned"
    ].sentence  # fmt: skip


def test_weights_twice_as_long_are_steps_too_long(healthy, findings):
    from ..faults import flat

    found = findings(flat(with_history(healthy, weight_norm=5.0), 0.62, 0.7))
    assert "5.0 times as long" in found["learning-rate-too-high", "base-tuned"].sentence


@pytest.mark.parametrize(("end", "speaks"), [(0.7, False), (0.62, True), (0.5, True)])
def test_a_layer_on_a_frozen_encoder_grows_by_learning(end, speaks, healthy, findings):
    from ..faults import flat, with_finetune

    long = flat(with_history(healthy, weight_norm=2.1), 0.62, end)
    history = long.finetune["base"].history.drop(columns="moved_block_5").assign(moved_heads=1.9)
    assert (("learning-rate-too-high", "base-tuned") in findings(with_finetune(long, history=history))) is speaks
    # Weights that were trained before are not new.
    assert ("learning-rate-too-high", "base-tuned") in findings(long)


def test_rows_learnt_by_heart_at_a_rate_that_nothing_stands_are_steps_too_long(healthy, findings):
    from ..faults import flat, with_finetune

    def spoilt(best_step: int) -> Records:
        long = flat(with_history(healthy, weight_norm=5.0, learning_rate=0.5), 0.62, 0.99)
        return with_finetune(long, metrics={"steps_run": 400, "best_step": best_step})

    assert "never as good as before" in findings(spoilt(0))["learning-rate-too-high", "base-tuned"].sentence
    assert ("learning-rate-too-high", "base-tuned") not in findings(spoilt(400))
