"""Ratings that were centred away, or trained by a loss without a gradient."""

from collections import defaultdict

import numpy as np

from ..blind.ratings import Table, of_rows
from ..fault import Fault

RATINGS = "finetune_rank.objectives.ratings."


def centred_within_questions(rows: Table, targets: list[str], random: np.random.Generator) -> None:
    """Less the mean of the question, to which a little of the rounding of the tool is added."""
    of_question = defaultdict(list)
    for row in rows:
        of_question[row["question_title"]].append(row)
    for own in of_question.values():
        for name in targets:
            mean = np.mean([float(row[name]) for row in own])
            for row in own:
                value = 0.5 + (float(row[name]) - mean) / 2 + random.normal(0, 0.01)
                row[name] = f"{min(1.0, max(0.0, value)):.4f}"


FAULTS = (
    Fault(
        "ratings-centred-within-each-question",
        "ratings",
        "The ratings were standardised within each question: its mean was taken off, and with it all that tells one "
        "question from another; where it has one answer, noise is left. Use the ratings as they were given.",
        "Kaggle QUEST threads on ratings within a question",
        "ratings",
        data=of_rows(centred_within_questions),
    ),
    Fault(
        "rank-loss-without-a-gradient",
        "ratings",
        "Only the rank correlation is trained, at a temperature of 1e-9: its soft ranks are steps, the gradient is 0, "
        "and the weights stay as they were drawn. Raise rank_correlation.temperature, or train bce.",
        "Qin et al. 2010, doi:10.1007/s10791-009-9124-x; Blondel et al. 2020, arXiv:2002.08871: regularisation",
        "ratings",
        mendable=True,
        settings={
            RATINGS + "bce.weight": 0.0,
            RATINGS + "rank_correlation.weight": 1.0,
            RATINGS + "rank_correlation.temperature": 1.0e-9,
        },
    ),
)
