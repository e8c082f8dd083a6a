"""What a column holds, by its cells alone: ratings, or something else that could pass for them.

Shapes: N rows
"""

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from whyrank.data.files.cells import printable

# Half of the cells that are not empty: below, a column is text with some numbers in it; from there on, numbers with
# some bad cells.
MOSTLY = 0.5
# A scale of ratings has no more levels, or ends at 100; whole numbers beyond both count something.
LEVELS, PERCENT = 20, 100
# Characters on average from which a text is written, not chosen from a list; and rows that share a chosen one.
WRITTEN, SHARED = 40, 2
TEXT = ("address", "category", "constant_text", "free_text", "empty")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?:[/:]\S*)?", re.IGNORECASE)


class Verdict(NamedTuple):
    """kind   ratings | out_of_range | id | count, or one of `TEXT`
    why    what was found, to go on after the name of the column; empty for ratings
    row    the first that shows it, from 0; -1 where there is none to show
    """

    kind: str
    why: str = ""
    row: int = -1

    @property
    def is_text(self) -> bool:
        return self.kind in TEXT


def numbers(values: Sequence[Any]) -> np.ndarray:
    """(N,) float64: the finite number in each cell, NaN for all else."""
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: Any) -> float:
    try:
        number = math.nan if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _is_empty(value: Any) -> bool:
    """Also NaN, which Parquet may hold for a missing number."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or not str(value).strip()


def judge(values: Sequence[Any], number_N: np.ndarray) -> Verdict:
    """What the column holds; cells that are no numbers among numbers are left to the caller.

    values   the cells;  number_N   `numbers` of them
    """
    known = number_N[np.isfinite(number_N)]
    texts = [(row, str(value).strip()) for row, value in enumerate(values) if not _is_empty(value)]
    if not texts or len(known) < MOSTLY * len(texts):
        return _text(texts)
    outside_N = (number_N < 0) | (number_N > 1)
    if not outside_N.any():
        return Verdict("ratings")
    distinct, first = len(np.unique(known)), int(np.argmax(outside_N))
    span = f"from {known.min():g} to {known.max():g}"
    if (known == np.round(known)).all() and distinct > LEVELS:
        if distinct == len(values):
            return Verdict("id", f"is another whole number in each row, {span}: an id", first)
        if known.max() > PERCENT:
            return Verdict("count", f"holds {distinct} whole numbers {span}: a count or an id", first)
    return Verdict("out_of_range", f"runs {span}, outside of 0 to 1", first)


def _text(filled: Sequence[tuple[int, str]]) -> Verdict:
    """filled   number of the row and text of the cells that are not empty"""
    if not filled:
        return Verdict("empty", "is empty")
    place, texts = zip(*filled, strict=True)
    distinct, shown = len(set(texts)), printable(texts[0])[:30]
    if sum(_ADDRESS.fullmatch(text) is not None for text in texts) > MOSTLY * len(texts):
        return Verdict("address", f"holds {distinct} addresses, such as '{shown}'", place[0])
    if distinct == 1:
        return Verdict("constant_text", f"holds the text '{shown}' alone", place[0])
    if np.mean([len(text) for text in texts]) >= WRITTEN or len(texts) < SHARED * distinct:
        return Verdict("free_text", f"holds {distinct} texts, such as '{shown}'", place[0])
    return Verdict("category", f"holds {distinct} names, such as '{shown}'", place[0])
