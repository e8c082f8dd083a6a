"""Answers whose queries all point to another answer: texts that changed places.

Shapes: S queries of the sample · A answers · L answers with a label
"""

import numpy as np
import pandas as pd
from scipy import sparse

from whyrank.core.prepared import CORRECTION_COLUMNS, Prepared
from whyrank.preflight.figures.rankers import Ranked

COLUMNS = ["answer_id", "becomes", "queries", "found", "margin", "circle"]
# Standard deviations of the scores by which the other answer leads, as a mean over the queries; and the share of them
# that may find their own answer. In order, no two answers of the three sets point to each other by so much.
MARGIN, FOUND = 1.0, 0.0
# Answers of a circle: a longer one is no slip of a hand. Where this share of all labels leads elsewhere, circles are
# luck: the labels are wrong as a whole.
LONGEST, MOST = 6, 0.3


def tables(ranked: Ranked, prepared: Prepared) -> dict[str, pd.DataFrame]:
    """`answer_votes`: answers none of whose queries finds them, with the one that these queries point to; and
    `rows_answer-texts-swapped`: judgements of those that changed places.

    queries, found   of the answer, and those that have it first;  margin   by which the other leads
    circle           answers that changed places with each other, 0: none
    """
    votes = _votes(ranked)
    labelled = ranked.pairs["answer"].nunique()
    circles = _circles(votes) if len(votes) <= MOST * labelled else {}
    ids = prepared.answers["answer_id"].to_numpy()
    other = dict(zip(votes.index.tolist(), votes["other"].tolist(), strict=True))
    table = votes.assign(
        answer_id=ids[list(other)], becomes=ids[list(other.values())], circle=[circles.get(name, 0) for name in other]
    )
    swapped = {answer: other[answer] for answer in circles}
    relevant = prepared.relevant
    own = relevant[relevant["answer"].isin(list(swapped))]
    queries = prepared.queries["query_id"].to_numpy()
    rows = [
        (queries[query], ids[answer], ids[swapped[answer]], f"the texts of {ids[answer]} and others changed places")
        for query, answer in zip(own["query"], own["answer"], strict=True)
    ]
    return {
        "answer_votes": table[COLUMNS].reset_index(drop=True),
        "rows_answer-texts-swapped": pd.DataFrame(rows, columns=CORRECTION_COLUMNS),
    }


def _votes(ranked: Ranked) -> pd.DataFrame:
    """Of labelled answers that no query of theirs finds, by row: other, queries, found, margin."""
    together_SA = ranked.together
    label_L, row_P = np.unique(ranked.pairs["answer"], return_inverse=True)
    query_P = ranked.pairs["row"].to_numpy()
    count_L = np.bincount(row_P)
    shape = (len(label_L), len(together_SA))
    member_LS = sparse.coo_array((np.float32(1) / count_L[row_P].astype(np.float32), (row_P, query_P)), shape=shape)
    mean_LA = np.asarray(member_LS.tocsr() @ together_SA)
    first_S = together_SA.argmax(axis=1)
    found_L = np.bincount(row_P, weights=first_S[query_P] == label_L[row_P])
    other_L = mean_LA.argmax(axis=1)
    margin_L = mean_LA.max(axis=1) - mean_LA[np.arange(len(label_L)), label_L]
    votes = pd.DataFrame({"other": other_L, "queries": count_L, "found": found_L, "margin": margin_L}, index=label_L)
    return votes[(votes["other"] != votes.index) & (votes["margin"] >= MARGIN) & (found_L <= FOUND * count_L)]


def _circles(votes: pd.DataFrame) -> dict[int, int]:
    """Answers that point to each other, or on and on and back, with the number of answers in their circle."""
    rows = votes.index.tolist()
    other, queries = (dict(zip(rows, votes[name].tolist(), strict=True)) for name in ("other", "queries"))
    found: dict[int, int] = {}
    for start in other:
        path = [start]
        while len(path) <= LONGEST and (following := other.get(path[-1])) is not None and following not in path:
            path.append(following)
        if other.get(path[-1]) == start and sum(queries[answer] for answer in path) >= 2 * len(path):
            found[start] = len(path)
    return found
