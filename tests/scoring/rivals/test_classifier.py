"""Logistic regression on kept vectors."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from whyrank.core.options.systems import System
from whyrank.scoring.rivals.classifier import fitted
from whyrank.scoring.rivals.sources import Training, Units, unit_vectors
from whyrank.scoring.systems import score

CLASSIFIER = System("classifier", "rival", "data/runs/base", C=[0.01, 10.0])


def test_its_logits_are_those_of_scikit_learn_and_its_choice_is_the_better_one_on_dev(tasks, make_vectors, leave):
    leave("base", *make_vectors(0.5, apart=True))
    scored = score(CLASSIFIER, tasks)
    units, training = unit_vectors(CLASSIFIER), Training.of(tasks.texts)
    found = {}
    for strength in CLASSIFIER.C:
        model = LogisticRegression(C=strength).fit(units.query_ND[training.query_P], training.answer_P)
        found[strength] = tasks.dev_mrr(lambda query_Q, model=model: model.decision_function(units.query_ND[query_Q]))
    assert scored.how["dev_mrr"] == pytest.approx(max(found.values()))
    assert found[scored.how["C"]] == pytest.approx(max(found.values()))
    model = LogisticRegression(C=scored.how["C"]).fit(units.query_ND[training.query_P], training.answer_P)
    test_Q = tasks.texts.rows("test")
    first = scored.run.top[scored.run.top["rank"] == 1]["answer_id"].to_numpy()
    predicted = model.predict(units.query_ND[test_Q])
    assert (first == tasks.texts.answers["answer_id"].to_numpy()[predicted]).mean() > 0.97
    assert scored.run.queries["accuracy@1"].mean() > 0.8


@pytest.mark.parametrize("answers", [1, 2, 3])
def test_answers_without_training_queries_are_tied_last_with_any_number_of_classes(answers):
    random = np.random.default_rng(0)
    answer_P = np.repeat(np.arange(answers), 4)
    units = Units(
        random.standard_normal((len(answer_P), 3)).astype("f4") + 3 * answer_P[:, None], np.zeros((5, 3), "f4")
    )
    score_QA = fitted(units, Training(np.arange(len(answer_P)), answer_P), 10.0)(np.arange(len(answer_P)))
    assert score_QA.shape == (len(answer_P), 5) and np.isfinite(score_QA).all()
    assert (score_QA[:, answers:] == score_QA[:, -1:]).all()
    assert (score_QA[:, answers:].max(axis=1) < score_QA[:, :answers].min(axis=1)).all()
    if answers == 2:
        assert (score_QA[:, :2].argmax(axis=1) == answer_P).mean() > 0.7
