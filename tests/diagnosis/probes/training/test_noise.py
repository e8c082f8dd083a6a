"""Vectors moved by a training, by noise, and not at all."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from whyrank.diagnosis.probes.training import noise
from whyrank.findings.records import Records, RunRecord

from ..faults import of, planted
from .test_reload import told

CODE, SYSTEM = "vectors-with-noise", "base-tuned"


def shaken(run: RunRecord, size: float) -> RunRecord:
    random, parts = np.random.default_rng(3), []
    for part_ND in (run.query_vectors, run.answer_vectors):
        assert part_ND is not None
        unit_ND = part_ND / np.linalg.norm(part_ND, axis=1, keepdims=True)
        parts.append((unit_ND + size * random.standard_normal(unit_ND.shape)).astype(np.float32))
    return replace(run, query_vectors=parts[0], answer_vectors=parts[1])


def foreign(healthy: Records, run: RunRecord) -> Records:
    """The tuned system comes as vectors of another tool."""
    options = dict(healthy.systems.options)
    options[SYSTEM] = replace(options[SYSTEM], kind="vectors")
    systems = replace(healthy.systems, options=options)
    return replace(healthy, systems=systems, runs=healthy.runs | {SYSTEM: run})


def with_like_texts(lab: Any, healthy: Records, move: Callable[[np.ndarray], np.ndarray]) -> Records:
    """Training queries, which nothing ranks, lie in close pairs, and the tuned system has them moved."""
    train = np.flatnonzero(healthy.data.queries["split"] == "train")
    start_ND, after_ND = (healthy.runs[name].query_vectors.copy() for name in ("base", SYSTEM))
    start_ND[train[1::2]] = start_ND[train[::2]] + 0.02 * lab.noise_ND[train[::2]]
    after_ND[train] = move(start_ND[train])
    base, tuned = (replace(healthy.runs[name], query_vectors=vector_ND)
                   for name, vector_ND in (("base", start_ND), (SYSTEM, after_ND)))  # fmt: skip
    return foreign(replace(healthy, runs=healthy.runs | {"base": base}), tuned)


def shake(vector_ND: np.ndarray) -> np.ndarray:
    return vector_ND + 0.05 * np.random.default_rng(3).standard_normal(vector_ND.shape)


def turn(vector_ND: np.ndarray) -> np.ndarray:
    width = vector_ND.shape[1]
    return vector_ND @ (np.eye(width) + 0.05 * np.random.default_rng(1).standard_normal((width, width)))


@planted(CODE, of(CODE, SYSTEM))
def noisy(lab: Any, healthy: Records) -> Records:
    return with_like_texts(lab, healthy, shake)


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


def test_a_shift_that_all_texts_share_is_no_training():
    start = like(0)
    noisy, shift_D = shaken(start, 0.05), np.full(32, 0.03)
    shifted = replace(noisy, query_vectors=noisy.query_vectors + shift_D, answer_vectors=noisy.answer_vectors + shift_D)
    together, _ = noise.movement(start, shifted, seed=0)
    assert together < noise.ALIKE


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


def test_vectors_that_a_training_moved_pass_and_our_own_do_not_apply(lab, healthy):
    assert told(CODE, with_like_texts(lab, healthy, turn))[SYSTEM].status == "passed"
    assert told(CODE, healthy)[SYSTEM].status == "not applicable"
