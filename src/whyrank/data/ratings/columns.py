"""Which columns of a file are targets; the others are refused by name, with the reason.

Shapes: N rows · T targets
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from whyrank.core.errors import UserError
from whyrank.core.options.files import Spelling
from whyrank.core.options.ratings import Ratings
from whyrank.core.prepared import RATING_COLUMNS
from whyrank.data.files.cells import listed, printable
from whyrank.data.files.numbers import NAMES, number, remedy, spelling
from whyrank.data.ratings.files import RatingFile

# Half of the cells that are not empty: below, a column is text with some numbers in it; from there on, numbers with
# some bad cells.
MOSTLY = 0.5
# A scale of ratings has no more levels, or ends at 100; whole numbers beyond both count something.
LEVELS, PERCENT = 20, 100
# Characters on average from which a text is written, not chosen from a list; and rows that share a chosen one.
WRITTEN, SHARED = 40, 2
WRITTEN_NUMBERS = "written_numbers"
TEXT = ("address", "category", "constant_text", "free_text", "empty")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?:[/:]\S*)?", re.IGNORECASE)


class Verdict(NamedTuple):
    """kind   ratings | out_of_range | id | count, `WRITTEN_NUMBERS`, or one of `TEXT`
    why    what was found, to go on after the name of the column; empty for ratings
    row    the first that shows it, from 0; -1 where there is none to show
    spellings   of numbers, which are needed to read the column
    """

    kind: str
    why: str = ""
    row: int = -1
    spellings: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        return self.kind in (*TEXT, WRITTEN_NUMBERS)


def numbers(values: Sequence[Any], spellings: Sequence[Spelling] = ()) -> np.ndarray:
    """(N,) float64: the finite number in each cell, plain or in one of the spellings; NaN for all else."""
    return np.array([number(value, spellings) for value in values], dtype=np.float64)


def _is_empty(value: Any) -> bool:
    """Also NaN, which Parquet may hold for a missing number."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or not str(value).strip()


def judge(values: Sequence[Any], number_N: np.ndarray, spellings: Sequence[Spelling] = ()) -> Verdict:
    """What the column holds; cells that are no numbers among numbers are left to the caller.

    values   the cells;  number_N   `numbers` of them, in the spellings that are read
    """
    known = number_N[np.isfinite(number_N)]
    texts = [(row, str(value).strip()) for row, value in enumerate(values) if not _is_empty(value)]
    if not texts or len(known) < MOSTLY * len(texts):
        return _written(texts, spellings) or _text(texts)
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


def _written(filled: Sequence[tuple[int, str]], read: Sequence[Spelling]) -> Verdict | None:
    """Numbers, not plain ones: of several spellings the commonest, with what reads all of them."""
    ways = [(row, text, spelling(text)) for row, text in filled]
    counts = Counter(how for _, _, how in ways if how in NAMES)
    if counts.total() + sum(how == "plain" for *_, how in ways) <= MOSTLY * len(filled) or not counts:
        return None
    most = counts.most_common(1)[0][0]
    row, shown = next((row, text) for row, text, how in ways if how == most)
    needed = tuple(sorted({*counts, *read}))
    why = f"holds {NAMES[most]}, such as '{printable(shown)[:30]}'; {remedy(*needed)}"
    return Verdict(WRITTEN_NUMBERS, why, row, needed)


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


TABLE_COLUMNS = ["column", "kind", "is_target", "numeric_share", "minimum", "maximum", "outside_share", "distinct"]
TABLE_COLUMNS += ["line", "value", "why", "spellings", "n", "low", "high"]


@dataclass(frozen=True)
class Targets:
    """label_NT   (N, T) float64 in [0, 1], in the order of `names`
    table      `TABLE_COLUMNS` of every column that is neither id, text nor group: kind is target, excluded, unlisted
               or another of `Verdict`; outside_share: share of the rows with a number outside of 0 to 1; line and
               value: of the first row that shows what is wrong (0 and empty where there is none); spellings: those
               that it needs, joined by commas; n: rows; low and high: the declared range, NaN without one
    """

    names: list[str]
    label_NT: np.ndarray
    table: pd.DataFrame


def find_targets(file: RatingFile, options: Ratings, spellings: Sequence[Spelling] = ()) -> Targets:
    """Judge the columns, and bring the targets to [0, 1].

    What is not listed and is text, an id or a count is left out, and so are numbers in a spelling that is not among
    `spellings`, and what runs outside of [0, 1] without a declared range: the table says so, and preflight. Raises
    UserError for a listed target that is text, for a cell of a target that is no number or outside the declared range,
    and where no target is left.
    """
    candidates = _candidates(file, options)
    chosen = [name for name in options.targets or candidates if name not in options.exclude]
    rows, labels = [], {}
    for name in candidates:
        values = [row.cells.get(name) for row in file.rows]
        number_N = numbers(values, spellings)
        verdict = _not_chosen(name, options)
        if name in chosen:
            verdict = _target_or_not(file, name, values, number_N, options, spellings)
            if verdict.kind == "target":
                labels[name] = _scaled(file, name, number_N, options)
        ends = options.rescale.get(name, [math.nan, math.nan])
        rows.append(_described(file, name, values, number_N, verdict, ends))
    table = pd.DataFrame(rows, columns=TABLE_COLUMNS)
    names = [name for name in chosen if name in labels]
    _refuse_names(file, names, table)
    return Targets(names, np.column_stack([labels[name] for name in names]), table)


def _candidates(file: RatingFile, options: Ratings) -> list[str]:
    """Columns that may be targets, in the order of the file, after a check of those that are named."""
    taken = {options.id, options.group, *asdict(options.text).values()}
    for key, names in (("targets", options.targets), ("exclude", options.exclude), ("rescale", options.rescale)):
        for name in names:
            file.check_column(name, f"prepare.ratings.{key}")
    return [name for name in file.columns if name not in taken]


def _not_chosen(name: str, options: Ratings) -> Verdict:
    return Verdict("excluded", "is excluded") if name in options.exclude else Verdict("unlisted", "is not listed")


def _target_or_not(
    file: RatingFile, name: str, values: Sequence[Any], number_N: np.ndarray, options: Ratings, read: Sequence[Spelling]
) -> Verdict:
    if not name.strip():
        return Verdict("unnamed", "has no name, as pandas writes the numbers of rows")
    verdict, bad_N = judge(values, number_N, read), ~np.isfinite(number_N)
    key = next((key for key in ("targets", "rescale") if name in getattr(options, key)), None)
    if verdict.is_text:
        if key:
            row = max(verdict.row, 0)
            if verdict.kind == WRITTEN_NUMBERS:
                why, _, advice = verdict.why.rpartition("; ")
                file.refuse(file.rows[row], name, values[row], f"is no plain number: the column {why}", advice)
            reason = f"is no rating, and the column {verdict.why}"
            file.refuse(file.rows[row], name, values[row], reason, f"take it out of prepare.ratings.{key}")
        return verdict
    if bad_N.any():
        first = int(np.argmax(bad_N))
        how = spelling(values[first])
        if how in NAMES:
            file.refuse(file.rows[first], name, values[first], f"is one of {NAMES[how]}", remedy(how, *read))
        advice = "give the row a number, take it out, or name the column in prepare.ratings.exclude"
        file.refuse(file.rows[first], name, values[first], "is no number", advice)
    if verdict.kind == "ratings" or name in options.rescale:
        return Verdict("target")
    # Who lists a column says that it is a target: then its numbers are on another scale.
    return verdict._replace(kind="out_of_range") if key else verdict


def _scaled(file: RatingFile, name: str, number_N: np.ndarray, options: Ratings) -> np.ndarray:
    if name not in options.rescale:
        return number_N
    low, high = options.rescale[name]
    outside_N = (number_N < low) | (number_N > high)
    if outside_N.any():
        first = int(np.argmax(outside_N))
        reason, advice = f"is outside of {low:g} to {high:g}", f"fix it or prepare.ratings.rescale.{name}"
        file.refuse(file.rows[first], name, f"{number_N[first]:g}", reason, advice)
    return (number_N - low) / (high - low)


def _described(
    file: RatingFile, name: str, values: Sequence[Any], number_N: np.ndarray, verdict: Verdict, ends: Sequence[float]
) -> dict[str, Any]:
    """ends   the declared range, NaN without one"""
    known = number_N[np.isfinite(number_N)]
    return {
        "column": name,
        "kind": verdict.kind,
        "is_target": verdict.kind == "target",
        "numeric_share": len(known) / len(values),
        "minimum": known.min() if len(known) else math.nan,
        "maximum": known.max() if len(known) else math.nan,
        "outside_share": float(((known < 0) | (known > 1)).sum() / len(values)),
        "distinct": len({str(value) for value in values}),
        "line": file.rows[verdict.row].line if verdict.row >= 0 else 0,
        "value": printable(str(values[verdict.row]))[:40] if verdict.row >= 0 else "",
        "why": verdict.why,
        "spellings": ",".join(verdict.spellings),
        "n": len(values),
        "low": ends[0],
        "high": ends[1],
    }


def _refuse_names(file: RatingFile, names: list[str], table: pd.DataFrame) -> None:
    if not names:
        refused = "; ".join(f"'{name}' {why}" for name, why in zip(table["column"], table["why"], strict=True))
        raise UserError(
            f"{file.name}: no target is left: {refused or 'there is no further column'}; name columns of numbers in "
            "prepare.ratings.targets, with prepare.ratings.rescale where they are not from 0 to 1"
        )
    taken = [name for name in names if name in RATING_COLUMNS]
    if taken:
        raise UserError(
            f"{file.name}: target '{taken[0]}' has a name that the prepared table needs ({listed(RATING_COLUMNS)}); "
            "rename the column, or name it in prepare.ratings.exclude"
        )
