"""Barlow Twins by its own arithmetic: which views and which correlations are told to be faults."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from whyrank.diagnosis.examination import Examination
from whyrank.findings.probe import registered
from whyrank.findings.records import Records
from whyrank.training.barlow import losses
from whyrank.training.barlow.objective import first_look

from ..faults import of, planted

ROWS, FEATURES = 128, 128


def views(shared: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts of 128 answers that all have a direction in common, and with their answer as much as `shared`."""
    random = torch.Generator().manual_seed(0)
    answer_BD, common_1D = (torch.randn(n, FEATURES, generator=random) for n in (ROWS, 1))
    noise = [torch.randn(ROWS, FEATURES, generator=random) for _ in range(2)]
    return tuple(2 * common_1D + shared * answer_BD + noise_BD for noise_BD in noise)  # type: ignore[return-value]


def looked_at(healthy: Records, first_BD: torch.Tensor, second_BD: torch.Tensor, **more: float) -> Records:
    assert healthy.barlow is not None
    look = first_look(first_BD, second_BD, first_BD, second_BD)
    std = torch.cat([first_BD, second_BD]).std(0).mean().item()
    numbers = {"rows": ROWS, "distinct_answers": ROWS, "off_diagonal_rms": 0.2, "feature_std": std} | look | more
    return replace(healthy, barlow=replace(healthy.barlow, history=healthy.barlow.history.assign(**numbers)))


@planted("views-unrelated", of("views-unrelated", "pretrain_barlow"))
def shuffled_views(lab: Any, healthy: Records) -> Records:
    first_BD, second_BD = views(1.0)
    return looked_at(healthy, first_BD, second_BD.roll(7, 0))


@planted("few-views", of("few-views", "pretrain_barlow"))
def four_rows(lab: Any, healthy: Records) -> Records:
    return looked_at(healthy, *views(1.0), rows=4, distinct_answers=4)


@planted("correlation-impossible", of("correlation-impossible", "pretrain_barlow"))
def over_features(lab: Any, healthy: Records) -> Records:
    """Each row is standardised over its features, as a LayerNorm would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(losses, "_standardise", lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True))
        return looked_at(healthy, *views(1.0))


def told(code: str, records: Records) -> list[Any]:
    (probe,) = [one for one in registered("trained") if one.code == code]
    return list(probe.find(Examination(records, "accuracy@1", 0.95, 300, 0)))


@pytest.mark.parametrize("shared", [0.5, 1.0, 3.0])
def test_views_of_one_answer_and_the_right_arithmetic_pass(healthy, shared):
    records = looked_at(healthy, *views(shared))
    for code in ("views-unrelated", "correlation-impossible", "few-views"):
        assert [one.status for one in told(code, records)] == ["passed"]


def test_shuffled_views_are_named_with_both_cosines(lab, healthy):
    (found,) = told("views-unrelated", shuffled_views(lab, healthy))
    assert "do not belong together" in found.sentence and found.severity == "error"


def test_equal_views_are_a_fault_and_few_rows_tell_nothing(healthy):
    first_BD, second_BD = views(1.0)
    (found,) = told("views-unrelated", looked_at(healthy, first_BD, first_BD))
    assert "same text" in found.sentence
    few = looked_at(healthy, first_BD, second_BD.roll(7, 0), rows=8, distinct_answers=8)
    assert [one.status for one in told("views-unrelated", few)] == ["not enough data"]
    assert [one.status for one in told("views-unrelated", healthy)] == ["not applicable"]


@pytest.mark.parametrize(
    ("standardise", "words"),
    [
        (lambda x: x, "batch mean is not subtracted"),
        (lambda x: x - x.mean(0), "not divided by their standard deviation"),
    ],
)
def test_what_is_wrong_with_the_correlation_is_named(healthy, monkeypatch, standardise, words):
    monkeypatch.setattr(losses, "_standardise", standardise)
    first_BD, second_BD = views(1.0)
    (found,) = told("correlation-impossible", looked_at(healthy, 0.1 * first_BD, 0.1 * second_BD))
    assert words in found.sentence


def test_collapsed_vectors_are_no_wrong_arithmetic(healthy):
    first_BD, second_BD = views(1.0)
    records = looked_at(healthy, 1e-4 * first_BD, 1e-4 * second_BD)
    assert [one.status for one in told("correlation-impossible", records)] == ["passed"]
