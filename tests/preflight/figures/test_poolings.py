"""An encoder under all poolings, from one pass."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from whyrank.core.options import params
from whyrank.measure.metrics import locating
from whyrank.model.encoder.declared import Declared
from whyrank.model.encoder.encoder import Encoder
from whyrank.model.encoder.projection import Projection
from whyrank.preflight.figures import poolings

OPTIONS = params.Encoder(
    "tiny", pooling="auto", precision="fp32", attention_dropout=0.0, batch_tokens=100, trust_remote_code=False
)


@pytest.mark.parametrize("name", [*poolings.COMMON, "lasttoken", "cls+weightedmean"])
def test_the_vectors_of_each_pooling_are_those_of_an_encoder_that_has_it(name, topics, make_encoder):
    rows = topics.token_ids[:20]
    expected = make_encoder(pooling=name).encode(rows, batch_tokens=100, precision="fp32")
    declaring = make_encoder(pooling="mean")
    declaring.declared = Declared(pooling=name)
    found = poolings.pooled(declaring, rows, OPTIONS)
    assert list(found) == list(dict.fromkeys([*poolings.COMMON, name]))
    np.testing.assert_allclose(found[name], expected, atol=1e-5)


def test_each_query_has_its_reciprocal_rank_among_the_answers_of_the_sample(topics, tiny_encoder):
    table = poolings.compare(tiny_encoder, topics, OPTIONS)
    train = topics.queries[topics.queries["split"] == "train"]
    assert table["query_id"].tolist() == train["query_id"].tolist()  # 48, fewer than the sample may have
    vector_ND = tiny_encoder.encode(topics.token_ids, batch_tokens=100, precision="fp32")
    unit_ND = vector_ND / np.linalg.norm(vector_ND, axis=1, keepdims=True)
    score_SA = unit_ND[len(topics.answers) + train.index] @ unit_ND[: len(topics.answers)].T
    own_S = topics.answers["answer_id"].searchsorted(table["answer_id"], sorter=np.argsort(topics.answers["answer_id"]))
    own_S = np.argsort(topics.answers["answer_id"].to_numpy())[own_S]
    above_S, _ = locating.locate(score_SA, np.arange(len(table)), own_S)
    np.testing.assert_allclose(table["mean"], 1 / (1 + above_S))
    assert set(table["used"]) == {"mean"} and set(table["declared"]) == {""}


def test_a_large_set_is_sampled_evenly(topics, tiny_encoder, monkeypatch):
    monkeypatch.setattr(poolings, "QUERIES", 7)
    table = poolings.compare(tiny_encoder, topics, OPTIONS)
    train = topics.queries.loc[topics.queries["split"] == "train", "query_id"].tolist()
    assert len(table) == 7
    assert table["query_id"].iloc[[0, -1]].tolist() == [train[0], train[-1]]


def test_an_encoder_that_is_read_as_it_declares_costs_nothing(topics, tiny_encoder):
    tiny_encoder.declared = Declared(pooling=tiny_encoder.pooling)
    assert poolings.tables(tiny_encoder, replace(topics, queries=topics.queries[:0]), OPTIONS) == {}


def test_files_that_declare_another_pooling_than_the_mean_may_be_wrong(topics, make_encoder):
    encoder = make_encoder(pooling="cls")
    encoder.declared = Declared(pooling="cls")
    (table,) = poolings.tables(encoder, topics, OPTIONS).values()
    assert set(table["used"]) == set(table["declared"]) == {"cls"} and "mean" in table


def test_poolings_are_compared_below_what_the_encoder_has_above(topics, make_encoder):
    from sentence_transformers.sentence_transformer.modules import Dense

    torch.manual_seed(0)
    projection, rows = Projection(nn.Sequential(Dense(32, 8))), topics.token_ids[:20]

    def projected(pooling):
        made = make_encoder()
        return Encoder(made.transformer, made.tokenizer, pooling, Declared(pooling="cls+mean"), projection).eval()

    found = poolings.pooled(projected("mean"), rows, OPTIONS)
    # `cls+mean` has twice the features that the Dense takes.
    assert list(found) == list(poolings.COMMON)
    for name, vector_ND in found.items():
        expected = projected(name).encode(rows, batch_tokens=100, precision="fp32")
        np.testing.assert_allclose(vector_ND, expected, atol=1e-5)
