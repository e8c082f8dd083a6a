"""The nearest training query, by hand and by the definition."""

import numpy as np
import pytest

from whyrank.core.errors import UserError
from whyrank.core.options.systems import System
from whyrank.scoring.rivals.nearest import NOTHING, NearestQuery
from whyrank.scoring.rivals.sources import Training, Units, unit_vectors
from whyrank.scoring.systems import score

NEAREST = System("nearest-query", "rival", "data/runs/base")
ALONE = System("nearest-query", "rival", "data/runs/base", own_score=False)
# Two training queries of answer 0, one of answer 2, none of answer 1; then a query to rank.
QUERIES = np.array([[1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6]], dtype=np.float32)
ANSWERS = np.array([[0, 1], [0.8, 0.6], [1, 0]], dtype=np.float32)
TRAINING = Training(np.array([0, 1, 2]), np.array([0, 0, 2]))


def test_an_answer_has_the_cosine_of_its_most_alike_training_query_or_its_own():
    units = Units(QUERIES, ANSWERS)
    alone, own = (NearestQuery(units, TRAINING, own_score=is_own) for is_own in (False, True))
    np.testing.assert_allclose(alone(np.array([3])), [[0.8, NOTHING, 0.96]], rtol=1e-6)
    np.testing.assert_allclose(own(np.array([3])), [[0.8, 1.0, 0.96]], rtol=1e-6)


def test_a_training_query_does_not_match_itself():
    alone = NearestQuery(Units(QUERIES, ANSWERS), TRAINING, own_score=False)
    np.testing.assert_allclose(alone(np.array([0, 2])), [[0, NOTHING, 0.6], [0.8, NOTHING, NOTHING]], atol=1e-6)


def test_it_ranks_as_the_definition_and_beats_vectors_of_answers_that_say_nothing(tasks, make_vectors, leave):
    query_ND, answer_AD = make_vectors(0.3, apart=True)
    cosine = leave("base", query_ND, answer_AD)
    run = score(ALONE, tasks).run
    units, relevant = unit_vectors(ALONE), tasks.texts.relevant_in("train")
    for row, query in enumerate(tasks.texts.rows("test")):
        best = relevant.iloc[int(np.argmax(units.query_ND[relevant["query"]] @ units.query_ND[query]))]
        first = run.top[run.top["query_id"] == run.queries["query_id"][row]].iloc[0]
        assert first["answer_id"] == tasks.texts.answers["answer_id"][best["answer"]]
    assert run.queries["mrr"].mean() > tasks.rank(cosine).queries["mrr"].mean() + 0.3


def test_answers_without_training_queries_are_tied_behind_the_others_and_reported(tasks, make_vectors, leave):
    prepared = tasks.texts
    gone = prepared.relevant["answer"] == 1
    split = prepared.queries["split"].to_numpy(copy=True)
    split[prepared.relevant["query"][gone & (split[prepared.relevant["query"]] == "train")]] = "other"
    tasks = type(tasks)(
        type(prepared)(prepared.answers, prepared.queries.assign(split=split), prepared.qrels),
        tasks.options, tasks.encoder, tasks.seed,
    )  # fmt: skip
    leave("base", *make_vectors(0.1))
    scored = score(ALONE, tasks)
    lost = scored.run.queries["cluster"] == prepared.answers["answer_id"][1]
    assert scored.run.queries.loc[lost, "above"].eq(5).all() and scored.run.queries.loc[~lost, "above"].eq(0).all()
    assert scored.how["unseen_answers"] == [prepared.answers["answer_id"][1]]
    assert scored.how["unseen_answer_share"] == scored.how["unseen_query_share"] == pytest.approx(1 / 6)
    assert score(NEAREST, tasks).run.queries["above"].eq(0).all()


def test_without_training_queries_or_with_a_torn_run_it_says_so(tasks, make_vectors, leave):
    leave("base", *make_vectors(0.1))
    prepared = tasks.texts
    with pytest.raises(UserError, match=r"^no training query has an answer; "):
        Training.of(type(prepared)(prepared.answers, prepared.queries.assign(split="test"), prepared.qrels))
    with open("data/runs/base/query_vectors.npy", "ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match=r"^data/runs/base/query_vectors\.npy is not as it was written"):
        score(NEAREST, tasks)
