"""Cut texts of the dev set as every other way to select would keep them: what a comparison by the encoder reads."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from whyrank.data.files.cells import TYPES
from whyrank.data.ranking.selection import SELECTIONS, Document

# So many cut texts of a kind are tried, where at least this share of the kind is cut.
TRIED, SHARE = 48, 0.10
COLUMNS = ["kind", "id", "way", "is_used", "text"]

# Kind of text, documents, and the way -> what the encoder reads of them.
Select = Callable[[str, list[Document], str], list[str]]


def otherwise(
    answers: pd.DataFrame, queries: pd.DataFrame, relevant: pd.DataFrame, documents: list[Document], select: Select
) -> pd.DataFrame:
    """One row for each text and way: `COLUMNS`; empty where few texts are cut.

    is_used            whether the texts are cut that way now
    answers, queries   as prepared, with `tokens_raw` and `tokens`
    relevant           query_id, answer_id of the relevant pairs
    documents          of the answers, in their order
    """
    dev = queries[(queries["split"] == "dev") & queries["query_id"].isin(relevant["query_id"])]
    asked = relevant.loc[relevant["query_id"].isin(dev["query_id"]), "answer_id"]
    tables = [_cut(queries, kind, dev[dev["type"] == kind]).rename(columns={"query_id": "id"}) for kind in TYPES]
    found = [
        _tried(kind, table, [Document("", text) for text in table["raw_text"]], select)
        for kind, table in zip(TYPES, tables, strict=True)
    ]
    table = _cut(answers, "", answers[answers["answer_id"].isin(asked)]).rename(columns={"answer_id": "id"})
    found.append(_tried("answer", table, [documents[row] for row in table.index], select))
    return pd.concat(found, ignore_index=True)


def _cut(whole: pd.DataFrame, kind: str, held_out: pd.DataFrame) -> pd.DataFrame:
    """Of the held-out texts those that are cut, evenly drawn; none where few of all of that kind are."""
    of_kind = whole[whole["type"] == kind] if kind else whole
    if (of_kind["tokens"] < of_kind["tokens_raw"]).mean() < SHARE:
        return held_out.iloc[:0]
    cut = held_out[held_out["tokens"] < held_out["tokens_raw"]]
    return cut.iloc[np.unique(np.linspace(0, len(cut) - 1, min(TRIED, len(cut))).round().astype(int))]


def _tried(kind: str, table: pd.DataFrame, documents: list[Document], select: Select) -> pd.DataFrame:
    has_sections = any(document.sections for document in documents)
    ways = [way for way in SELECTIONS if has_sections or way != "tfidf_sections"] if documents else []
    parts = [table[["id"]].assign(kind=kind, way=way, text=select(kind, documents, way)) for way in ways]
    found = [part.assign(is_used=bool((part["text"] == table["text"]).all())) for part in parts]
    return pd.concat(found)[COLUMNS] if found else pd.DataFrame(columns=COLUMNS)
