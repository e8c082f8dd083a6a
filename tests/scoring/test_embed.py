"""Vectors of all texts under a system, and their scores."""

import numpy as np
import pytest
import torch
from torch import nn

from whyrank.core.params import Encoder, Evaluate
from whyrank.model import heads, system
from whyrank.scoring import embed, rank
from whyrank.scoring.embed import Vectors

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
    np.testing.assert_allclose(embed.scorer(vectors, "dot")(np.array([1, 0])), [[0.0, 10.0], [3.0, 20.0]])
    np.testing.assert_allclose(embed.scorer(vectors, "cosine")(np.array([1, 0])), [[0.0, 1.0], [0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize("score", ["cosine", "dot"])
def test_the_final_evaluation_and_the_watch_while_training_give_the_same_metrics(topics, make_encoder, score):
    from whyrank.training.evaluation import RankingWatch
    from whyrank.training.vectors import FrozenVectors

    torch.manual_seed(0)
    chain = nn.Sequential(heads.MlpHead(32, 8, 10, 0.5))
    model = system.System(make_encoder(), chain, chain, score).eval()
    table = FrozenVectors(
        make_encoder().encode(topics.token_ids, batch_tokens=256, precision="fp32"), torch.device("cpu")
    )
    with torch.inference_mode():
        watched = RankingWatch(topics, model, table, np.random.default_rng(0))()
    run = rank.rank(
        embed.scorer(embed.embed(model, topics, ENCODER), score), topics, rank.judged(topics, "dev"),
        Evaluate([1, 3, 10], [3, 10], [10], "", keep=10),
    )  # fmt: skip
    final = rank.summary(run.queries)
    for name, value in watched.items():
        if not name.startswith("train_"):
            assert final[name] == pytest.approx(value), name
