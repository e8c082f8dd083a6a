"""Every test query side by side: where each system ranks its relevant answer, and what is put first instead."""

from collections.abc import Iterable, Sequence

import pandas as pd

from whyrank.diagnosis.compare.text import shorten
from whyrank.findings.records import DataRecords, Records
from whyrank.lexical.words import words

TEXT, ANSWER = 200, 80  # characters
RANK = "rank_"
# Rows of suspected labels that `prepare` listed.
SUSPECTS = ("rows_wrong-labels", "rows_labels-shifted", "rows_missing-judgements")


def query_table(records: Records, system: str) -> pd.DataFrame:
    """One row per test query: query_id, type, text, answer, relevant, first, suspected, words, overlap, `rank_<system>`
    of each system.


    system     whose first answer is shown
    answer     its relevant answer, the first of so many (`relevant`), by its title or else how it begins
    suspected  why its label may be wrong; empty where nothing says so
    words      how many it has;  overlap   share of its content words in its answer, NaN where it was not recorded
    rank_…     of the best-placed relevant answer, from 1; of equal scores the mean of their places
    """
    data, run = records.data, records.runs[system]
    tested = run.queries.set_index("query_id")
    texts = data.queries.set_index("query_id").loc[tested.index]
    names = _answer_names(data)
    relevant = data.qrels.loc[data.qrels["score"] > 0, "query_id"].value_counts()
    first = run.top.query("rank == 1").drop_duplicates("query_id").set_index("query_id")["answer_id"]
    table = {
        "query_id": tested.index,
        "type": texts["type"].to_numpy(),
        "text": [shorten(text, TEXT) for text in texts["raw_text"]],
        "answer": names.loc[tested["cluster"]].to_numpy(),
        "relevant": relevant.reindex(tested.index, fill_value=0).to_numpy(),
        "first": names.reindex(first.reindex(tested.index)).fillna("").to_numpy(),
        "suspected": suspected(data).reindex(tested.index).fillna("").to_numpy(),
        "words": [len(words(text)) for text in texts["raw_text"]],
        "overlap": overlap(data).reindex(tested.index).to_numpy(float),
    }
    return pd.DataFrame(table | {f"{RANK}{name}": _ranks(records, name, tested.index) for name in records.runs})


def overlap(data: DataRecords) -> pd.Series:
    """Share of the content words of a query that stand in its first relevant answer, by the id of the query."""
    table = data.tables.get("overlap", pd.DataFrame(columns=["query_id", "overlap"]))
    found: pd.Series = table.set_index("query_id")["overlap"]
    return found


def _answer_names(data: DataRecords) -> pd.Series:
    answers = data.answers
    names = answers["title"].fillna("").where(answers["title"].fillna("") != "", answers["raw_text"])
    return pd.Series([shorten(str(name), ANSWER) for name in names], index=answers["answer_id"])


def suspected(data: DataRecords) -> pd.Series:
    """Why, by the id of the query."""
    tables = [table for name in SUSPECTS if {"query_id", "why"} <= set(table := data.table(name))]
    rows = pd.concat([pd.DataFrame(columns=["query_id", "why"]), *tables])[["query_id", "why"]].dropna()
    why: pd.Series = rows.drop_duplicates("query_id").set_index("query_id")["why"].astype(str).map(_line)
    return why


def _line(text: str) -> str:
    return shorten(text, TEXT)


def _ranks(records: Records, system: str, query_ids: pd.Index) -> Sequence[float]:
    queries = records.runs[system].queries.set_index("query_id").loc[query_ids]
    return [*(queries["above"] + (queries["tied"] + 1) / 2)]


def outcomes(table: pd.DataFrame, system: str, others: Iterable[str]) -> pd.DataFrame:
    """How often a system ranks the relevant answer better, worse and as well as each other: other, wins, losses, same.

    table   of `query_table`
    """
    own, theirs = table[f"{RANK}{system}"], {other: table[f"{RANK}{other}"] for other in others}
    rows = [(other, int((own < rank).sum()), int((own > rank).sum())) for other, rank in theirs.items()]
    found = pd.DataFrame(rows, columns=["other", "wins", "losses"])
    return found.assign(same=len(table) - found["wins"] - found["losses"])
