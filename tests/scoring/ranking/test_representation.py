"""The geometry of a system as flat numbers that any JSON reader takes."""

import warnings

import numpy as np
import pandas as pd
import pytest

from whyrank.core import io
from whyrank.core.options.params import Evaluate
from whyrank.measure.metrics import geometry, separation
from whyrank.scoring.ranking import representation
from whyrank.scoring.ranking import score as rank
from whyrank.scoring.ranking.representation import Vectors
from whyrank.scoring.search import embed

ALWAYS = {
    "features", "vector_norm", "mean_off_pair_cosine", "matched_cosine", "permuted_cosine", "feature_std",
    "effective_rank", "centred_effective_rank", "alignment", "uniformity", "query_answer_distance", "hubness_skew",
    "hubness_never_share", "hubness_largest_share", "within_answer_share", "within_answer_share_chance", "cluster_size",
}  # fmt: skip
OF_TWO_TYPES = {"question_conversation_distance", "type_probe_auc"}


def described(prepared, vectors):
    run = rank.rank(
        embed.Product(vectors, "cosine"),
        prepared,
        rank.queries_with_relevant(prepared, "test"),
        Evaluate([1], [3], [3], "", keep=20, pair_tokens=128),
    )
    return representation.describe(vectors, prepared, run.top, seed=7)


@pytest.fixture
def clouds(topics):
    """Queries around their answer, three units long."""
    random = np.random.default_rng(0)
    answers = random.standard_normal((6, 12))
    queries = answers[topics.relevant["answer"]] + 0.3 * random.standard_normal((len(topics.queries), 12))
    queries *= 3 / np.linalg.norm(queries, axis=1, keepdims=True)
    return Vectors(queries.astype(np.float32), answers.astype(np.float32))


def test_the_numbers_are_flat_finite_and_those_that_diagnosis_expects(topics, clouds, tmp_path):
    numbers = described(topics, clouds)
    assert set(numbers) == ALWAYS | OF_TWO_TYPES
    io.write_metrics(tmp_path / "metrics.json", numbers)  # refuses what is not a finite number


def test_the_numbers_are_those_of_the_measures_on_unit_vectors(topics, clouds):
    numbers = described(topics, clouds)
    queries, answers = geometry.unit_rows(clouds.query_ND), geometry.unit_rows(clouds.answer_AD)
    own = answers[topics.relevant["answer"]]
    is_question = (topics.queries["type"] == "question").to_numpy()
    answer_of = topics.relevant["answer"].to_numpy()
    assert numbers["vector_norm"] == pytest.approx(3.0)  # the one number before normalisation
    assert numbers["features"] == 12
    assert numbers["matched_cosine"] == pytest.approx((queries * own).sum(1).mean())
    assert numbers["matched_cosine"] > numbers["permuted_cosine"] + 0.3
    assert numbers["alignment"] == pytest.approx(2 - 2 * numbers["matched_cosine"])  # |u - v|^2 = 2 - 2 u.v
    assert numbers["query_answer_distance"] == pytest.approx(np.linalg.norm(queries - own, axis=1).mean())
    assert numbers["feature_std"] == pytest.approx(geometry.feature_std(queries))
    assert numbers["within_answer_share"] == pytest.approx(separation.within_answer_share(queries, answer_of).share)
    assert numbers["question_conversation_distance"] == pytest.approx(
        separation.centroid_distances(queries, answer_of, is_question).distance_A.mean()
    )


def test_a_set_of_one_type_leaves_out_what_compares_two(topics, clouds):
    one_type = type(topics)(topics.answers, topics.queries.assign(type="question"), topics.qrels)
    assert set(described(one_type, clouds)) == ALWAYS


def test_what_is_undefined_is_left_out_without_a_warning(make_prepared):
    # One query per answer: no cluster has a size; types that share no answer: no distance between them.
    prepared = make_prepared(
        [(f"a{i}", str(i)) for i in range(4)],
        [(f"q{i}", "question" if i < 2 else "conversation", "test", "x") for i in range(4)],
        [(f"q{i}", f"a{i}", 1.0) for i in range(4)],
    )
    random = np.random.default_rng(0)
    vectors = Vectors(*random.standard_normal((2, 4, 5)).astype(np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numbers = described(prepared, vectors)
    assert ALWAYS - {"cluster_size"} <= set(numbers)
    assert "cluster_size" not in numbers and "question_conversation_distance" not in numbers
    assert all(np.isfinite(value) for value in numbers.values())


def test_a_collapsed_encoder_is_described_as_one(topics):
    vectors = Vectors(np.ones((len(topics.queries), 8), np.float32), np.ones((6, 8), np.float32))
    numbers = described(topics, vectors)
    assert numbers["mean_off_pair_cosine"] == pytest.approx(1.0)
    assert numbers["matched_cosine"] == pytest.approx(numbers["permuted_cosine"])
    assert numbers["feature_std"] == pytest.approx(0.0, abs=1e-6)
    assert numbers["effective_rank"] == pytest.approx(1.0, abs=0.01)
    assert numbers["type_probe_auc"] == pytest.approx(0.5)
    assert "within_answer_share" not in numbers  # nothing varies, so there is nothing to share


def test_a_hub_shows_in_the_ten_best_places_only(make_prepared):
    # 30 answers; answer 0 leads every list, the places 2 to 10 go round; what stands below place 10 does not count.
    prepared = make_prepared(
        [(f"a{i}", str(i)) for i in range(30)], [("q", "question", "test", "x")], [("q", "a0", 1.0)]
    )
    rows = []
    for query in range(20):
        others = [1 + (query * 9 + i) % 29 for i in range(29)]
        rows += [(f"q{query}", place + 1, f"a{answer}") for place, answer in enumerate([0, *others])]
    hubs = representation.hubs(pd.DataFrame(rows, columns=["query_id", "rank", "answer_id"]), prepared)
    assert hubs["hubness_largest_share"] == 1.0 and hubs["hubness_never_share"] == 0.0
    assert hubs["hubness_skew"] > 3
