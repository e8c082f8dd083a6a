"""How well two texts of one answer agree, before and after pretraining, where it saw them and where it did not."""

from typing import NamedTuple

import numpy as np

from whyrank.core.prepared import Prepared
from whyrank.diagnosis.examination import Examination
from whyrank.measure.metrics import geometry

# What a pair of views may be, in the words of a report.
VIEWS = ("questions and conversations", "queries and answers")
# Below this, chance alone moves a mean diagonal over hundreds of features by more than a hundredth.
LEAST_PAIRS = 20


class Agreement(NamedTuple):
    """Mean diagonal of the cross-correlation over one pair of texts per answer, before and after pretraining."""

    view: str
    train_before: float
    train_after: float
    test_before: float
    test_after: float


def agreement(case: Examination, view: str) -> Agreement | None:
    """None where a system was not evaluated, or a split has too few answers with both texts."""
    runs, values = case.records.runs, []
    after = next(iter(case.systems.with_role("pretrained")), "")
    for split in ("train", "test"):
        first_P, second_P = first_pairs(case, split, view)
        for system in (case.systems.start.get(after, ""), after):
            run = runs.get(system)
            if run is None or run.query_vectors is None or run.answer_vectors is None or len(first_P) < LEAST_PAIRS:
                return None
            second_ND = run.answer_vectors if view == "queries and answers" else run.query_vectors
            values.append(geometry.mean_diagonal(run.query_vectors[first_P], second_ND[second_P]))
    return Agreement(view, *values)


def first_pairs(case: Examination, split: str, view: str) -> tuple[np.ndarray, np.ndarray]:
    """Of each answer with both texts in a split: rows of its first question and conversation, or first query and it."""
    data = case.data
    pairs = Prepared(data.answers, data.queries, data.qrels).relevant_in(split)
    if view == "queries and answers":
        firsts = pairs.drop_duplicates("answer")
        return firsts["query"].to_numpy(), firsts["answer"].to_numpy()
    kind_P = data.queries["type"].to_numpy()[pairs["query"]]
    sides = [pairs[kind_P == kind].drop_duplicates("answer") for kind in ("question", "conversation")]
    both = sides[0].merge(sides[1], on="answer")
    return both["query_x"].to_numpy(), both["query_y"].to_numpy()
