"""Ratings that cannot be learned or measured well: by their columns or their values."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from whyrank.core.options.overrides import is_plain
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords, rows_of

# What `prepare` left out by itself; an excluded or unlisted column was left out by the user.
NO_TARGETS = ("unnamed", "address", "category", "constant_text", "free_text", "empty", "id", "count")
# Share of rows outside of 0 to 1 up to which they are slips, and not another scale.
SLIPS = 0.01
NAMED = 5


@probe("non-target-column", on="preflight", about="ratings", layer="labels")
def non_target_column(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Columns that nobody named, and that hold texts, ids or counts instead of ratings."""
    table = columns(data)
    found = table[table["kind"].isin(NO_TARGETS)]
    if found.empty:
        yield _without(table, "columns that are no targets")
        return
    names, targets = found["column"].tolist(), int(table["is_target"].sum())
    described = "; ".join(f"'{name}' {why}" for name, why in zip(names[:NAMED], found["why"], strict=False))
    more = f"; and {len(names) - NAMED} more" if len(names) > NAMED else ""
    yield Finding(
        system="ratings",
        sentence=f"{len(names)} of {targets + len(names)} columns are no targets and were left out: {described}{more}.",
        evidence=(
            Evidence("columns left out", len(names), "columns").against(1),
            Evidence("remaining targets", targets, "columns"),
            *(
                percent(f"rows with a number in '{name}'", float(share))
                for name, share in zip(names[:NAMED], found["numeric_share"], strict=False)
            ),
        ),
        cause="Every column that params.yaml does not name is a target, also names, addresses, ids and counts. As "
        "targets they would change the mean over the targets and what the model has to predict.",
        fix=excluding(data, names),
        reference="Google QUEST has 30 targets; a post-mortem counted 37 columns",
        weight=len(names) / (targets + len(names)),
    )


def _without(table: pd.DataFrame, name: str) -> Outcome:
    """Nothing of that kind among the columns, where there are any."""
    return passed("ratings", Evidence(name, 0), 1) if len(table) else not_applicable("ratings", "rated texts")


@probe("numbers-not-read", on="preflight", about="ratings", layer="labels")
def numbers_not_read(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Columns of numbers that are not plain, such as `0,5`, `85 %` and `4/5`."""
    table = columns(data)
    found = table[table["kind"] == "written_numbers"]
    if found.empty:
        yield _without(table, "columns of numbers that are not plain")
        return
    described = "; ".join(
        f"'{row.column}' {str(row.why).rpartition('; ')[0]} (line {row.line})" for row in rows_of(found.head(NAMED))
    )
    ways = sorted({way for names in found["spellings"] for way in str(names).split(",")})
    yield Finding(
        severity="error",
        system="ratings",
        sentence=f"{'1 column was' if len(found) == 1 else f'{len(found)} columns were'} left out, whose numbers are "
        f"not plain: {described}.",
        evidence=(
            Evidence("columns of such numbers", len(found), "columns").against(1),
            Evidence("remaining targets", int(table["is_target"].sum()), "columns"),
        ),
        cause="A spreadsheet wrote them in the way of its country, or as percentages or fractions. `0,5` may be a "
        "half, or two numbers: they are read where params.yaml says so.",
        fix=Fix({}, f"write plain numbers in {', '.join(map(repr, found['column']))}, such as 0.8")
        if "other" in ways
        else Fix({"prepare.files.numbers": ways}),
        reference="docs/data.md, Ratings",
        weight=CAUSE,
    )


@probe("target-out-of-range", on="preflight", about="ratings", layer="labels")
def target_out_of_range(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Columns of numbers outside of 0 to 1 without a declared range."""
    table = columns(data)
    found = table[table["kind"] == "out_of_range"]
    if found.empty:
        yield _without(table, "targets outside of 0 to 1")
    for row in rows_of(found):
        cause, fix = _cause_and_fix(data, found, row)
        yield Finding(
            severity="error",
            system=f"target {row.column}",
            sentence=f"Target '{row.column}' was left out: it {row.why}, and no range is declared. "
            f"{100 * row.outside_share:.1f} % of its rows are outside, the first in line {row.line} ({row.value}).",
            evidence=(
                Evidence("lowest value", row.minimum).where_below(0),
                Evidence("highest value", row.maximum, threshold=1 if row.maximum > 1 else None),
                percent("rows outside of 0 to 1", row.outside_share),
                Evidence("different values", row.distinct, "values"),
            ),
            cause=cause,
            fix=fix,
            reference="docs/data.md, Ratings",
            weight=CAUSE + 100 * row.outside_share,
        )


def _cause_and_fix(data: DataRecords, found: pd.DataFrame, row: Any) -> tuple[str, Fix]:
    """Of one target: slips are fixed in the file, a scale is declared, and a constant column is left out."""
    if row.outside_share <= SLIPS:
        action = f"correct the rows of '{row.column}' outside of 0 to 1, the first in line {row.line}"
        return "A few rows hold a typing error, or a value in another unit.", Fix({}, action)
    if row.minimum < row.maximum:
        scale = "It was rated on another scale. Losses and predictions of ratings need 0 to 1."
        return scale, _rescaled(data, found)
    return "A target with one value in all rows rates nothing.", excluding(data, [row.column])


def _rescaled(data: DataRecords, found: pd.DataFrame) -> Fix:
    """All columns on another scale at once: a range that is declared for one leaves the others outside.

    One number in all rows is no scale: such columns are excluded by the same command.
    """
    off = found[found["outside_share"] > SLIPS]
    constant = off[off["minimum"] == off["maximum"]]["column"].tolist()
    ranges = {row.column: _range(row) for row in rows_of(off) if row.column not in constant}
    note = "these are the lowest and highest values of the rows; if the scale is wider, set its ends instead"
    if not all(is_plain(name) for name in ranges):
        return Fix({}, f"set prepare.ratings.rescale in params.yaml to {ranges}; {note}")
    beside = excluding(data, constant).params if constant else {}
    return Fix({"prepare.ratings.rescale": ranges} | beside, note)


def _range(row: Any) -> list[float]:
    """Ends of the scale that holds all values: whole numbers, and 0 or 1 for the lower one where that is near."""
    low, high = math.floor(row.minimum), math.ceil(row.maximum)
    return [float(min(low, 0) if row.minimum < 1 else low), float(high)]


def excluding(data: DataRecords, names: Sequence[str]) -> Fix:
    """The columns that are excluded already and some more, as an override where their names can stand in one."""
    table = columns(data)
    excluded = [*table.loc[table["kind"] == "excluded", "column"], *names]
    if all(is_plain(name) for name in excluded):
        return Fix({"prepare.ratings.exclude": excluded})
    return Fix({}, f"add {', '.join(map(repr, names))} to prepare.ratings.exclude in params.yaml")


def columns(data: DataRecords) -> pd.DataFrame:
    """`rating_columns`, empty where no ratings were read; texts that CSV turned into numbers are texts again."""
    if "rating_columns" not in data.tables:
        return pd.DataFrame(columns=["column", "kind", "is_target"])
    table = data.tables["rating_columns"]
    values = [f"{value:g}" if isinstance(value, float) else str(value) for value in table["value"]]
    names = table["column"].fillna("")
    return table.assign(value=values, column=names).astype({"why": str, "is_target": bool})


@probe("undefined-targets", on="preflight", about="ratings", layer="labels")
def undefined_targets(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Targets with one value, in all rows or within a fold, where their correlation is undefined."""
    table = targets_of(data)
    found = table[(table["distinct"] < 2) | (table["constant_folds"] > 0)]
    if found.empty:
        yield _without(table, "targets with one value in some fold")
        return
    everywhere = int((found["distinct"] < 2).sum())
    yield Finding(
        system="ratings",
        sentence=f"{len(found)} of {len(table)} targets have one value in all rows of some fold, {everywhere} of them "
        f"in all rows: {', '.join(repr(name) for name in found['target'].head(NAMED))}.",
        evidence=(
            Evidence("targets with one value in all rows", everywhere, "targets").where_from(1),
            Evidence("targets with one value in some fold", len(found) - everywhere, "targets").where_from(1),
            *(
                Evidence(f"folds with one value of '{row.target}'", int(row.constant_folds), "folds")
                for row in rows_of(found.head(NAMED))
            ),
        ),
        cause="A rank correlation needs two values. Averaged over folds, such a target is NaN, or is left out "
        "unnoticed.",
        fix=excluding(data, found["target"].tolist())
        if len(found) < len(table)
        else Fix({}, "rate more rows: no target is left that varies in every fold"),
        reference="scipy gives NaN for a constant column; ST#2702",
        weight=len(found) / len(table),
    )


def targets_of(data: DataRecords) -> pd.DataFrame:
    empty = pd.DataFrame(columns=["target", "distinct", "constant_folds", "rare_share"])
    return data.tables.get("rating_targets", empty)
