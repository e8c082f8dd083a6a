"""Vectors in fewer bytes: by hand, by sentence-transformers, and what is left of a ranking."""

import numpy as np
import pytest

from whyrank.core.errors import UserError
from whyrank.core.options.systems import System
from whyrank.scoring.rivals import compressed
from whyrank.scoring.systems import score


def system(store="float32", **more):
    return System("compressed", "rival", "data/runs/base", store=store, **more)


def test_stores_by_hand():
    answer_AD = np.array([[0.0, 3.0], [255.0, 3.0], [100.2, 3.0]], dtype=np.float32)
    stored = compressed.int8(answer_AD)
    # Steps of 1 in the first feature; the second is the same for all.
    np.testing.assert_allclose(stored.answer_AD, [[0, 3], [255, 3], [100, 3]], rtol=1e-6)
    assert stored.bits == 8
    signs = compressed.binary(np.array([[0.1, -5.0], [0.0, 2.0]], dtype=np.float32))
    np.testing.assert_allclose(signs.answer_AD, np.array([[1, -1], [-1, 1]]) / np.sqrt(2), rtol=1e-6)
    assert signs.bits == 1
    half = compressed.STORES["float16"](np.array([[1 / 3]], dtype=np.float32))
    assert half.answer_AD[0, 0] == np.float32(np.float16(1 / 3)) and half.bits == 16


def test_int8_takes_the_steps_of_sentence_transformers_and_the_nearest_of_them():
    from sentence_transformers.util.quantization import quantize_embeddings

    answer_AD = np.random.default_rng(0).standard_normal((200, 16)).astype(np.float32)
    codes_AD = quantize_embeddings(answer_AD, "int8").astype(int) + 128
    low_D, high_D = answer_AD.min(axis=0), answer_AD.max(axis=0)
    own_AD = np.rint((compressed.int8(answer_AD).answer_AD - low_D) / ((high_D - low_D) / 255)).astype(int)
    assert np.abs(own_AD - codes_AD).max() <= 1 and own_AD.max() == 255 and own_AD.min() == 0
    signs = quantize_embeddings(answer_AD, "ubinary")
    np.testing.assert_array_equal(np.packbits(compressed.binary(answer_AD).answer_AD > 0, axis=1), signs)


def test_a_run_is_that_of_the_vectors_read_back_and_says_how_many_bytes_are_left(tasks, make_vectors, leave):
    cosine = leave("base", *make_vectors(1.0))
    whole = tasks.rank(cosine).queries["mrr"].to_numpy()
    found = {store: score(system(store), tasks) for store in ("float16", "int8", "binary")}
    assert {store: one.how["bytes"] for store, one in found.items()} == {"float16": 16, "int8": 8, "binary": 1}
    for store in ("float16", "int8"):
        np.testing.assert_allclose(found[store].run.queries["mrr"], whole, atol=0.6)
        assert abs(found[store].run.queries["mrr"].mean() - whole.mean()) < 0.05
    assert found["int8"].metrics["bytes_per_answer"] == 8 and found["int8"].how["bytes_before"] == 32
    assert found["int8"].how["kind"] == "compressed" and found["int8"].vectors is None


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_first_features_alone_rank_as_vectors_of_those_would(tasks, make_vectors, leave, similarity):
    query_ND, answer_AD = make_vectors(1.0)
    leave("base", query_ND, answer_AD)
    found = score(system(dims=3, similarity=similarity), tasks)
    assert found.how["bytes"] == 12 and found.metrics["features"] == 3
    leave("cut", query_ND[:, :3], answer_AD[:, :3])
    if similarity == "cosine":
        same = score(System("compressed", "rival", "data/runs/cut", dims=3), tasks)
        np.testing.assert_array_equal(found.run.top["answer_id"], same.run.top["answer_id"])
    product_QA = query_ND[tasks.texts.rows("test"), :3] @ answer_AD[:, :3].T
    best = tasks.texts.answers["answer_id"].to_numpy()[product_QA.argmax(axis=1)]
    first = found.run.top.query("rank == 1")["answer_id"].to_numpy()
    assert (first == best).all() == (similarity == "dot")


def test_rescoring_by_hand():
    first_QA = np.array([[0.9, 0.1, 0.8, 0.3], [0.2, 0.2, 0.2, 0.1]], dtype=np.float32)
    second_QA = np.array([[0.5, 9.0, 0.6, 9.0], [0.1, 0.4, 9.0, 9.0]], dtype=np.float32)
    found_QA = compressed.rescored(first_QA, second_QA, 2)
    # Answers 0 and 2 of the first query, and 0 and 1 of the second, whose first scores are equal, have their second
    # scores. The best of the others is a hundredth of the largest below the lowest of these; they keep their distances.
    expected = [[0.5, 0.494 - 0.2, 0.6, 0.494], [0.1, 0.4, 0.096, 0.096 - 0.1]]
    np.testing.assert_allclose(found_QA, expected, atol=1e-6)
    assert found_QA.dtype == np.float32 and first_QA[0, 0] == np.float32(0.9)
    np.testing.assert_array_equal(compressed.rescored(first_QA, second_QA, 4), second_QA)


def test_rescoring_is_a_sort_of_the_first_answers_by_int8(tasks, make_vectors, leave):
    query_ND, answer_AD = make_vectors(1.0)
    leave("base", query_ND, answer_AD)
    found = score(system("binary", rescore=5), tasks)
    assert found.how["bytes"] == 9 and found.how["bytes_searched"] == 1 and found.how["rescore"] == 5
    unit = answer_AD / np.linalg.norm(answer_AD, axis=1, keepdims=True)
    signs, fine, ids = np.sign(answer_AD), compressed.int8(unit).answer_AD, tasks.texts.answers["answer_id"].to_numpy()
    query_ids = tasks.texts.queries["query_id"].to_numpy()
    for row in tasks.texts.rows("test"):
        best = np.argsort(-(signs @ query_ND[row]))
        expected = [*sorted(best[:5], key=lambda answer: -(fine[answer] @ query_ND[row])), *best[5:]]
        own = found.run.top[found.run.top["query_id"] == query_ids[row]].sort_values("rank")["answer_id"].tolist()
        assert own == ids[expected][: len(own)].tolist()


def test_all_answers_rescored_are_ranked_as_by_int8(tasks, make_vectors, leave):
    leave("base", *make_vectors(1.0))
    every = score(system("binary", rescore=10_000), tasks)
    np.testing.assert_array_equal(every.run.top["answer_id"], score(system("int8"), tasks).run.top["answer_id"])


@pytest.mark.parametrize("store", ["float16", "int8"])
def test_only_binary_vectors_are_rescored(store):
    (fault,) = system(store, rescore=10).faults()
    assert fault.key == "rescore" and "only answers kept as `store: binary`" in str(fault)


def test_what_has_no_meaning_is_a_user_error(tasks, make_vectors, leave):
    leave("base", *make_vectors(1.0))
    with pytest.raises(UserError, match=r"^data/runs/base: its vectors have 8 features, fewer than `dims: 9`"):
        score(system(dims=9), tasks)
    (fault,) = system().faults()
    assert "nothing is compressed" in str(fault)
