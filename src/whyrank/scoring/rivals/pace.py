"""How fast texts are encoded, one way beside another."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from whyrank.model.encoder.encoder import TokenIds

# Texts of a round; rounds that alternate between the ways; single texts, of which the median is taken.
TEXTS, ROUNDS, SINGLE = 128, 3, 20


def side_by_side(ways: Mapping[str, Callable[[Sequence[TokenIds]], Any]], rows: Sequence[TokenIds]) -> dict[str, float]:
    """texts_per_s_<way> of many texts, the median of the rounds, and ms_per_text_<way> of one text at a time.

    A draw of `rows`; every way has the same. All rounds alternate, so that what else the machine does meets all.
    """
    drawn = [rows[i] for i in np.random.default_rng(0).permutation(len(rows))[:TEXTS]]
    single = drawn[:SINGLE]
    rates: dict[str, list[float]] = {name: [] for name in ways}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for encode in ways.values():
        encode(single[:2])  # a first call also sets up
    for _ in range(ROUNDS):
        for name, encode in ways.items():
            rates[name].append(len(drawn) / seconds(encode, drawn))
            times[name] += [1000 * seconds(encode, [row]) for row in single]
    return {
        **{f"texts_per_s_{name}": statistics.median(found) for name, found in rates.items()},
        **{f"ms_per_text_{name}": statistics.median(found) for name, found in times.items()},
    }


def seconds(encode: Callable[[Sequence[TokenIds]], Any], rows: Sequence[TokenIds]) -> float:
    start = time.perf_counter()
    encode(rows)
    return time.perf_counter() - start
