"""The temperature of a loss that was logged elsewhere."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from whyrank.diagnosis.probes.training import elsewhere
from whyrank.findings.records import BATCH, Records

from ..faults import of, planted
from .test_reload import told

CODE, SYSTEM = "flat-temperature", "base-tuned"


def logged(healthy: Records, scale: float, batch: int = 32) -> Records:
    """A log that begins with the losses of this scale, from other batches than those that are drawn to compare."""
    losses = elsewhere.losses_at(healthy.runs["base"], healthy.data.ranking, batch, seed=99)
    record = healthy.finetune["base"]
    loss = np.where(np.arange(len(record.history)) < 10, losses[scale], record.history["loss"])
    changed = replace(record, metrics=record.metrics | {BATCH: batch}, history=record.history.assign(loss=loss))
    return replace(healthy, finetune=healthy.finetune | {"base": changed})


@planted(CODE, of(CODE, SYSTEM))
def flat(lab: Any, healthy: Records) -> Records:
    return logged(healthy, 1.0)


def test_the_loss_is_that_of_plain_sums_and_at_scale_zero_chance(healthy, monkeypatch):
    monkeypatch.setattr(elsewhere, "SCALES", (0.0, 20.0))
    data, run = healthy.data.ranking, healthy.runs["base"]
    found = elsewhere.losses_at(run, data, 10**6, seed=0)
    pairs = data.relevant_in("train")
    assert found[0.0] == pytest.approx(np.log(len(pairs)))
    query_PD, answer_PD = run.query_vectors[pairs["query"]], run.answer_vectors[pairs["answer"]]
    cosine_PP = query_PD @ answer_PD.T
    cosine_PP /= np.linalg.norm(query_PD, axis=1)[:, None] * np.linalg.norm(answer_PD, axis=1)
    share_P = np.exp(20 * np.diag(cosine_PP)) / np.exp(20 * cosine_PP).sum(axis=1)
    assert found[20.0] == pytest.approx(-np.log(share_P).mean())


@pytest.mark.parametrize(("scale", "status"), [(2.0, "failed"), (20.0, "passed")])
def test_the_scale_is_read_off_the_first_losses(scale, status, healthy):
    found = told(CODE, logged(healthy, scale))[SYSTEM]
    assert getattr(found, "status", "failed") == status
    if status == "failed":
        assert f"scale) of {scale:g}" in found.sentence and "scale=20" in found.fix.action


def test_a_loss_that_a_steep_scale_gives_too_says_nothing_of_a_flat_one(healthy, monkeypatch):
    losses = dict.fromkeys(elsewhere.SCALES, 1.0) | {1.0: 3.0, 100.0: 3.09}
    record = healthy.finetune["base"]
    record = replace(record, metrics=record.metrics | {BATCH: 32}, history=record.history.assign(loss=3.0))
    records = replace(healthy, finetune=healthy.finetune | {"base": record})
    for steep, status in ((3.09, "passed"), (9.0, None)):
        monkeypatch.setattr(elsewhere, "losses_at", lambda *_, seed, steep=steep: losses | {100.0: steep})
        assert getattr(told(CODE, records)[SYSTEM], "status", None) == status


def test_a_log_of_another_loss_or_without_a_batch_size_does_not_apply(healthy):
    other = logged(healthy, 1.0)
    record = other.finetune["base"]
    high = replace(record, history=record.history.assign(loss=9.0))
    assert told(CODE, replace(other, finetune=other.finetune | {"base": high}))[SYSTEM].status == "not applicable"
    assert told(CODE, healthy)[SYSTEM].status == "not applicable"
