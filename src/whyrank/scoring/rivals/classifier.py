"""Logistic regression on frozen vectors, an answer being a class.

Shapes: Q queries · A answers · C answers with a training query · P pairs of a training query and an answer
        D features
"""

import warnings

import numpy as np

from whyrank.core.options.systems import System
from whyrank.scoring.rivals.sources import Training, Units, unit_vectors
from whyrank.scoring.tasks import Scored, Tasks

# Passes over the training queries: at most, at least, and multiplications of all of them together. Of conditionalqa
# (495 answers) 29 passes leave the MRR within 0.003 of that of 100.
MOST_PASSES, LEAST_PASSES, WORK = 100, 20, 1.5e10


class Classifier:
    """Logits of the answers that have a training query; the others are tied below them."""

    def __init__(self, units: Units, weight_CD: np.ndarray, bias_C: np.ndarray, class_C: np.ndarray) -> None:
        self.units, self.weight_CD, self.bias_C, self.class_C = units, weight_CD, bias_C, class_C

    def __call__(self, query_Q: np.ndarray) -> np.ndarray:
        """(Q, A) float32"""
        logit_QC = self.units.query_ND[query_Q] @ self.weight_CD.T + self.bias_C
        score_QA = np.repeat(logit_QC.min(axis=1, keepdims=True) - 1, len(self.units.answer_AD), axis=1)
        score_QA[:, self.class_C] = logit_QC
        return score_QA.astype(np.float32)


def fitted(units: Units, training: Training, strength: float) -> Classifier:
    """strength   scikit-learn's C: inverse strength of the regularisation"""
    # They take a second that only this system should pay.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    class_C = np.unique(training.answer_P)
    if len(class_C) == 1:
        return Classifier(units, np.zeros((1, units.query_ND.shape[1])), np.zeros(1), class_C)
    cells = units.query_ND[training.query_P].size * len(class_C)
    model = LogisticRegression(C=strength, max_iter=int(min(MOST_PASSES, max(LEAST_PASSES, WORK // cells))))
    # Several threads wait for each other between the short products of a pass: they take twice the time of one.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(units.query_ND[training.query_P], training.answer_P)
    weight_CD, bias_C = model.coef_, model.intercept_
    if len(class_C) == 2:  # of two classes it has the logit of the second alone
        weight_CD, bias_C = np.concatenate([-weight_CD, weight_CD]), np.concatenate([-bias_C, bias_C])
    return Classifier(units, weight_CD, bias_C, class_C)


def classifier(system: System, tasks: Tasks) -> Scored:
    """Rank by the logits under the C that is best on the dev queries; the first of `C` without any.

    Raises UserError without training queries.
    """
    units, training = unit_vectors(system), Training.of(tasks.texts)
    tried = []
    for strength in sorted(system.C):
        score = fitted(units, training, strength)
        tried.append((tasks.dev_mrr(score), strength, score))
    dev_mrr, strength, score = max(tried, key=lambda one: one[0] or 0.0)
    ids = tasks.texts.answers["answer_id"].to_numpy(dtype=str)
    return Scored(
        tasks.rank(score),
        others=tasks.rank_others(score),
        how={"C": strength, "dev_mrr": dev_mrr, "classes": len(score.class_C), **training.unseen(tasks.texts)},
        index={"weight": score.weight_CD, "bias": score.bias_C, "classes": ids[score.class_C], "answer_ids": ids},
    )
