"""Columns of ratings that were exchanged in a part of the file, and columns that are one."""

from collections.abc import Iterator

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords, rows_of
from whyrank.preflight.probes.rating_labels import excluding

SHOWN = 4


@probe(
    "target-columns-permuted",
    on="preflight",
    explains=(
        "ratings-contradict",
        "ratings-at-chance",
        "fold-failed",
        "worse-than-lexical",
        "constant-predictions",
        "underfitted",
        "overfitted",
    ),
    about="ratings",
    layer="labels",
)
def target_columns_permuted(data: DataRecords) -> Iterator[Finding | Outcome]:
    """In a part of the file columns hold what other columns hold elsewhere."""
    if "rating_parts" not in data.tables or data.table("rating_targets").empty:
        yield not_applicable("ratings", "ratings of several targets")
        return
    table = data.table("rating_parts")
    if table.empty:
        yield passed("ratings", Evidence("columns that hold another target in a part", 0, "columns"), 1)
        return
    # One exchange shows in several parts: the one in which the columns differ most is where it is.
    parts = {str(part): rows for part, rows in table.groupby("part", sort=False)}
    part, rows = max(parts.items(), key=lambda one: float(one[1]["distance"].mean()))
    named = ", ".join(f"'{row.target}' holds '{row.holds}'" for row in rows_of(rows.head(SHOWN)))
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    yield Finding(
        severity="error",
        system="ratings",
        sentence=f"{len(rows)} target columns are exchanged in {part}: {named}{more}.",
        evidence=(
            Evidence("columns that moved", len(rows), "columns"),
            Evidence(f"rows of {part}", int(rows["n"].iloc[0]), "rows"),
            Evidence("mean distance of these columns to themselves elsewhere", float(rows["distance"].mean())),
            Evidence("distance that one in 10,000 of unchanged columns has", float(rows["critical"].mean())),
            Evidence("mean distance to the columns that they hold", float(rows["distance_after"].mean())),
        ),
        cause="Parts of the file were put together by position while their columns stood in another order: these "
        "ratings are labels of other targets, and no training can learn both.",
        fix=Fix({}, f"put the columns of {part} into the order of the rest: {named}{more}"),
        reference="ST#2749 (order, not name, decides); Kolmogorov and Smirnov 1948 for the distance",
        weight=CAUSE + 50,
    )


@probe("duplicate-targets", on="preflight", about="ratings", layer="labels")
def duplicate_targets(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Two targets have the same order of rows, or the opposite one."""
    if "rating_copies" not in data.tables or data.table("rating_targets").empty:
        yield not_applicable("ratings", "ratings of several targets")
        return
    table = data.table("rating_copies")
    if table.empty:
        yield passed("ratings", Evidence("targets with the order of another one", 0, "targets"), 1)
        return
    rows = rows_of(table)
    named = ", ".join(f"'{row.other}' of '{row.target}'" for row in rows[:SHOWN])
    yield Finding(
        system="ratings",
        sentence=f"{len(rows)} targets are copies of another one: {named} (rank correlation "
        f"{rows[0].correlation:.3f}).",
        evidence=(
            Evidence("copied targets", len(rows), "targets"),
            Evidence("rank correlation of the first pair", float(rows[0].correlation)),
            Evidence("rows", int(rows[0].n), "rows"),
        ),
        cause="A column was read or written twice: its target is lost, and the mean counts the other one twice.",
        fix=excluding(data, list(dict.fromkeys(str(row.other) for row in rows))),
        reference="docs/data.md, Ratings",
        weight=len(rows) / max(1, len(data.table("rating_targets"))),
    )
