"""Which questions and conversations are one user's, found without any judgement."""

from collections import defaultdict

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from whyrank.data.files.readers import SPLITS
from whyrank.data.ranking.duplicates import CROSSING
from whyrank.lexical.words import words, words_worth

# A shorter question stands in conversations that have nothing to do with it.
FEWEST_WORDS = 4
# A question that stands in more conversations does not say whose it is.
MOST_CONVERSATIONS = 3
NONE = -1


def threads(queries: pd.DataFrame) -> np.ndarray:
    """(Q,) number of the thread of each query; -1 of one that belongs to no other, and of those held out.

    queries   type, split, raw_text, declared_thread ("" where the set declares none)
    Of one thread are queries that declare the same, and a question whose words stand together in a conversation.
    """
    is_train = (queries["split"] == "train").to_numpy()
    row_T = np.flatnonzero(is_train)
    train = queries.iloc[row_T].reset_index(drop=True)
    declared = [rows for name, rows in train.groupby("declared_thread").indices.items() if name]
    links = [(rows[0], row) for rows in declared for row in rows] + contained(train)
    first, second = np.array(links, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(links)), (first, second)), shape=(len(train), len(train)))
    _, thread_T = connected_components(graph, directed=False)
    thread_T[np.bincount(thread_T, minlength=1)[thread_T] < 2] = NONE
    found_Q = np.full(len(queries), NONE)
    found_Q[row_T] = thread_T
    return found_Q


def torn_table(queries: pd.DataFrame) -> pd.DataFrame:
    """Queries of one declared thread that lie in several splits, which only splits that came with the data do.

    queries   query_id, split, declared_thread ("" where the set declares none)
    Returns `CROSSING`: every query on the right stands once for each earlier split, in the order train, dev,
    test, with the first query of its thread there on the left.
    """
    declared = queries.loc[queries["declared_thread"] != "", ["query_id", "split", "declared_thread"]]
    declared = declared.rename(columns={"query_id": "query"}).assign(rank=declared["split"].map(SPLITS.index))
    first = declared.drop_duplicates(["declared_thread", "split"])
    both = first.merge(declared, on="declared_thread", suffixes=("_left", "_right"))
    return both.loc[both["rank_left"] < both["rank_right"], CROSSING].reset_index(drop=True)


def contained(queries: pd.DataFrame) -> list[tuple[int, int]]:
    """Rows of a question and of a conversation in which its words stand together, in their order."""
    said = [words(text) for text in queries["raw_text"]]
    is_question = (queries["type"] == "question").to_numpy()
    asked = [int(row) for row in np.flatnonzero(is_question) if words_worth(said[row]) > FEWEST_WORDS - 1]
    beginnings = {tuple(said[row][:FEWEST_WORDS]) for row in asked}
    # Conversations by the beginnings of questions that stand in them, so that not every pair is compared.
    holding: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row in np.flatnonzero(~is_question):
        runs = zip(*(said[row][i:] for i in range(FEWEST_WORDS)), strict=False)
        for run in beginnings.intersection(runs):
            holding[run].append(int(row))
    joined = [f" {' '.join(one)} " for one in said]
    links = []
    for question in asked:
        inside = [other for other in holding[tuple(said[question][:FEWEST_WORDS])] if joined[question] in joined[other]]
        if len(inside) <= MOST_CONVERSATIONS:
            links += [(question, other) for other in inside]
    return links
