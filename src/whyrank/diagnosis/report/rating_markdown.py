"""Ratings in the report for a terminal."""

import math

from whyrank.diagnosis.compare.ratings import Ratings, undefined
from whyrank.diagnosis.compare.text import shorten
from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.layout import pipe_table, wrapped
from whyrank.diagnosis.report.rating_content import RatingSection, best_systems
from whyrank.diagnosis.report.tables import each

TARGET_LENGTH = 24


def rating_blocks(section: RatingSection, level: float) -> list[str]:
    """Systems, differences, each target, and what of the texts was read."""
    rated = section.rated
    size = f"{rated.n_rows:,} rows of {rated.n_groups:,} groups in {rated.folds} folds, {len(rated.targets)} targets."
    blocks = ["## Ratings", wrapped(f"Mean column Spearman of rows rated out of fold: {size}"), _systems(rated)]
    blocks += [wrapped(f"Undefined: {'; '.join(undefined(rated))}.")] if undefined(rated) else []
    if len(rated.comparisons):
        blocks += ["### Differences in ratings", wrapped(f"Of mean column Spearman on the same rows; {numbers.GROUPS}")]
        blocks.append(_differences(rated, level))
    blocks += ["### Targets", wrapped("Labels of each target; near 0 is below .1, near 1 above .9."), _targets(rated)]
    blocks.append(wrapped(f"Spearman of each system, \u00b1 half of its {numbers.per_cent(level)} interval."))
    blocks.append(_columns(rated))
    return blocks + ([_fields(section)] if len(section.fields) else [])


def _systems(rated: Ratings) -> str:
    best = best_systems(rated)
    body = [
        [
            row.system, f"{numbers.correlation(row.value)}{'*' if row.system in best else ' '}",
            numbers.bounds(row.low, row.high), numbers.value(row.snapped),
            numbers.bounds(row.fold_low, row.fold_high), str(row.undefined),
        ]
        for row in each(rated.systems)
    ]  # fmt: skip
    return pipe_table(["rated by", "mean Spearman", "interval", "snapped", "folds", "undefined targets"], body)


def _differences(rated: Ratings, level: float) -> str:
    body = [
        [
            f"{row.a} {numbers.MINUS} {row.b}", numbers.difference(row.difference), numbers.bounds(row.low, row.high),
            numbers.p_value(row.p), numbers.p_value(row.p_holm),
        ]
        for row in each(rated.comparisons)
    ]  # fmt: skip
    return pipe_table(["ratings", "difference", f"{numbers.per_cent(level)} interval", "p", "Holm's p"], body)


def _targets(rated: Ratings) -> str:
    body = [
        [_name(row.target), *map(numbers.value, (row.mean, row.std, row.near_0, row.near_1)),
         numbers.free(row.distinct)]
        for row in each(rated.targets)
    ]  # fmt: skip
    return pipe_table(["target", "mean", "std", "near 0", "near 1", "distinct"], body)


def _columns(rated: Ratings) -> str:
    cells = {(row.target, row.system): _cell(row.value, row.low, row.high) for row in each(rated.columns)}
    systems, targets = list(rated.systems["system"]), list(rated.targets["target"])
    body = [[_name(name), *(cells[name, system] for system in systems)] for name in targets]
    return pipe_table(["target", *systems], body)


def _name(target: str) -> str:
    return shorten(target, TARGET_LENGTH).replace("|", "\\|")


def _cell(value: float, low: float, high: float) -> str:
    """`0.312 ±.031`."""
    half = f" \u00b1{numbers.value((high - low) / 2)[1:]}" if math.isfinite(low) else ""
    return numbers.correlation(value) + half


def _fields(section: RatingSection) -> str:
    body = [
        [
            str(row.field), numbers.value(row.tokens_mean, 1), numbers.value(row.tokens_kept_mean, 1),
            numbers.value(row.share_lost), numbers.value(row.rows_cut),
        ]
        for row in each(section.fields)
    ]  # fmt: skip
    return pipe_table(["text field", "tokens", "tokens read", "share of tokens lost", "share of rows cut"], body)
