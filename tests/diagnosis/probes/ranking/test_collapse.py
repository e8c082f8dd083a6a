"""Collapsed vectors: where the checks begin, and what they propose."""

from dataclasses import replace
from typing import Any

import numpy as np

from whyrank.findings.records import Records
from whyrank.measure.metrics import geometry

from ..faults import ENCODERS, TUNED, of, planted, with_params
from ..training.test_reload import told


# A collapsed system scores chance, below everything, and its scores are equal.
@planted(
    "collapsed-embeddings",
    of("collapsed-embeddings", *TUNED)
    | of("trained-at-chance", *TUNED)
    | of("ties-decide-the-metric", *TUNED)
    | of("score-scale-moved", *TUNED)
    | of("worse-than-lexical", *TUNED)
    | of("worse-than-zero-shot", *TUNED),
)
def collapse(lab: Any, healthy: Records) -> Records:
    """All vectors within rounding of one point."""
    point = np.ones((1, lab.answer_AD.shape[1]))
    tuned = lab.run(point + 1e-7 * lab.noise_ND, point + 1e-7 * lab.answer_AD)
    return lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned)


# 40 answers cannot be told apart along three directions.
@planted(
    "dimensional-collapse",
    of("dimensional-collapse", "barlow-tuned")
    | of("pretraining-hurts", "barlow-tuned")
    | of("score-scale-moved", "barlow-tuned")
    | of("worse-than-lexical", "barlow-tuned")
    | of("worse-than-zero-shot", "barlow-tuned"),
)
def flat_head(lab: Any, healthy: Records) -> Records:
    """Three directions of 64 are left."""
    keep = np.zeros(lab.answer_AD.shape[1])
    keep[:3] = 1
    return lab.spoil(healthy, barlow_tuned=lab.run(lab.vectors(0.3) * keep, lab.answer_AD * keep))


def test_a_collapsed_encoder_is_said_once_and_not_of_the_systems_that_start_from_it(lab, healthy, findings):
    point = np.ones((1, 64))
    collapsed = lab.run(point + 1e-7 * lab.noise_ND, point + 1e-7 * lab.answer_AD)
    found = findings(replace(healthy, runs=healthy.runs | dict.fromkeys(ENCODERS, collapsed)))
    assert [system for code, system in found if code == "collapsed-embeddings"] == ["base"]
    assert found["collapsed-embeddings", "base"].fix.params == {"encoder.pooling": "mean"}


def test_a_narrow_cone_that_still_ranks_is_not_called_collapsed(lab, healthy, findings):
    shift = 8 * geometry.unit_rows(np.random.default_rng(4).standard_normal((1, 64)))
    cone = lab.run(lab.vectors(0.15) + shift, lab.answer_AD + shift)
    assert cone.metrics["mean_off_pair_cosine"] > 0.95
    assert not {code for code, _ in findings(lab.spoil(healthy, base_tuned=cone))} & {"collapsed-embeddings"}


def test_a_system_without_a_new_head_is_told_to_take_shorter_steps(lab, healthy):
    flat = flat_head(lab, healthy)
    own = told("dimensional-collapse", with_params(flat))["barlow-tuned"]
    assert own.cause.startswith("Steps that were too long") and own.fix.params == {"finetune_rank.learning_rate": 1e-4}
    new = with_params(flat, finetune_rank__head__kind="mlp", finetune_rank__barlow_head="drop")
    own = told("dimensional-collapse", new)["barlow-tuned"]
    assert own.cause.startswith("A new head") and own.fix.params == {"finetune_rank.head.kind": "residual"}


def test_rank_that_fell_to_the_number_of_answers_is_not_a_dimensional_collapse(healthy, findings):
    def rank(value: float) -> Records:
        run = healthy.runs["barlow-tuned"]
        run = replace(run, metrics=run.metrics | {"centred_effective_rank": value})
        return replace(healthy, runs=healthy.runs | {"barlow-tuned": run})

    assert findings(rank(4.1)) == {}
    # A tenth of 40 answers.
    assert set(findings(rank(3.9))) == of("dimensional-collapse", "barlow-tuned")
