"""What reading the source left out, passed over, or took in one of several possible ways."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords, rows_of

# More lost rows than `prepare.max_rejected` allows by default are worth a warning.
LOST = 0.01
NAMED = 5


@probe("rows-not-used", on="preflight", layer="data")
def rows_not_used(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Rows with a fault, rows that point to them, and queries without a judgement or a relevant answer."""
    rows, left_out = data.table("rows"), data.table("left_out")
    if rows.empty or not rows[["rejected", "left_out"]].to_numpy().sum():
        yield passed("data", Evidence("rows that are not used", 0, "rows"), 1)
        return
    rejected, total = int(rows["rejected"].sum()), int(rows["rows"].sum())
    is_consequence = left_out["is_consequence"].astype(bool)
    pointing, normal = int(left_out["rows"][is_consequence].sum()), int(left_out["rows"][~is_consequence].sum())
    queries = rows.iloc[1]
    parts = [f"{rejected} rejected"] if rejected else []
    parts += [f"{pointing} that point to rejected ones"] if pointing else []
    parts += [f"{normal} without a judgement or a relevant answer"] if normal else []
    unjudged = "A query that nobody judged cannot be trained on or tested; BEIR sets often hold those of other splits."
    yield Finding(
        severity="warning" if (rejected + pointing) / total >= LOST else "info",
        system="data",
        sentence=f"{rejected + pointing + normal} of {total} rows are not used: {', '.join(parts)}. "
        f"{queries['kept']} of {queries['rows']} queries are left.",
        evidence=(
            Evidence("rejected rows", rejected, "rows").where_from(1),
            Evidence("rows that point to rejected ones", pointing, "rows").where_from(1),
            Evidence("rows without a judgement or a relevant answer", normal, "rows").where_from(1),
            percent("queries that are used", queries["kept"] / queries["rows"]),
        ),
        cause=f"A rejected row has a fault of its own. {unjudged if normal else ''}".strip() if rejected else unjudged,
        fix=Fix({}, "fix the rows listed in data/prepared/rejected.parquet")
        if rejected
        else Fix({}, "nothing, if these queries belong to another split; else add their judgements to the qrels"),
        reference="BEIR; castorini/anserini#1207",
        weight=(rejected + pointing) / total,
    )


@probe("files-not-read", on="preflight", layer="data")
def files_not_read(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Files in a source folder that are none of those that are looked for there, or in a format that is not read."""
    tables = [data.table(name) for name in ("unread", "rating_unread", "pair_unpaired")]
    names = [str(name) for table in tables if len(table) for name in table["file"]]
    if not names:
        yield passed("data", Evidence("files that are not read", 0, "files"), 1)
        return
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    yield Finding(
        severity="info",
        system="data",
        sentence=f"{'1 file' if len(names) == 1 else f'{len(names)} files'} in a source folder "
        f"{'is' if len(names) == 1 else 'are'} not read: {', '.join(names[:NAMED])}{more}.",
        evidence=(Evidence("files that are not read", len(names), "files").against(1),),
        cause="prepare reads corpus, queries and qrels/<split> as JSONL, TSV, CSV or Parquet, and of ratings train and "
        "the files that params.yaml names.",
        fix=Fix({}, "rename, convert or name what should be read (prepare.ratings.test, unlabelled)"),
        reference="docs/data.md",
    )


@probe("query-types-ignored", on="preflight", layer="data")
def query_types_ignored(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Types of another vocabulary than question and conversation."""
    table = data.table("types")
    unknown = table if table.empty else table[table["read_as"].fillna("") == ""]
    if unknown.empty:
        yield passed("data", Evidence("types of another vocabulary", 0, "types"), 1)
        return
    queries, names = int(unknown["queries"].sum()), unknown["type"].tolist()
    shown = ", ".join(f"'{row.type}' ({row.queries})" for row in rows_of(unknown.head(NAMED)))
    yield Finding(
        severity="info",
        system="data",
        sentence=f"{queries} queries have a type that is neither question nor conversation: {shown}. Their length "
        "decides which of the two they are.",
        evidence=(
            Evidence("queries with such a type", queries, "queries"),
            Evidence("such types", len(names), "types").against(1),
        ),
        cause="metadata.type is of the set's own vocabulary.",
        fix=Fix({}, f"say what they count as, such as -S '++prepare.types={{{names[0]}:question}}'"),
        reference="docs/data.md",
    )


@probe("graded-relevance", on="preflight", about="ranking", layer="labels")
def graded_relevance(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Several scores that all count as relevant, where no threshold is stated."""
    table = data.table("scores")
    if table.empty:
        yield not_applicable("data", "judgements with scores")
        return
    relevant = table[table["is_relevant"].astype(bool)]
    if len(relevant) < 2 or (table["score"][~table["is_relevant"].astype(bool)] > 0).any():
        yield passed("data", Evidence("scores that count as relevant, without a threshold", min(1, len(relevant))), 2)
        return
    grades = ", ".join(f"{row.score:g} ({row.judgements})" for row in rows_of(relevant.head(NAMED)))
    yield Finding(
        severity="info",
        system="data",
        sentence=f"The qrels are graded, and every score above 0 counts as relevant: {grades} judgements. Only "
        "nDCG weighs the grades.",
        evidence=(
            Evidence("scores that count as relevant", len(relevant), "scores").against(2),
            *(
                Evidence(f"judgements with score {row.score:g}", row.judgements, "judgements")
                for row in rows_of(relevant)[:NAMED]
            ),
        ),
        cause="Sets differ in what a low grade means: on the topic, or an answer.",
        fix=Fix({"prepare.relevant_from": float(relevant["score"].iloc[1])}, "if the lowest grade is no answer"),
        reference="TREC Deep Learning counts grades of 2 and 3 as relevant, and 1 as not",
    )


# Pairs or rows from which a range can be judged, and the share at either end of it that no number reaches.
ENOUGH, UNREACHED = 20, 0.25


@probe("range-never-reached", on="preflight", layer="labels")
def range_never_reached(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Declared ranges of scores or ratings, whose upper or lower quarter is empty."""
    pairs, columns = data.table("pair_ranges"), data.table("rating_columns")
    sources = data.table("pair_counts").get("source", pd.Series()).tolist()
    if pairs.empty and "low" not in columns:
        yield not_applicable("data", "scores of pairs, or ratings, with a declared range")
    for row in rows_of(pairs):
        key = f"prepare.pairs.sources.{sources.index(str(row.source))}.range"
        yield from _unreached(row, f"pairs of {row.source}", f"Scores of '{row.source}'", key)
    for row in rows_of(columns[columns["kind"] == "target"]) if "low" in columns else ():
        yield from _unreached(row, f"target {row.column}", f"Ratings of '{row.column}'", "")


def _unreached(row: Any, system: str, what: str, key: str) -> Iterator[Finding | Outcome]:
    """low and high of the row are those declared, minimum and maximum those found, of `n` numbers."""
    span = row.high - row.low
    if not (row.n >= ENOUGH and span > 0):
        yield too_little(system, f"{row.n} numbers; {ENOUGH} would tell")
        return
    if row.low + UNREACHED * span >= row.minimum and row.high - UNREACHED * span <= row.maximum:
        used = percent("of the declared range that is used", (row.maximum - row.minimum) / span)
        yield passed(system, used, 100 * (1 - 2 * UNREACHED))
        return
    found = f"{row.minimum:g} to {row.maximum:g}"
    yield Finding(
        severity="warning",
        system=system,
        sentence=f"{what} run from {found}, but "
        f"the declared range is {row.low:g} to {row.high:g}: is that their scale?",
        evidence=(
            Evidence("lowest", row.minimum).where_from(row.low + UNREACHED * span),
            Evidence("highest", row.maximum).where_below(row.high - UNREACHED * span),
            percent("of the declared range that is used", (row.maximum - row.minimum) / span),
        ),
        cause="They were collected on another scale than the declared one. Scaled by it, all labels are alike: "
        "the most similar pairs, or the best ratings, have a label far from 1, or the worst far from 0.",
        fix=Fix({key: [float(row.minimum), float(row.maximum)]}, f"or the ends of the true scale; found are {found}")
        if key and row.minimum < row.maximum
        else Fix({}, f"declare the ends of the true scale; found are {found}"),
        reference="STS scores run from 0 to 5, SICK's from 1 to 5; GLUE and many copies divide them by 5",
    )
