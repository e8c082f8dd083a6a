"""When pretraining is told to be of no use, and when to have given features up."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from whyrank.findings.records import Records

from ..faults import of, planted, with_params
from .test_views import told

NAME = "pretrain_barlow"


def evaluated(healthy: Records, **columns: list[float]) -> Records:
    """Before and after pretraining, 384 features wide; an encoder in a cone where nothing else is said."""
    table = {"step": [0, 100], "view_agreement": [0.5, 0.6], "answer_rank": [200.0, 205.0],
             "answer_cosine": [0.75, 0.6]} | columns  # fmt: skip
    assert healthy.barlow is not None
    history = healthy.barlow.history.assign(features=384)
    return replace(healthy, barlow=replace(healthy.barlow, history=history, evaluations=pd.DataFrame(table)))


@planted("redundancy-weight-too-small", of("redundancy-weight-too-small", NAME))
def features_given_up(lab: Any, healthy: Records) -> Records:
    return with_params(
        evaluated(healthy, answer_rank=[221.0, 171.0], view_agreement=[0.58, 0.73]),
        pretrain_barlow__redundancy_weight=0.0005,
    )


@planted("encoder-already-tuned", of("encoder-already-tuned", NAME))
def open_and_aligned(lab: Any, healthy: Records) -> Records:
    return evaluated(healthy, answer_cosine=[0.28, 0.2], view_agreement=[0.7, 0.75])


@planted("pretraining-views-are-labels", of("pretraining-views-are-labels", NAME))
def labelled_views(lab: Any, healthy: Records) -> Records:
    return with_params(healthy, pretrain_barlow__views=["query-answer", "question-conversation"])


@pytest.mark.parametrize(
    ("columns", "settings"),
    [
        ({"answer_rank": [221.0, 171.0]}, {"redundancy_weight": "auto"}),
        ({"answer_rank": [221.0, 171.0]}, {"redundancy_weight": 0.05}),
        ({"answer_rank": [221.0, 215.0]}, {"redundancy_weight": 0.0005}),
    ],
)
def test_a_rank_that_falls_under_a_sound_weight_and_a_low_one_without_a_fall_are_no_fault(columns, settings, healthy):
    settings = {f"pretrain_barlow__{name}": value for name, value in settings.items()}
    records = with_params(evaluated(healthy, **columns), **settings)
    assert [one.status for one in told("redundancy-weight-too-small", records)] == ["passed"]


def test_the_fall_of_the_rank_is_told_with_both_numbers(lab, healthy):
    (found,) = told("redundancy-weight-too-small", features_given_up(lab, healthy))
    assert "221 to 171" in found.sentence and found.fix.params == {"pretrain_barlow.redundancy_weight": "auto"}
    assert found.evidence[1].value == pytest.approx(0.192)


@pytest.mark.parametrize(("cosine", "agreement"), [(0.7, 0.7), (0.3, 0.55)])
def test_a_cone_or_spans_far_from_their_answers_leave_something_to_learn(cosine, agreement, healthy):
    records = evaluated(healthy, answer_cosine=[cosine, 0.2], view_agreement=[agreement, 0.9])
    assert [one.status for one in told("encoder-already-tuned", records)] == ["passed"]


def test_one_view_without_labels_is_enough(healthy):
    records = with_params(healthy, pretrain_barlow__views=["query-answer", "deletion"])
    assert [one.status for one in told("pretraining-views-are-labels", records)] == ["passed"]


@pytest.mark.parametrize("code", ["redundancy-weight-too-small", "encoder-already-tuned"])
def test_a_pretraining_that_was_not_evaluated_tells_nothing(code, healthy):
    bare = replace(healthy, barlow=replace(healthy.barlow, evaluations=pd.DataFrame()))
    for records in (bare, replace(healthy, barlow=None)):
        assert [one.status for one in told(code, records)] == ["not applicable"]
