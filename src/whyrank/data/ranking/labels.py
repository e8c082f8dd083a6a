"""Fewer labels than there are, to see what they are worth: which judgements training gets."""

import numpy as np
import pandas as pd

from whyrank.core.options.prepare import Labels


def kept(queries: pd.DataFrame, qrels: pd.DataFrame, options: Labels, seed: int) -> np.ndarray:
    """(J,) which judgements stay: those of dev and test all, those of training as the options say.

    queries   query_id, split;  qrels   query_id, answer_id, score
    Queries of training that lose theirs stay as texts. The same seed draws nested sets: the labels of 100 queries are
    among those of 200. A judgement that says that an answer is wrong is no label, and stays with those of its query.
    """
    train = set(queries.loc[queries["split"] == "train", "query_id"])
    is_train = qrels["query_id"].isin(train).to_numpy()
    random = np.random.default_rng(seed)
    is_label = is_train & (qrels["score"] > 0).to_numpy()
    answers = random.permutation(np.sort(qrels.loc[is_label, "answer_id"].unique()))
    of_answers = ~qrels["answer_id"].isin(answers[int(np.ceil(options.answers * len(answers))) :]).to_numpy()
    judged = random.permutation(np.sort(qrels.loc[is_label & of_answers, "query_id"].unique()))
    of_queries = qrels["query_id"].isin(judged[: options.queries or len(judged)]).to_numpy()
    return ~is_train | (of_answers & of_queries)
