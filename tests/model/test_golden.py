"""Golden vectors: what a system gives in memory is what it gives when it was saved and loaded."""

import numpy as np
import pytest
import torch

from whyrank.core.options.params import Encoder, Head
from whyrank.model import system
from whyrank.model.golden import TEXTS, golden_vectors, spread
from whyrank.model.heads import heads

ENCODER = Encoder("folder", "auto", "fp32", 0.0, batch_tokens=2048, trust_remote_code=False, keep_layers=0)


def stacked(table, name):
    return np.stack(list(table[name]))


def test_rows_are_spread_over_the_table():
    assert spread(5).tolist() == [0, 1, 2, 3, 4]
    assert len(spread(1000)) == TEXTS and spread(1000)[[0, -1]].tolist() == [0, 999]


def test_both_heads_and_what_is_below_them_are_recorded_without_dropout(topics, tiny_encoder):
    pair = [torch.nn.Sequential(torch.nn.Linear(32, 4), torch.nn.Dropout(0.5)) for _ in range(2)]
    dual = system.System(tiny_encoder, *pair, "cosine")
    dual.train()
    table = golden_vectors(dual, topics, ENCODER)
    assert dual.training and dual.query_head.training
    below = torch.as_tensor(stacked(table, "encoder_vector").copy())
    for name, head in zip(("query_vector", "answer_vector"), pair, strict=True):
        np.testing.assert_allclose(stacked(table, name), head[0](below).detach().numpy(), atol=1e-6)
    is_answer = table["side"] == "answer"
    ids = topics.answers["input_ids"].iloc[table.loc[is_answer, "row"]].tolist()
    expected = tiny_encoder.encode(ids, batch_tokens=2048, precision="fp32")
    np.testing.assert_allclose(below[is_answer.to_numpy()], expected, atol=1e-5)


@pytest.mark.parametrize("dual", [False, True])
def test_a_saved_system_gives_the_same_golden_vectors_and_one_without_its_heads_others(
    topics, tiny_encoder, tmp_path, dual
):
    torch.manual_seed(0)
    (head,) = heads.build(Head("mlp", 8, 24, 0.1, experts=3, top=2, balance=0.0), 32)
    before = system.with_heads(system.untrained(tiny_encoder), torch.nn.Sequential(head), dual=dual, score="cosine")
    system.save(before.eval(), tmp_path / "system", longest=64)
    trained, loaded = (golden_vectors(one, topics, ENCODER) for one in (before, system.load(tmp_path / "system")))
    for name in ("encoder_vector", "query_vector", "answer_vector"):
        np.testing.assert_allclose(stacked(trained, name), stacked(loaded, name), atol=1e-5)
    bare = golden_vectors(system.untrained(tiny_encoder), topics, ENCODER)
    assert stacked(bare, "query_vector").shape != stacked(trained, "query_vector").shape
