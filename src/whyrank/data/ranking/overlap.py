"""How lexical the task is: the share of a query's content words that stand in its answer."""

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer

from whyrank.data.files.words import content_words
from whyrank.data.ranking.statistics import Metrics


def lexical_overlap(
    answers: pd.DataFrame, queries: pd.DataFrame, relevant: pd.DataFrame
) -> tuple[Metrics, pd.DataFrame]:
    """Share of each query's distinct content words that its answer holds, in [0, 1]; the best of several answers.

    answers: answer_id, raw_text; queries: query_id, type, split, raw_text; relevant: query_id, answer_id
    Returns `lexical_overlap`, `lexical_overlap_<type>` (means), `queries_without_content_words` (left out of both),
    and the table query_id, type, split, overlap.
    """
    counter = CountVectorizer(analyzer=content_words, binary=True, dtype=np.int32)
    answer_words = counter.fit_transform(answers["raw_text"])
    # A query word that no answer holds still counts in the denominator.
    n_words = np.array([len(set(content_words(text))) for text in queries["raw_text"]])
    query_words = counter.transform(queries["raw_text"])
    query = pd.Series(np.arange(len(queries)), index=queries["query_id"]).loc[relevant["query_id"]].to_numpy()
    answer = pd.Series(np.arange(len(answers)), index=answers["answer_id"]).loc[relevant["answer_id"]].to_numpy()
    shared = np.asarray(query_words[query].multiply(answer_words[answer]).sum(axis=1)).ravel()
    best = np.zeros(len(queries), dtype=np.int64)
    np.maximum.at(best, query, shared)
    table = queries[["query_id", "type", "split"]].assign(overlap=best / np.maximum(n_words, 1))[n_words > 0]
    metrics: Metrics = {"queries_without_content_words": int((n_words == 0).sum())}
    if len(table):
        metrics["lexical_overlap"] = float(table["overlap"].mean())
    metrics |= {
        f"lexical_overlap_{kind}": float(mean) for kind, mean in table.groupby("type")["overlap"].mean().items()
    }
    return metrics, table.reset_index(drop=True)
