"""Vectors of all texts under a system, and their scores."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from whyrank.core.options.params import Encoder, Evaluate
from whyrank.model import system
from whyrank.model.heads import heads
from whyrank.scoring.ranking import score as rank
from whyrank.scoring.ranking.representation import Vectors
from whyrank.scoring.search import embed, one_pass_topk, tiles

ENCODER = Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)


def test_queries_and_answers_go_through_their_own_heads_in_the_order_of_the_tables(topics, make_encoder):
    torch.manual_seed(0)
    query_head, answer_head = (nn.Sequential(heads.MlpHead(32, 8, 10, 0.5)) for _ in range(2))
    dual = system.System(make_encoder(), query_head, answer_head, "cosine").eval()
    vectors = embed.embed(dual, topics, ENCODER)
    encoder = make_encoder()
    for rows, head, found in (
        (topics.queries["input_ids"], query_head, vectors.query_ND),
        (topics.answers["input_ids"], answer_head, vectors.answer_AD),
    ):
        encoded = encoder.encode(list(rows), batch_tokens=256, precision="fp32")
        with torch.inference_mode():
            np.testing.assert_allclose(found, head(torch.as_tensor(encoded)).numpy(), atol=1e-5)
        assert found.dtype == np.float32
    assert vectors.query_ND.shape == (len(topics.queries), 10) and vectors.answer_AD.shape == (6, 10)
    assert np.abs(np.linalg.norm(vectors.query_ND, axis=1) - 1).max() > 0.1  # before normalisation


def test_scores_by_hand():
    vectors = Vectors(
        np.array([[3.0, 4.0], [0.0, 2.0]], dtype=np.float32), np.array([[1.0, 0.0], [0.0, 5.0]], dtype=np.float32)
    )
    np.testing.assert_allclose(embed.Product(vectors, "dot")(np.array([1, 0])), [[0.0, 10.0], [3.0, 20.0]])
    np.testing.assert_allclose(embed.Product(vectors, "cosine")(np.array([1, 0])), [[0.0, 1.0], [0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize("score", ["cosine", "dot"])
def test_the_final_evaluation_and_the_watch_while_training_give_the_same_metrics(topics, make_encoder, score):
    from whyrank.training.engine.dev_ranking import RankingWatch
    from whyrank.training.engine.vectors import FrozenVectors

    torch.manual_seed(0)
    chain = nn.Sequential(heads.MlpHead(32, 8, 10, 0.5))
    model = system.System(make_encoder(), chain, chain, score).eval()
    table = FrozenVectors(
        make_encoder().encode(topics.token_ids, batch_tokens=256, precision="fp32"), torch.device("cpu")
    )
    with torch.inference_mode():
        watched = RankingWatch(topics, model, table, np.random.default_rng(0))()
    run = rank.rank(
        embed.Product(embed.embed(model, topics, ENCODER), score), topics, rank.queries_with_relevant(topics, "dev"),
        Evaluate([1, 3, 10], [3, 10], [10], "", keep=10, pair_tokens=128),
    )  # fmt: skip
    final = rank.summary(run.queries)
    for name, value in watched.items():
        if not name.startswith("train_"):
            assert final[name] == pytest.approx(value), name


def some_vectors(random):
    return Vectors(*(random.standard_normal((n, 12)).astype(np.float32) for n in (30, 500)))


@pytest.mark.parametrize("kind", ["cosine", "dot"])
def test_tiles_pairs_and_bounds_are_those_of_the_whole_rows(kind, monkeypatch):
    monkeypatch.setattr(tiles, "ROWS", 8)
    monkeypatch.setattr(tiles, "COLUMNS", 60)
    score, query_Q = embed.Product(some_vectors(np.random.default_rng(0)), kind), np.arange(3, 30, 2)
    score_QA, tiled_QA = score(query_Q), np.full((14, 500), np.nan)
    firsts = []
    for rows, first, score_RB in score.tiles(query_Q):
        assert score_RB.dtype == np.float32 and score_RB.shape <= (8, 60)
        tiled_QA[rows, first : first + score_RB.shape[1]] = score_RB
        firsts.append(first)
    assert firsts == sorted(firsts)
    np.testing.assert_allclose(tiled_QA, score_QA, atol=1e-5)
    answer_P = np.arange(500)[::-1]
    query_P = query_Q[np.arange(500) % 14]
    np.testing.assert_allclose(score.pairs(query_P, answer_P), score_QA[np.arange(500) % 14, answer_P], atol=1e-5)
    assert (score.bounds(query_Q) >= np.abs(score_QA).max(axis=1)).all()


class Shelf:
    """Vectors that note which rows are taken."""

    def __init__(self, vector_AD):
        self.vector_AD, self.taken = vector_AD, []

    def __len__(self):
        return len(self.vector_AD)

    def __getitem__(self, row):
        self.taken.append(np.arange(len(self))[row])
        return self.vector_AD[row]


def test_answers_are_read_once_in_order_a_block_at_a_time(monkeypatch):
    monkeypatch.setattr(tiles, "ROWS", 4)
    monkeypatch.setattr(tiles, "COLUMNS", 60)
    vectors = some_vectors(np.random.default_rng(0))
    shelf = Shelf(vectors.answer_AD)
    found = one_pass_topk.find_in_tiles(
        embed.Product(Vectors(vectors.query_ND, shelf), "cosine"),
        np.arange(30),
        tiles.Pairs(np.arange(30), np.arange(30)),
        keep=5,
    )
    own, *swept = shelf.taken
    assert own.tolist() == list(range(30))  # the relevant answers, beforehand
    assert np.concatenate(swept).tolist() == list(range(500)) and max(map(len, swept)) == 60
    assert found.answer_QK.shape == (30, 5)


def test_a_file_mapped_for_reading_gives_the_run_of_vectors_in_memory(topics, tmp_path):
    random = np.random.default_rng(0)
    vectors = Vectors(*(random.standard_normal((n, 12)).astype(np.float32) for n in (len(topics.queries), 6)))
    np.save(tmp_path / "answers.npy", vectors.answer_AD)
    mapped = Vectors(vectors.query_ND, np.load(tmp_path / "answers.npy", mmap_mode="r"))
    options, test_Q = Evaluate([1], [3], [3], "", keep=3, pair_tokens=128), rank.queries_with_relevant(topics, "test")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns of memory that it may not write to
        runs = [rank.rank(embed.Product(of, "cosine"), topics, test_Q, options) for of in (vectors, mapped)]
    assert runs[0].queries.equals(runs[1].queries) and runs[0].top.equals(runs[1].top)
