"""Pretraining is kept where the dev queries likely gain by it; else what it started from comes back, bit for bit."""

import numpy as np
import pytest
import torch

from whyrank.core.options.params import Encoder, Lora, PretrainBarlow
from whyrank.model import readout, system
from whyrank.model.encoder import layers
from whyrank.training.barlow import gained, pretrain
from whyrank.training.engine.dev_ranking import RankingWatch
from whyrank.training.engine.vectors import FrozenVectors
from whyrank.training.engine.watch import DevWatch


@pytest.fixture
def run(topics, make_encoder, options, shipped_params):
    def run(**changes):
        torch.manual_seed(0)
        base = {"steps": 8, "batch_size": 6, "views": ["span-document"], "learning_rate": 1e-2, "texts.per_text": 2}
        base |= {"early_stopping.metric": "map@10_all", "head.hidden": 8, "encoder_learning_rate": 1e-2}
        chosen = options("pretrain_barlow", PretrainBarlow, base | changes)
        start = system.untrained(make_encoder().eval())
        return start, pretrain.pretrain_barlow(start, topics, chosen, Encoder(**shipped_params["encoder"]), 7)

    return run


def gaining(monkeypatch, low):
    interval = readout.resampling.Interval(0.1, low, 0.2)
    monkeypatch.setattr(gained.readout, "gain", lambda *given: interval)


@pytest.mark.parametrize(
    "changes", [{"train": "head"}, {"train": "last"}, {"train": "all"}, {"train": "all", "lora.rank": 4}]
)
def test_without_a_likely_gain_the_start_comes_back_bit_for_bit(run, monkeypatch, make_encoder, changes):
    gaining(monkeypatch, -0.001)
    monkeypatch.setattr(DevWatch, "restore", lambda watch: 8)  # the encoder has moved
    start, trained = run(**changes)
    assert trained.system is start and trained.history.best_step == 0 and len(trained.history.steps) == 8
    fresh, back = make_encoder().eval().state_dict(), start.encoder.state_dict()
    assert fresh.keys() == back.keys() and all(torch.equal(weight, fresh[name]) for name, weight in back.items())


@pytest.mark.parametrize("changes", [{"train": "last"}, {"train": "all", "lora.rank": 4}])
@pytest.mark.parametrize("low", [-0.001, 0.001])
def test_another_training_of_what_comes_back_may_change_the_whole_encoder(run, monkeypatch, changes, low):
    gaining(monkeypatch, low)
    assert all(weight.requires_grad for weight in run(**changes)[1].system.encoder.parameters())


def test_what_no_training_changes_is_not_kept_twice(make_encoder):
    encoder = make_encoder()
    assert not gained.weights(encoder, train="head")
    layers.add_lora(encoder, Lora(rank=4, alpha=16, dropout=0.0))
    kept = gained.weights(encoder, train="all")
    assert {name.rpartition("self.")[2] for name in kept} == {"query.weight", "value.weight", "key.weight"}


def test_with_a_likely_gain_and_without_a_metric_to_choose_by_the_trained_weights_are_kept(run, monkeypatch):
    gaining(monkeypatch, 0.001)
    assert len(run()[1].system.query_head) == 1
    gaining(monkeypatch, -0.001)
    _, trained = run(**{"early_stopping.metric": ""})
    assert trained.history.best_step == 8 and len(trained.system.query_head) == 1


def test_the_gain_is_of_reciprocal_ranks_of_dev_queries_by_answer(topics, make_encoder):
    model = system.untrained(make_encoder())
    random = np.random.default_rng(0)
    table = FrozenVectors(random.standard_normal((len(topics.token_ids), 32)).astype("f4"), torch.device("cpu"))
    before = gained.Gained(model, topics, table, "head", 1)
    watch = RankingWatch(topics, model, table, np.random.default_rng(0))
    metrics = watch()
    np.testing.assert_allclose(before.before_Q.mean(), metrics["mrr_all"])
    assert not before.is_likely(model)  # no query moved
    # Every query now lies on its answer.
    own = topics.relevant.set_index("query")["answer"]
    table.vector_ND[6 + own.index.to_numpy()] = table.vector_ND[own.to_numpy()]
    assert before.is_likely(model)


def test_undoing_gives_every_trained_weight_back(topics, make_encoder):
    model = system.untrained(make_encoder())
    table = FrozenVectors(np.eye(len(topics.token_ids), 32, dtype="f4"), torch.device("cpu"))
    before = {name: weight.clone() for name, weight in model.encoder.named_parameters()}
    kept = gained.Gained(model, topics, table, "all", 1)
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight += 1
    kept.undo()
    assert all(torch.equal(weight, before[name]) for name, weight in model.encoder.named_parameters())
