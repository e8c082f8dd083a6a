"""Cut texts of the dev set as every other way to select would keep them: what a comparison by the encoder reads."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from whyrank.data.files.cells import CONVERSATION, TYPES
from whyrank.data.ranking.selection import SELECTIONS, Document

# So many cut texts of a kind are tried, where this share of what tells texts apart is lost: of the TF-IDF mass.
TRIED, LOST = 32, 0.25
# Ways that keep the end of a conversation, at which users often come to their question; others lose it in silence.
KEEP_END = ("head_tail", "tail")
COLUMNS = ["kind", "id", "way", "is_used", "text"]

# Kind of text, documents, and the way -> what the encoder reads of them.
Select = Callable[[str, list[Document], str], list[str]]


def otherwise(
    answers: pd.DataFrame,
    queries: pd.DataFrame,
    relevant: pd.DataFrame,
    documents: list[Document],
    select: Select,
    *,
    used: Mapping[str, str],
    lost: Mapping[str, float],
) -> pd.DataFrame:
    """One row for each text and way: `COLUMNS`; empty where little is lost.

    is_used            whether the texts are cut that way now
    answers, queries   as prepared, with `tokens_raw` and `tokens`
    relevant           query_id, answer_id of the relevant pairs
    documents          of the answers, in their order
    used, lost         by kind of text: the way in use, and the share of the TF-IDF mass that is cut
    """
    dev = queries[(queries["split"] == "dev") & queries["query_id"].isin(relevant["query_id"])]
    asked = relevant.loc[relevant["query_id"].isin(dev["query_id"]), "answer_id"]
    found = [pd.DataFrame(columns=COLUMNS)]
    for kind in (*TYPES, "answer"):
        loses_end = kind == CONVERSATION and used[kind] not in KEEP_END
        if lost.get(kind, 0.0) < LOST and not loses_end:
            continue
        held_out = answers[answers["answer_id"].isin(asked)] if kind == "answer" else dev[dev["type"] == kind]
        table = _cut(held_out.rename(columns={"answer_id": "id", "query_id": "id"}))
        whole = [documents[row] for row in table.index] if kind == "answer" else None
        own = whole if whole is not None else [Document("", text) for text in table["raw_text"]]
        found.append(_tried(kind, table, own, select, used[kind]))
    return pd.concat(found, ignore_index=True)


def _cut(held_out: pd.DataFrame) -> pd.DataFrame:
    """Those that are cut, evenly drawn."""
    cut = held_out[held_out["tokens"] < held_out["tokens_raw"]]
    return cut.iloc[np.unique(np.linspace(0, len(cut) - 1, min(TRIED, len(cut))).round().astype(int))]


def _tried(kind: str, table: pd.DataFrame, documents: list[Document], select: Select, used: str) -> pd.DataFrame:
    has_sections = any(document.sections for document in documents)
    ways = [way for way in SELECTIONS if has_sections or way != "tfidf_sections"] if documents else []
    parts = [
        table[["id"]].assign(kind=kind, way=way, is_used=way == used, text=select(kind, documents, way)) for way in ways
    ]
    return pd.concat(parts)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)
