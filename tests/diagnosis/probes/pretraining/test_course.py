"""Barlow Twins by the course of its terms: a wrong target, views driven apart, a redundancy term that has it all."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from whyrank.findings.records import Records
from whyrank.training.barlow.losses import barlow_twins
from whyrank.training.barlow.objective import expected_loss

from ..faults import of, planted
from .test_views import told

STEPS = 40


def course(healthy: Records, start: float, end: float, **more: Any) -> Records:
    """The mean diagonal goes from `start` to `end`; the terms are those of a healthy run where not given."""
    diagonal = np.linspace(start, end, STEPS)
    columns = {"invariance": 0.5, "barlow_loss": 0.55, "expected_loss": 0.55, "redundancy_loss_share": 0.1,
               "redundancy_gradient_share": 0.03}  # fmt: skip
    assert healthy.barlow is not None
    history = healthy.barlow.history.iloc[[0] * STEPS].reset_index(drop=True)
    history = history.assign(**columns, step=range(1, STEPS + 1), mean_diagonal=diagonal).assign(**more)
    return replace(healthy, barlow=replace(healthy.barlow, history=history))


@planted("agreement-falls", of("agreement-falls", "pretrain_barlow"))
def driven_apart(lab: Any, healthy: Records) -> Records:
    return course(healthy, 0.3, 0.1)


@planted("redundancy-dominates", of("redundancy-dominates", "pretrain_barlow"))
def of_redundancy_alone(lab: Any, healthy: Records) -> Records:
    return course(healthy, 0.3, 0.3, redundancy_loss_share=0.99, redundancy_gradient_share=0.9)


def test_a_healthy_course_passes_and_few_steps_tell_nothing(healthy):
    records = course(healthy, 0.23, 0.32)
    for code in ("agreement-falls", "redundancy-dominates"):
        assert [one.status for one in told(code, records)] == ["passed"]
        few = replace(records, barlow=replace(records.barlow, history=records.barlow.history.head(4)))
        assert [one.status for one in told(code, few)] == ["not enough data"]


def test_a_heavy_redundancy_term_under_which_views_come_to_agree_is_no_fault(healthy):
    records = course(healthy, 0.2, 0.6, redundancy_loss_share=0.99, redundancy_gradient_share=0.9)
    assert [one.status for one in told("redundancy-dominates", records)] == ["passed"]


@pytest.mark.parametrize(
    ("loss", "cause"),
    # By feature: invariance 0.5, mean diagonal 0.3, redundancy 0.05; mean square of the diagonal 0.1.
    [(0.15, "wrong target"), (-0.45, "sign of the invariance"), (-0.55, "sign of the loss"), (5.0, "another weight")],
)
def test_a_loss_that_is_not_its_formula_says_what_it_is_instead(loss, cause, healthy):
    (found,) = told("agreement-falls", course(healthy, 0.3, 0.1, barlow_loss=loss))
    assert found.severity == "error" and cause in found.cause


def test_the_loss_computed_apart_is_the_loss():
    random = torch.Generator().manual_seed(0)
    first_BD, second_BD = (torch.randn(9, 5, generator=random) for _ in range(2))
    terms = barlow_twins(first_BD, second_BD, redundancy_weight=0.3)
    options = SimpleNamespace(objective="barlow", redundancy_weight=0.3)
    assert expected_loss(first_BD, second_BD, options) == pytest.approx(terms.loss.item(), rel=1e-5)


def test_pretraining_that_left_weights_many_times_as_long_went_too_fast(healthy):
    length = np.linspace(1.0, 70.0, STEPS)
    records = course(healthy, 0.3, 0.9, weight_norm=length, learning_rate=0.3)
    found = [one for one in told("learning-rate-too-high", records) if one.system == "pretrain_barlow"]
    assert [one.severity for one in found] == ["warning"] and "70 times as long" in found[0].sentence
    # The sum of its rates was so many times what learning takes.
    sound_rate = found[0].fix.params["pretrain_barlow.learning_rate"]
    assert sound_rate * records.pretraining.history["learning_rate"].sum() / 0.3 == pytest.approx(0.015, rel=0.05)
    sound = told("learning-rate-too-high", course(healthy, 0.3, 0.9, weight_norm=1.1, learning_rate=3e-4))
    assert [one.status for one in sound if one.system == "pretrain_barlow"] == ["passed"]
