"""The vectors of the answers of another system in fewer bytes; those of queries stay as they are.

Shapes: Q queries · N queries of all splits · A answers · D features kept
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from whyrank.core import checksums, io
from whyrank.core.errors import UserError
from whyrank.core.options.systems import System
from whyrank.measure.metrics.geometry import unit_rows
from whyrank.scoring.tasks import Scored, Tasks


class Stored(NamedTuple):
    """answer_AD   float32, what a search reads back;  bits   of a feature"""

    answer_AD: np.ndarray
    bits: int


def int8(answer_AD: np.ndarray) -> Stored:
    """256 equal steps between the least and the largest value of each feature, as sentence-transformers takes them."""
    low_D, high_D = answer_AD.min(axis=0), answer_AD.max(axis=0)
    step_D = np.where(high_D > low_D, (high_D - low_D) / 255, 1)
    return Stored((np.rint((answer_AD - low_D) / step_D) * step_D + low_D).astype(np.float32), 8)


def binary(answer_AD: np.ndarray) -> Stored:
    """The sign of each feature, all of unit length: the query weighs them (Yamada et al. 2021, arXiv:2106.00882)."""
    return Stored(unit_rows(np.where(answer_AD > 0, 1.0, -1.0)).astype(np.float32), 1)


STORES: Mapping[str, Callable[[np.ndarray], Stored]] = {
    "float32": lambda answer_AD: Stored(answer_AD, 32),
    "float16": lambda answer_AD: Stored(answer_AD.astype(np.float16).astype(np.float32), 16),
    "int8": int8,
    "binary": binary,
}


def rescored(first_QA: np.ndarray, second_QA: np.ndarray, depth: int) -> np.ndarray:
    """(Q, A) scores: the `depth` best by the first ones have their second ones, and stand before all others.

    The others keep their order and their distances; of equal scores at the border the first answers count as better.
    """
    best_QK = np.argsort(-first_QA, axis=1, kind="stable")[:, :depth]
    second_QK = np.take_along_axis(second_QA, best_QK, axis=1)
    found_QA = first_QA.copy()
    np.put_along_axis(found_QA, best_QK, -np.inf, axis=1)
    # Further below than scores are apart that count as tied.
    gap_Q1 = 0.01 * np.abs(second_QK).max(axis=1, keepdims=True)
    below_Q1 = second_QK.min(axis=1, keepdims=True) - gap_Q1
    if depth < first_QA.shape[1]:
        found_QA += below_Q1 - found_QA.max(axis=1, keepdims=True)
    np.put_along_axis(found_QA, best_QK, second_QK, axis=1)
    return found_QA


def compressed(system: System, tasks: Tasks) -> Scored:
    """Rank by what is left of the vectors of another system. Raises UserError where they have fewer features."""
    folder = Path(system.made_of)
    checksums.verify(folder)
    query_ND, answer_AD = (io.read_array(folder / f"{side}_vectors.npy") for side in ("query", "answer"))
    width = answer_AD.shape[1]
    if system.dims > width:
        raise UserError(f"{folder}: its vectors have {width} features, fewer than `dims: {system.dims}`")
    kept = slice(system.dims or width)
    scale = unit_rows if system.similarity == "cosine" else np.asarray
    query_ND, answer_AD = (scale(side[:, kept]).astype(np.float32) for side in (query_ND, answer_AD))
    stored = STORES[system.store](answer_AD)
    again = int8(answer_AD) if system.rescore else Stored(answer_AD, 0)

    def score(query_Q: np.ndarray) -> np.ndarray:
        first_QA = query_ND[query_Q] @ stored.answer_AD.T
        if not system.rescore:
            return np.asarray(first_QA)
        return rescored(first_QA, query_ND[query_Q] @ again.answer_AD.T, system.rescore)

    features = answer_AD.shape[1]
    size = {"bytes": features * (stored.bits + again.bits) / 8, "bytes_before": width * 4}
    how = {"store": system.store, "features": features, **size}
    if system.rescore:
        how |= {"rescore": system.rescore, "bytes_searched": features * stored.bits / 8}
    geometry = {"features": features, "bytes_per_answer": size["bytes"]}
    return Scored(tasks.rank(score), others=tasks.rank_others(score), how=how, geometry=geometry)
