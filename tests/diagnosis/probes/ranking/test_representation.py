"""Vectors: where their probes begin to speak, and what they propose."""

from dataclasses import replace

import numpy as np

from whyrank.findings.records import Records
from whyrank.measure.metrics import geometry

from ..planted import ENCODERS, of, two_topics, types_apart


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


def test_rank_that_fell_to_the_number_of_answers_is_not_a_dimensional_collapse(healthy, findings):
    def rank(value: float) -> Records:
        run = healthy.runs["barlow-tuned"]
        run = replace(run, metrics=run.metrics | {"centred_effective_rank": value})
        return replace(healthy, runs=healthy.runs | {"barlow-tuned": run})

    assert findings(rank(4.1)) == {}
    # A tenth of 40 answers.
    assert set(findings(rank(3.9))) == of("dimensional-collapse", "barlow-tuned")


def test_a_gap_needs_both_a_worse_type_and_separate_regions(lab, healthy, findings):
    assert findings(types_apart(lab, healthy, worse=0.22)).keys() <= of("pretraining-helps", "barlow-tuned")
    assert findings(types_apart(lab, healthy, apart=0.0)) == {}
    found = findings(types_apart(lab, healthy))["question-conversation-gap", "base-tuned"]
    assert found.sentence.startswith("Conversations")
    assert found.interval is not None and found.interval[1] < 0


def test_fewer_mixed_answers_than_luck_allows_are_not_spoken_of(lab, healthy, findings):
    # 4 of 40 or more pass by luck in 14 of 100 experiments.
    assert findings(two_topics(lab, healthy, answers=4)) == {}


def test_geometry_that_evaluate_left_out_as_undefined_is_done_without(lab, healthy, findings):
    spoilt = types_apart(lab, healthy)
    undefined = {"type_probe_auc", "question_conversation_distance", "cluster_size"}
    runs = {
        name: replace(run, metrics={key: value for key, value in run.metrics.items() if key not in undefined})
        for name, run in spoilt.runs.items()
    }
    assert findings(replace(spoilt, runs=runs)) == {}
