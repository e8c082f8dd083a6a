"""Raw rows -> valid rows, rejected rows and rows left out: rows in = the sum of the three, for every file.

A rejected row has a fault. A row is left out for what is normal, as a query that nobody judged, or for what is the
consequence of a fault elsewhere, as a judgement of a document that is rejected.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from whyrank.core.errors import UserError
from whyrank.core.options.files import Spelling
from whyrank.core.prepared import CORRECTION_COLUMNS
from whyrank.data.files.cells import (
    TYPES,
    CellError,
    is_visible,
    metadata,
    read_id,
    read_query,
    read_sections,
    read_thread,
    read_title,
    read_type,
)
from whyrank.data.files.readers import RawSource
from whyrank.data.ranking.judgements import (
    Ids,
    apply_threshold,
    judgement_reader,
    of_owner,
    owners,
    with_relevant,
)
from whyrank.data.ranking.rejected import Account, Placed, Record, once, valid_rows


@dataclass(frozen=True)
class Validated:
    """Valid rows sorted by id, so that nothing later depends on the order in the files.

    answers    answer_id, title, body, sections (list of {title, text}, or None), line; title or body is not empty
    queries    query_id, declared_type ("" where the set declares none that is known), declared_thread, raw_text, line
    qrels      query_id, answer_id, score (0 below what counts as relevant), file, line; every query has a row with
               score > 0
    given      query_id -> split, or None when there is one qrels file, which is ours to split
    rejected, left_out   file, line, column, reason, value; in the order of the files and lines
    rows_in    file -> rows read, blank lines left out
    types      type (as the set says it), queries, read_as ("" where it is not known)
    scores     score (as the qrels say it), judgements, is_relevant
    unread     names of files of the source that are not read
    corrected  corrections in effect, see `corrections.apply`: query_id, answer_id, becomes, why
    origins    of judgements that a correction moved: (query_id, answer_id) -> answers that the qrels name instead
    """

    answers: pd.DataFrame
    queries: pd.DataFrame
    qrels: pd.DataFrame
    given: dict[str, str] | None
    rejected: pd.DataFrame
    left_out: pd.DataFrame
    rows_in: dict[str, int]
    types: pd.DataFrame
    scores: pd.DataFrame
    unread: list[str]
    corrected: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=CORRECTION_COLUMNS))
    origins: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """types           type as the set says it, in lower case -> question | conversation
    relevant_from   score from which an answer is relevant; 0: every score above 0
    spellings       of numbers that are not plain
    """

    types: Mapping[str, str] = field(default_factory=dict)
    relevant_from: float = 0.0
    spellings: Sequence[Spelling] = ()


_AS_IT_IS = Reading()
# Columns of whole texts, which may take gigabytes.
TEXTS = ("title", "body", "raw_text")


def validate(raw: RawSource, how: Reading = _AS_IT_IS) -> Validated:
    """Judge every row. Raises UserError for a missing column and for a file without one valid row."""
    files, account = [table.file for table in (raw.corpus, raw.queries, *raw.qrels.values())], Account()
    answers = once(
        raw.corpus, valid_rows(raw.corpus, ("_id", "text"), _answer, account), ("answer_id",), "_id", account
    )
    told = ("_id",) if any(_has_turns(row.cells) for row in raw.queries.rows if not row.fault) else ("_id", "text")
    queries = once(raw.queries, valid_rows(raw.queries, told, _query, account), ("query_id",), "_id", account)
    types = _type_table(queries, how.types)

    answer_ids, query_ids = (
        Ids.of(table, rows, key)
        for table, rows, key in ((raw.corpus, answers, "answer_id"), (raw.queries, queries, "query_id"))
    )
    fate: dict[str, str] = {}
    judge = judgement_reader(answer_ids, query_ids, how.spellings, fate)
    judged: dict[str, list[Placed]] = {}
    for split, table in raw.qrels.items():
        rows = valid_rows(table, ("query-id", "corpus-id", "score"), judge, account)
        judged[split] = once(table, rows, ("query_id", "answer_id"), "query-id", account)
    scores = apply_threshold(judged, how.relevant_from)
    owner = owners(judged)
    if not owner:
        remedy = "give relevant answers a score above 0 in the qrels"
        if how.relevant_from:
            remedy = f"no score is {how.relevant_from:g} or more; lower -S prepare.relevant_from"
        raise UserError(f"{raw.queries.file}: no query has a relevant answer; {remedy}")
    for split, rows in judged.items():
        if split not in owner.values():
            raise UserError(f"{raw.qrels[split].file}: {_without_queries(rows)}")
    qrels = of_owner(raw.qrels, judged, owner, account)
    queries = with_relevant(raw.queries, queries, owner, fate, account)
    rejected, left_out = account.frames(files)
    return Validated(
        answers=_frame(answers, ["answer_id"]),
        queries=_frame(queries, ["query_id"]),
        qrels=_frame(qrels, ["query_id", "answer_id"]),
        given=None if "all" in raw.qrels else owner,
        rejected=rejected,
        left_out=left_out,
        rows_in={table.file: len(table.rows) for table in (raw.corpus, raw.queries, *raw.qrels.values())},
        types=types,
        scores=scores,
        unread=raw.unread,
    )


def _without_queries(rows: list[Placed]) -> str:
    """Why a split that the data bring has no query, and what to do; another one would be drawn in its place."""
    if any(row["score"] > 0 for _, row in rows):
        return "each query with a relevant answer is in a later split, too; take it out of one of them"
    return (
        "no query has a relevant answer, so that it is no split; give them a score above 0 (with prepare.relevant_from "
        "set, one that reaches it), or take the file away"
    )


def _answer(values: Record) -> Record:
    """A document may have a title and no text, as papers without an abstract; without a text its sections are it."""
    title, body, sections = read_title(values, "title"), read_title(values, "text"), read_sections(values)
    if not is_visible(body) and sections:
        body = "\n\n".join("\n".join(filter(None, section.values())) for section in sections)
    if not (is_visible(title) or is_visible(body)):
        raise CellError("text", "empty text", values.get("text"))
    return {
        "answer_id": read_id(values, "_id"),
        "title": title,
        "body": body,
        "sections": sections,
    }


def _query(values: Record) -> Record:
    return {
        "query_id": read_id(values, "_id"),
        "declared_type": read_type(values),
        "declared_thread": read_thread(values),
        "raw_text": read_query(values),
    }


def _has_turns(values: Record) -> bool:
    try:
        return metadata(values, "turns") is not None
    except CellError:  # told when the row is read
        return False


def _type_table(queries: list[Placed], known: Mapping[str, str]) -> pd.DataFrame:
    """What the set calls its types, and what they are read as. Changes `declared_type` of the queries to that."""
    read_as = {kind: kind for kind in TYPES} | {name.strip().lower(): kind for name, kind in known.items()}
    counts = Counter(row["declared_type"] for _, row in queries)
    for _, row in queries:
        row["declared_type"] = read_as.get(row["declared_type"], "")
    rows = [(name, n, read_as.get(name, "")) for name, n in sorted(counts.items()) if name]
    return pd.DataFrame(rows, columns=["type", "queries", "read_as"])


def _frame(rows: list[Placed], key: list[str]) -> pd.DataFrame:
    # By columns and sorted before: pandas takes three times the time for a list of rows that it sorts.
    placed = sorted(rows, key=lambda one: [one[1][name] for name in key])
    columns = {name: [row[name] for _, row in placed] for name in placed[0][1]}
    texts = {name: text_column(columns[name]) for name in TEXTS if name in columns}
    return pd.DataFrame(columns | texts | {"line": [line for line, _ in placed]})


def text_column(texts: list[str]) -> pd.Series:
    """As they are: pandas would copy each into a column of its own, and make it anew whenever the column is read."""
    return pd.Series(texts, dtype=object)
