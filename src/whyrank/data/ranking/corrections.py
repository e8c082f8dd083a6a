"""Corrections of a ranking set: which judgements, queries and answers a file leaves out or changes, and why.

They are applied to what was read, before the split, all at once: a row names a judgement, a query or an answer as the
source has it, whatever other rows do.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from whyrank.core.errors import UserError
from whyrank.core.options.files import Files
from whyrank.core.prepared import CORRECTION_COLUMNS
from whyrank.core.spreadsheets import unescaped
from whyrank.data.files.cells import CellError, printable, read_title
from whyrank.data.files.readers import PLAIN, Row, read_rows
from whyrank.data.ranking.validate import Validated

# Why a row is left out; the second follows from a correction of another row.
CORRECTED, OF_CORRECTED = "left out by prepare.corrections", "nothing is left of it after prepare.corrections"
# What a table of `rows_<code>` is called in metrics/prepare.
ROWS = "rows_"
OUT = ""

Judgement = tuple[str, str]


class Changes(NamedTuple):
    """What becomes of judgements, of answers (an id, or `OUT`), and the queries that are left out."""

    judgements: dict[Judgement, str]
    answers: dict[str, str]
    queries: set[str]

    def final(self, query: str, answer: str) -> str:
        """The answer that a judgement names in the end; `OUT` where it is left out."""
        if query in self.queries:
            return OUT
        found, seen = self.judgements.get((query, answer), answer), {""}
        while found not in seen and found in self.answers:
            seen.add(found)
            found = self.answers[found]
        return found


def apply(valid: Validated, file: str | Path, how: Files = PLAIN) -> Validated:
    """The set with the corrections of a CSV file: `query_id`, `answer_id`, `becomes`, `why`.

    query and answer   the judgement is left out, or names the answer `becomes`
    query alone        the query is left out
    answer alone       the answer is left out, or its judgements go to the answer `becomes`
    A query without a relevant answer is left out then, too.
    Raises UserError for an id that the set does not have, two rows that say different things of one, and no query left,
    or none in a split that the data bring.
    """
    # The lists that findings name are quoted as CSV is, however the files of the set are.
    rows = read_rows(Path(file), replace(how, quoting="auto"), least=0)
    if not rows:
        return valid
    table = pd.DataFrame([_cells(row, file) for row in rows], columns=[*CORRECTION_COLUMNS, "line"])
    changes = _changes(valid, table, str(file))
    pairs = zip(valid.qrels["query_id"], valid.qrels["answer_id"], strict=True)
    qrels = valid.qrels.assign(was=valid.qrels["answer_id"], answer_id=[changes.final(*pair) for pair in pairs])
    kept = qrels[qrels["answer_id"] != OUT].sort_values("score", ascending=False, kind="stable")
    kept = kept.drop_duplicates(["query_id", "answer_id"])
    asking = set(kept.loc[kept["score"] > 0, "query_id"])
    if not asking:
        raise UserError(f"{file} leaves no query with a relevant answer; correct fewer rows")
    kept = kept[kept["query_id"].isin(asking)].sort_values(["query_id", "answer_id"], ignore_index=True)
    given = valid.given and {query: split for query, split in valid.given.items() if query in asking}
    if valid.given and given and (gone := set(valid.given.values()) - set(given.values())):
        # Another one would be drawn from train in its place.
        raise UserError(f"{file} leaves the {min(gone)} split no query with a relevant answer; correct fewer rows")
    is_answer = ~valid.answers["answer_id"].isin(list(changes.answers))
    is_query = valid.queries["query_id"].isin(asking)
    return replace(
        valid,
        answers=valid.answers[is_answer].reset_index(drop=True),
        queries=valid.queries[is_query].reset_index(drop=True),
        qrels=kept.drop(columns="was"),
        left_out=_left_out(valid, kept, is_answer, is_query, changes),
        corrected=table[CORRECTION_COLUMNS],
        origins=_origins(qrels),
        given=given,
    )


def _origins(qrels: pd.DataFrame) -> dict[Judgement, list[str]]:
    """Of judgements that one was moved to: the answers by which the source names them."""
    found: dict[Judgement, list[str]] = {}
    for query, now, was in qrels[["query_id", "answer_id", "was"]].itertuples(index=False, name=None):
        found.setdefault((query, now), []).append(was)
    return {pair: names for pair, names in found.items() if pair[1] != OUT and names != [pair[1]]}


def with_earlier(tables: Mapping[str, pd.DataFrame], valid: Validated) -> dict[str, pd.DataFrame]:
    """Tables of rows to correct as one file for `prepare.corrections`: those in effect, and what is new.

    A new row names a judgement as it is now; in the file it is named as the source has it. A table without a row stays
    empty: nothing is to be applied.
    """
    if valid.corrected.empty:
        return {}
    return {name: _combined(valid, table) for name, table in tables.items() if name.startswith(ROWS) and len(table)}


def _combined(valid: Validated, new: pd.DataFrame) -> pd.DataFrame:
    new = new[CORRECTION_COLUMNS].fillna("").astype(str)
    named: list[tuple[str, ...]] = [
        (query, was, *rest)
        for query, answer, *rest in new.itertuples(index=False, name=None)
        for was in (valid.origins.get((query, answer), [answer]) if query and answer else [answer])
    ]
    table = pd.concat([valid.corrected, pd.DataFrame(named, columns=CORRECTION_COLUMNS)])
    return table.drop_duplicates(["query_id", "answer_id"], keep="last").reset_index(drop=True)


def _cells(row: Row, file: str | Path) -> dict[str, object]:
    if row.fault:
        raise UserError(f"{file}, line {row.line}: {row.fault}: '{printable(row.shown)[:60]}'; fix the row")
    if missing := [name for name in CORRECTION_COLUMNS if name not in row.cells]:
        raise UserError(f"{file}: no column '{missing[0]}'; its first line is {','.join(CORRECTION_COLUMNS)}")
    try:
        cells = {name: unescaped(read_title(row.cells, name)) for name in CORRECTION_COLUMNS}
    except CellError as fault:
        raise UserError(f"{file}, line {row.line}, column {fault.column}: {fault.reason}; fix the row") from None
    return cells | {"line": row.line}


def _changes(valid: Validated, table: pd.DataFrame, file: str) -> Changes:
    known = {
        "query_id": ("query", set(valid.queries["query_id"])),
        "answer_id": ("answer", answers := set(valid.answers["answer_id"])),
        "becomes": ("answer", answers),
    }
    judged = set(zip(valid.qrels["query_id"], valid.qrels["answer_id"], strict=True))
    changes, lines = Changes({}, {}, set()), dict[Judgement, tuple[str, int]]()
    for query, answer, becomes, _, line in table.itertuples(index=False, name=None):
        at = f"{file}, line {line}"
        for column, name in (("query_id", query), ("answer_id", answer), ("becomes", becomes)):
            kind, ids = known[column]
            if name and name not in ids:
                raise UserError(
                    f"{at}, column {column}: no {kind} that is read has the id '{printable(name)}'; fix the id, or "
                    "remove the row"
                )
        if not answer and (becomes or not query):
            raise UserError(f"{at}: a row names a query, an answer, or both, and `becomes` only with an answer")
        if query and answer and (query, answer) not in judged:
            raise UserError(f"{at}: the qrels do not judge '{answer}' for the query '{query}'; remove the row")
        told, first = lines.setdefault((query, answer), (becomes, line))
        if told != becomes:
            raise UserError(f"{at} contradicts line {first}, which says '{told}' and not '{becomes}'; keep one of them")
        if query and answer:
            changes.judgements[query, answer] = becomes
        elif query:
            changes.queries.add(query)
        else:
            changes.answers[answer] = becomes
    _refuse_circles(changes.answers, file)
    return changes


def _refuse_circles(answers: Mapping[str, str], file: str) -> None:
    for start in answers:
        found, steps = answers[start], 0
        while found in answers and steps <= len(answers):
            found, steps = answers[found], steps + 1
        if steps > len(answers) or found == start:
            raise UserError(f"{file}: answer '{start}' is merged into itself by way of others; keep one of them")


def _left_out(
    valid: Validated, kept: pd.DataFrame, is_answer: pd.Series, is_query: pd.Series, changes: Changes
) -> pd.DataFrame:
    """The rows that were left out before, and those that the corrections leave out."""
    corpus, queries = list(valid.rows_in)[:2]
    gone = valid.answers[~is_answer]
    rows = [(corpus, line, "_id", CORRECTED, name) for name, line in zip(gone["answer_id"], gone["line"], strict=True)]
    gone = valid.queries[~is_query]
    for name, line in zip(gone["query_id"], gone["line"], strict=True):
        rows.append((queries, line, "_id", CORRECTED if name in changes.queries else OF_CORRECTED, name))
    remaining = Counter(zip(kept["file"], kept["line"], strict=True))
    for file, line, query in valid.qrels[["file", "line", "query_id"]].itertuples(index=False, name=None):
        if not remaining[file, line]:
            rows.append((file, line, "query-id", CORRECTED, query))
    return pd.concat([valid.left_out, pd.DataFrame(rows, columns=valid.left_out.columns)], ignore_index=True)
