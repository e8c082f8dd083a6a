"""Vectors moved by a training, by noise, and not at all."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from whyrank.diagnosis.probes.training import noise
from whyrank.findings.records import Records, RunRecord

from ..faults import of, planted
from .test_reload import told

CODE = "vectors-with-noise"


def shaken(run: RunRecord, size: float) -> RunRecord:
    random, parts = np.random.default_rng(3), []
    for part_ND in (run.query_vectors, run.answer_vectors):
        assert part_ND is not None
        unit_ND = part_ND / np.linalg.norm(part_ND, axis=1, keepdims=True)
        parts.append((unit_ND + size * random.standard_normal(unit_ND.shape)).astype(np.float32))
    return replace(run, query_vectors=parts[0], answer_vectors=parts[1])


@planted(CODE, of(CODE, "base-tuned"))
def noisy(lab: Any, healthy: Records, size: float = 0.002) -> Records:
    """The base's own vectors, shaken by so little that the lists stay as they are with those of the tuned system."""
    start, own = shaken(healthy.runs["base"], size), healthy.runs["base-tuned"]
    run = replace(own, query_vectors=start.query_vectors, answer_vectors=start.answer_vectors)
    return replace(healthy, runs=healthy.runs | {"base-tuned": run})


def like(seed: int, texts: int = 100) -> RunRecord:
    """Pairs of texts that lie close together."""
    random = np.random.default_rng(seed)
    centre_ND = np.repeat(random.standard_normal((texts // 2, 32)), 2, axis=0)
    vector_ND = (centre_ND + 0.3 * random.standard_normal((texts, 32))).astype(np.float32)
    return RunRecord({}, None, None, query_vectors=vector_ND[:60], answer_vectors=vector_ND[60:])  # type: ignore[arg-type]


def turned(run: RunRecord) -> RunRecord:
    """A training: one linear map for all texts."""
    map_DD = np.eye(32) + 0.1 * np.random.default_rng(1).standard_normal((32, 32))
    return replace(run, query_vectors=run.query_vectors @ map_DD, answer_vectors=run.answer_vectors @ map_DD)


def test_a_training_moves_like_texts_alike_and_noise_does_not():
    start = like(0)
    together, kept = noise.movement(start, turned(start), seed=0)
    assert together > 0.5 and kept < 0.95
    together, kept = noise.movement(start, shaken(start, 0.05), seed=0)
    assert abs(together) < noise.ALIKE and 0.9 < kept < 0.98


@pytest.mark.parametrize("size", [0.0, 1e-4])
def test_vectors_that_hardly_differ_say_nothing(size):
    assert noise.movement(like(0), shaken(like(0), size), seed=0) is None


def test_other_widths_few_like_texts_and_lists_without_vectors_say_nothing():
    start = like(0)
    assert noise.movement(start, replace(start, query_vectors=None), seed=0) is None
    narrow = replace(start, query_vectors=start.query_vectors[:, :8], answer_vectors=start.answer_vectors[:, :8])
    assert noise.movement(start, narrow, seed=0) is None
    apart = np.random.default_rng(0).standard_normal((100, 32))
    far = replace(start, query_vectors=apart[:60], answer_vectors=apart[60:])
    assert noise.movement(far, shaken(far, 0.05), seed=0) is None


def test_healthy_trainings_pass(healthy):
    found = told(CODE, healthy)
    assert {found[name].status for name in ("base-tuned", "barlow-tuned")} <= {"passed", "not applicable"}
