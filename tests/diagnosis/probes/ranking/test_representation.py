"""What vectors stand for: where the checks begin, and what they propose."""

from dataclasses import replace
from typing import Any

import numpy as np

from whyrank.findings.records import Records
from whyrank.measure.metrics import geometry

from ..faults import TUNED, of, planted


@planted("question-conversation-gap", of("question-conversation-gap", *TUNED) | of("source-hurts", *TUNED))
def types_apart(lab: Any, healthy: Records, apart: float = 1.2, worse: float = 0.42) -> Records:
    """Conversations lie `apart` from questions along one axis, and have `worse` noise where questions have 0.22."""
    axis = geometry.unit_rows(np.random.default_rng(1).standard_normal((1, lab.answer_AD.shape[1])))
    question_N1 = lab.is_question_N[:, None]
    query_ND = np.where(question_N1, lab.vectors(0.22), lab.vectors(worse))
    query_ND = query_ND + np.where(question_N1, 1, -1) * apart * 2 * axis
    tuned = lab.run(query_ND, lab.answer_AD - (lab.answer_AD @ axis.T) * axis)
    return lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned)


@planted("answer-mixes-questions", of("answer-mixes-questions", "data"))
def two_topics(lab: Any, healthy: Records, answers: int = 8) -> Records:
    """Before tuning, the first five queries of some answers are near one point, the other five near another."""
    query_ND, topic_TD = lab.vectors(0.40), geometry.unit_rows(np.random.default_rng(3).standard_normal((80, 64)))
    mixed = lab.own_N < answers
    topic_N = 2 * lab.own_N + np.arange(len(lab.own_N)) % 10 // 5
    query_ND[mixed] = (lab.answer_AD[lab.own_N] + topic_TD[topic_N] + 0.03 * lab.noise_ND)[mixed]
    run = lab.run(query_ND)
    return lab.spoil(healthy, base=run, barlow=run)


def test_a_gap_needs_both_a_worse_type_and_separate_regions(lab, healthy, findings):
    assert findings(types_apart(lab, healthy, worse=0.22)).keys() <= of("pretraining-helps", "barlow-tuned")
    assert findings(types_apart(lab, healthy, apart=0.0)).keys() == of("source-hurts", "base-tuned", "barlow-tuned")
    found = findings(types_apart(lab, healthy))["question-conversation-gap", "base-tuned"]
    assert found.sentence.startswith("base-tuned ranks conversations worse")
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
    assert findings(replace(spoilt, runs=runs)).keys() == of("source-hurts", *TUNED)
