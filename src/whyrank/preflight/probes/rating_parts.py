"""Columns of ratings that were exchanged in a part of the file or are one, and rows with a level of their own or one
number in all columns.
"""

from collections.abc import Iterator

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords, rows_of
from whyrank.preflight.probes.rating_labels import excluding

SHOWN = 4
# What wrong ratings make of every training on them.
LATER = ("ratings-at-chance", "fold-failed", "worse-than-lexical", "constant-predictions", "underfitted", "overfitted",
         "ratings-contradict", "duplicate-targets", "undefined-targets", "last-layer-drops-surface")  # fmt: skip
# Correlation of the levels of neighbouring rows less that of far ones, in standard deviations too, and mean correlation
# of two targets: 0.25 and 0.1 at most of two real sets, 0.8 and 0.7 of raters with ten rows each.
BESIDE, SURE, COMMON = 0.5, 5.0, 0.3
# From which both on nothing else in the ratings is as large.
MOST_BESIDE, MOST_COMMON = 0.6, 0.5
# Share of the rows with one number in all columns, and how many times what luck brings.
ALIKE, TIMES, FEWEST = 0.05, 4.0, 10


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
            Evidence("columns that moved", len(rows), "columns").against(1),
            Evidence(f"rows of {part}", int(rows["n"].iloc[0]), "rows"),
            # One in 10,000 of unchanged columns has it.
            Evidence("mean distance of these columns to themselves elsewhere", float(rows["distance"].mean())).against(
                rows["critical"].mean()
            ),
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
            Evidence("copied targets", len(rows), "targets").against(1),
            Evidence("rank correlation of the first pair", float(rows[0].correlation)),
            Evidence("rows", int(rows[0].n), "rows"),
        ),
        cause="A column was read or written twice: its target is lost, and the mean counts the other one twice.",
        fix=excluding(data, list(dict.fromkeys(str(row.other) for row in rows))),
        reference="docs/data.md, Ratings",
        weight=len(rows) / max(1, len(data.table("rating_targets"))),
    )


@probe(
    "raters-differ",
    on="preflight",
    explains=("one-rating-for-all-targets", "group-leak", *LATER),
    about="ratings",
    layer="labels",
)
def raters_differ(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Rows that stand together lie higher or lower in all columns at once."""
    if "rating_levels" not in data.tables or data.table("rating_levels").empty:
        yield not_applicable("ratings", "60 rated rows of several targets")
        return
    row = rows_of(data.table("rating_levels"))[0]
    apart = row.beside - max(row.far, 0.0)
    measured = Evidence("correlation of the level of a row with that of the next question's", float(row.beside))
    if apart < max(BESIDE, SURE * row.spread) or row.common < COMMON:
        yield passed("ratings", measured, BESIDE)
        return
    is_most = apart >= MOST_BESIDE and row.common >= MOST_COMMON
    yield Finding(
        severity="error" if is_most else "warning",
        system="ratings",
        sentence=f"Ratings that stand together lie higher or lower in all columns at once: the level of a row "
        f"correlates with that of the next question's row ({row.beside:.2f}; {row.far:.2f} thirty rows on), and two "
        f"targets with each other ({row.common:.2f} in the mean).",
        evidence=(
            measured.against(BESIDE),
            Evidence("the same of rows 30 to 50 further on", float(row.far)),
            Evidence("mean correlation of two targets", float(row.common)),
            Evidence("rows", int(row.n), "rows"),
        ),
        cause="Each rater, or each batch of rows, has a zero of its own: what differs is who rated and not what was "
        "rated, and no text tells that.",
        fix=Fix({}, "take from each rating the mean of its rater (or batch), and add that of all; or rank within each"),
        reference="Wang and Shah 2019, arXiv:1806.05085 (miscalibrated raters)",
        weight=100 * float(row.beside) + (CAUSE if is_most else 0.0),
    )


@probe("one-rating-for-all-targets", on="preflight", explains=LATER, about="ratings", layer="labels")
def one_rating_for_all_targets(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Rows that have the same number in every column."""
    if "ratings_alike" not in data.tables or data.table("rating_targets").empty:
        yield not_applicable("ratings", "ratings of three targets or more")
        return
    rows = rows_of(data.table("ratings_alike"))
    share = len(rows) / rows[0].n if rows else 0.0
    if share < ALIKE or len(rows) < max(FEWEST, TIMES * rows[0].expected):
        yield passed("ratings", percent("rows with one number in all columns", share), 100 * ALIKE)
        return
    named = ", ".join(f"'{row.rating_id}' ({row.value:.3g})" for row in rows[:SHOWN])
    yield Finding(
        severity="error" if share >= 0.5 else "warning",
        system="ratings",
        sentence=f"{len(rows)} of {rows[0].n} rows ({100 * share:.0f} %) have one number in every target column, where "
        f"luck brings {rows[0].expected:.0f}: {named}.",
        evidence=(
            Evidence("rows with one number in all columns", len(rows), "rows"),
            percent("of all rows", share).against(100 * ALIKE),
            Evidence("such rows, with each column in any order", float(rows[0].expected), "rows"),
        ),
        cause="An overall score, or a value that stands for none, was stored in every column: in these rows no target "
        "has a rating of its own.",
        fix=Fix({}, "leave out the rows of metrics/prepare/ratings_alike.csv, or bring the ratings of each target"),
        reference="Thorndike 1920 (halo effect); Kaggle QUEST threads",
        weight=100 * share,
    )
