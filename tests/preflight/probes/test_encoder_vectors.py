"""Vectors that are not their texts' own, in records."""

from typing import Any

import pytest

from whyrank.findings.records import Records

from ...diagnosis.probes.faults import of, planted
from .healthy_encoder import halves, repeats, specials
from .test_encoder_weights import outcome, with_encoder


@planted("vector-not-repeatable", of("vector-not-repeatable", "prepare"))
def dropout_left_on(lab: Any, healthy: Records) -> Records:
    return with_encoder(healthy, repeats=repeats(again=0.93))


@planted("vector-depends-on-batch", of("vector-depends-on-batch", "prepare"))
def mask_ignored(lab: Any, healthy: Records, **least: float) -> Records:
    return with_encoder(healthy, repeats=repeats(**least or {"regrouped": 0.8}))


@planted("word-order-ignored", of("word-order-ignored", "prepare"))
def positions_lost(lab: Any, healthy: Records, moved: float = 1e-7) -> Records:
    return with_encoder(healthy, halves=halves(moved=moved))


@planted("special-tokens-missing", of("special-tokens-missing", "prepare"))
def no_first_token(lab: Any, healthy: Records, pooling: str = "mean") -> Records:
    return with_encoder(healthy, specials=specials(begins=0.0, pooling=pooling))


@pytest.mark.parametrize(
    "code", ["vector-not-repeatable", "vector-depends-on-batch", "word-order-ignored", "special-tokens-missing"]
)
def test_a_healthy_encoder_passes_and_one_that_was_not_looked_at_does_not(code, healthy):
    assert outcome(code, with_encoder(healthy)).status == "passed"
    assert outcome(code, healthy).status in ("not applicable", "not enough data")


def test_another_rounding_in_another_batch_is_no_fault(lab, healthy, findings):
    assert findings(mask_ignored(lab, healthy, regrouped=0.9995, alone=0.9995, library=0.9999)) == {}


@pytest.mark.parametrize(("way", "said"), [("alone", "batch of its own"), ("library", "own forward pass")])
@pytest.mark.parametrize(("cosine", "severity"), [(0.995, "warning"), (0.9, "error")])
def test_the_way_that_differs_is_named(way, said, cosine, severity, lab, healthy, findings):
    records = mask_ignored(lab, healthy, **{way: cosine})
    found = findings(records)["vector-depends-on-batch", "prepare"]
    assert found.severity == severity and said in found.sentence


def test_an_untrained_encoder_that_hardly_minds_the_order_is_no_fault(lab, healthy, findings):
    assert findings(positions_lost(lab, healthy, moved=1e-4)) == {}


@pytest.mark.parametrize(("pooling", "severity"), [("mean", "warning"), ("cls", "error"), ("cls+mean", "error")])
def test_a_missing_token_is_an_error_where_it_is_read(pooling, severity, lab, healthy, findings):
    assert findings(no_first_token(lab, healthy, pooling))["special-tokens-missing", "prepare"].severity == severity


def test_a_doubled_token_is_said(healthy, findings):
    found = findings(with_encoder(healthy, specials=specials(doubled=1.0)))["special-tokens-missing", "prepare"]
    assert "only once" in found.sentence
