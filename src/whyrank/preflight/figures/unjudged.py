"""Answers that nobody judged, stand above the right one and say the same as it: labels that are missing.

Shapes: S queries of the sample · A answers
"""

from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.core.prepared import CORRECTION_COLUMNS, Prepared
from whyrank.data.ranking.duplicates import MIN_CONTAINED
from whyrank.preflight.figures.rankers import Ranked
from whyrank.preflight.figures.texts.read import Read

COLUMNS = ["query_id", "answer_id", "split", "unjudged", "overlap", "right", "completed"]
# Answers that are looked at: the first of a query that stand above its right one.
DEPTH = 5
# Share of the word 3-grams of both that two answers have in common, and of those of the smaller one, from which they
# say the same.
SAME, INSIDE = 0.5, 0.8
# Scores, in standard deviations, that are equal but for rounding.
EQUAL = 1e-4


class Found(NamedTuple):
    """Of a query: the answer that says the same as the right one (-1: none), and what they share, 0 to 1."""

    unjudged: int
    overlap: float


def tables(ranked: Ranked, read: Read) -> dict[str, pd.DataFrame]:
    """`unjudged`, a row for each query that was ranked, and `rows_missing-judgements`: copies to merge.

    answer_id         its best placed right answer
    unjudged, overlap the first unjudged answer at or above it that says the same, "" for none; the share of the
                      word 3-grams of both that they have in common
    right, completed  whether all trusted rankers together put a right answer first, as judged and with that one
                      counted as right; ties share it
    """
    prepared, score_SA = read.prepared, ranked.together
    row_P, answer_P = ranked.pairs["row"].to_numpy(), ranked.pairs["answer"].to_numpy()
    order = np.lexsort((-score_SA[row_P, answer_P], row_P))
    first_S = order[np.unique(row_P[order], return_index=True)[1]]
    best_S, right_S = score_SA[row_P[first_S], answer_P[first_S]], answer_P[first_S]
    above_SA = score_SA >= (best_S - EQUAL)[:, None]
    above_SA[row_P, answer_P] = False
    strictly_S = (score_SA > (best_S + EQUAL)[:, None]).any(axis=1)
    hit_S = np.where(strictly_S, 0.0, 1 / (1 + above_SA.sum(axis=1)))
    _leave_out_judged(above_SA, ranked, prepared)
    told, overlaps = _Overlaps(read), []
    completed_S = hit_S.copy()
    for row in range(len(best_S)):
        overlaps.append(told.first_same(np.flatnonzero(above_SA[row]), score_SA[row], int(right_S[row])))
        if (other := overlaps[-1].unjudged) >= 0 and score_SA[row, other] >= score_SA[row].max() - EQUAL:
            completed_S[row] = 1.0
    ids, queries = prepared.answers["answer_id"].to_numpy(), prepared.queries.iloc[ranked.query_S]
    table = pd.DataFrame(
        {
            "query_id": queries["query_id"].to_numpy(),
            "answer_id": ids[right_S],
            "split": queries["split"].to_numpy(),
            "unjudged": ["" if one.unjudged < 0 else ids[one.unjudged] for one in overlaps],
            "overlap": [one.overlap for one in overlaps],
            "right": hit_S,
            "completed": completed_S,
        }
    )
    return {"unjudged": table[COLUMNS], "rows_missing-judgements": _merges(table)}


def _leave_out_judged(above_SA: np.ndarray, ranked: Ranked, prepared: Prepared) -> None:
    """What was judged and is not relevant is no missing judgement."""
    judged = prepared.qrels[prepared.qrels["score"] <= 0]
    query = pd.Index(prepared.queries["query_id"].to_numpy()[ranked.query_S]).get_indexer(judged["query_id"])
    answer = pd.Index(prepared.answers["answer_id"]).get_indexer(judged["answer_id"])
    is_here = (query >= 0) & (answer >= 0)
    above_SA[query[is_here], answer[is_here]] = False


class _Overlaps:
    """What answers have in common, as sets of word 3-grams; each is read once, when it is asked for."""

    def __init__(self, read: Read) -> None:
        self.texts = read.answer_words
        self.grams: dict[int, frozenset[tuple[str, ...]]] = {}
        self.known: dict[tuple[int, int], float | None] = {}

    def first_same(self, answer_N: np.ndarray, score_A: np.ndarray, right: int) -> Found:
        for answer in answer_N[np.argsort(-score_A[answer_N], kind="stable")[:DEPTH]].tolist():
            if (overlap := self.same(answer, right)) is not None:
                return Found(answer, overlap)
        return Found(-1, 0.0)

    def same(self, one: int, other: int) -> float | None:
        """What two answers share, as a part of both; None where they do not say the same."""
        pair = (min(one, other), max(one, other))
        if pair not in self.known:
            first, second = self.of(one), self.of(other)
            common, least = len(first & second), min(len(first), len(second))
            of_both = common / max(len(first | second), 1)
            is_inside = least >= MIN_CONTAINED and common / least >= INSIDE
            self.known[pair] = of_both if of_both >= SAME or is_inside else None
        return self.known[pair]

    def of(self, answer: int) -> frozenset[tuple[str, ...]]:
        if answer not in self.grams:
            text = self.texts[answer]
            # Of a text of one or two words itself: another one is equal or not.
            self.grams[answer] = frozenset(zip(text, text[1:], text[2:], strict=False) if len(text) > 2 else [(*text,)])
        return self.grams[answer]


def _merges(table: pd.DataFrame) -> pd.DataFrame:
    """The unjudged answer goes to the judged one, for most queries first; no answer goes on to a third one."""
    found = table[(table["unjudged"] != "") & (table["overlap"] >= SAME)]
    counted = Counter(zip(found["unjudged"], found["answer_id"], strict=True))
    into: dict[str, str] = {}
    for (other, right), _ in sorted(counted.items(), key=lambda one: (-one[1], one[0])):
        if other not in into and right not in into and other not in into.values():
            into[other] = right
    rows = [("", other, right, "says the same, and stands above it") for other, right in into.items()]
    return pd.DataFrame(rows, columns=CORRECTION_COLUMNS)
