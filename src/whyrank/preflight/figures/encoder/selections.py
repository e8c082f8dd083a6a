"""Ways to cut long texts, by what the encoder finds with them.

Shapes: Q dev queries · A answers · D features
"""

import numpy as np
import pandas as pd

from whyrank.core.options.params import Encoder as Options
from whyrank.core.prepared import Prepared
from whyrank.model.encoder import vector_cache
from whyrank.model.encoder.declared import Side
from whyrank.model.encoder.encoder import Encoder
from whyrank.preflight.figures.encoder.readings import read

COLUMNS = ["kind", "way", "is_used", "query_id", "answer_id", "reciprocal_rank"]


def table(encoder: Encoder, prepared: Prepared, otherwise: pd.DataFrame, options: Options) -> pd.DataFrame:
    """`COLUMNS`: for each kind of text and way to cut it 1 / place of the first right answer of dev queries.

    Of cut questions or conversations among all answers; of cut answers among those of them that were tried, asked by a
    dev query each. Empty where `otherwise` is, see `whyrank.data.ranking.otherwise`.
    """
    if otherwise.empty:
        return pd.DataFrame(columns=COLUMNS)
    otherwise = otherwise.reset_index(drop=True)
    vector_ND = vector_cache.encoded(encoder, prepared.token_ids, options).cpu().numpy()
    pairs = prepared.relevant_in("dev").drop_duplicates("query")
    asked = pd.DataFrame(
        {
            "query": pairs["query"],
            "answer": pairs["answer"],
            "query_id": prepared.queries["query_id"].to_numpy()[pairs["query"]],
            "answer_id": prepared.answers["answer_id"].to_numpy()[pairs["answer"]],
        }
    )
    cut_MD = _own_vectors(encoder, prepared, otherwise, options, vector_ND)
    found = []
    for (kind, way, is_used), texts in otherwise.groupby(["kind", "way", "is_used"], sort=False):
        own_ND = cut_MD[texts.index]
        place = pd.Series(range(len(texts)), index=texts["id"].to_numpy())
        if kind == "answer":
            own = asked[asked["answer_id"].isin(place.index)].drop_duplicates("answer_id")
            answer_AD, right_Q = own_ND, place[own["answer_id"]].to_numpy()
            query_QD = vector_ND[prepared.texts.of("query")[own["query"]]]
        else:
            own = asked[asked["query_id"].isin(place.index)]
            answer_AD, right_Q = vector_ND[prepared.texts.of("answer")], own["answer"].to_numpy()
            query_QD = own_ND[place[own["query_id"]].to_numpy()]
        rank_Q = read(np.concatenate([answer_AD, query_QD]), right_Q, len(answer_AD), encoder.declared.score)["used"]
        named = {name: own[name].to_numpy() for name in ("query_id", "answer_id")}
        found.append(pd.DataFrame({"kind": kind, "way": way, "is_used": is_used, **named, "reciprocal_rank": rank_Q}))
    return pd.concat(found, ignore_index=True)[COLUMNS]


def _own_vectors(
    encoder: Encoder, prepared: Prepared, otherwise: pd.DataFrame, options: Options, vector_ND: np.ndarray
) -> np.ndarray:
    """(M, D) of the texts as each way cuts them; those cut as now are among all texts, vector_ND."""
    found = np.zeros((len(otherwise), vector_ND.shape[1]), dtype=vector_ND.dtype)
    for kind, texts in otherwise[~otherwise["is_used"].astype(bool)].groupby("kind", sort=False):
        side: Side = "document" if kind == "answer" else "query"
        rows = encoder.tokenise(texts["text"].tolist(), encoder.longest, side)
        # Remembered, each kind by itself: with other labels the answers that dev queries ask for are others, and
        # questions and conversations are the same.
        found[texts.index] = vector_cache.encoded(encoder, rows, options).cpu().numpy()
    for kind, texts in otherwise[otherwise["is_used"].astype(bool)].groupby("kind"):
        found[texts.index] = vector_ND[_rows(prepared, str(kind), texts["id"])]
    return found


def _rows(prepared: Prepared, kind: str, ids: pd.Series) -> np.ndarray:
    """Of prepared texts by id, among all texts."""
    side, table = ("answer", prepared.answers) if kind == "answer" else ("query", prepared.queries)
    found: np.ndarray = prepared.texts.of(side)[pd.Index(table[f"{side}_id"]).get_indexer(ids)]
    return found
