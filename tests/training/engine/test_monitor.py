"""Wall-clock figures of a training."""

import time

import pytest
import torch
from torch import nn

from whyrank.model.encoder import layers
from whyrank.training.engine import monitor
from whyrank.training.engine.monitor import Speed, operations_per_token


@pytest.fixture
def trained():
    # 3 * 5 weights learn in the encoder; its frozen layer, its norm and the head do not count.
    encoder = nn.ModuleDict({"low": nn.Linear(7, 3).requires_grad_(False), "up": nn.Linear(3, 5), "n": nn.LayerNorm(5)})
    return nn.ModuleDict({"encoder": encoder, "heads": nn.Linear(5, 5)})


def test_operations_are_six_for_each_trained_weight_of_the_encoder(trained):
    assert operations_per_token(trained) == 6 * 15


def test_a_last_block_that_gives_first_tokens_of_kept_activations_does_not_count(make_encoder):
    def operations(pooling, last):
        encoder = make_encoder(pooling=pooling)
        layers.freeze_below(encoder, last)
        return operations_per_token(nn.ModuleDict({"encoder": encoder}))

    assert operations("mean", 2) == 2 * operations("mean", 1) > 0
    assert operations("cls", 2) == operations("mean", 1) and operations("cls", 1) == 0
    whole = make_encoder(pooling="cls")
    assert operations_per_token(nn.ModuleDict({"encoder": whole})) > operations("mean", 2)  # with the pooler's


def test_the_rate_is_over_the_steps_alone(monkeypatch):
    clock = iter([100.0, 103.0, 109.0])  # begun; first step ends; second step ends, after a look of 4 seconds
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    measured = Speed()
    measured.count(1, 101.0, 30)
    measured.count(2, 107.0, 50)
    assert measured.tokens_per_second == 80 / (2 + 2)
    assert measured.table().to_dict("list") == {
        "step": [1, 2], "seconds": [3.0, 9.0], "step_seconds": [2.0, 2.0], "tokens": [30, 50],
    }  # fmt: skip


def test_the_summary_sets_the_rate_beside_that_of_a_matrix_product(trained, monkeypatch):
    monkeypatch.setattr(monitor, "product_rate", lambda device, dtype: 4e9)
    measured = Speed()
    measured.rows = [(1, 20.0, 20.0, 4e8)]
    # 2e7 tokens a second of 90 operations are 1.8e9 of 4e9.
    assert measured.summary(trained, 0.031, torch.float32) == (
        "20,000,000 tokens/s, padding 3.1%, 45% of the 4 GFLOP/s that a large matrix product reaches"
    )


@pytest.mark.parametrize("rows", [[], [(1, 1.0, 1.0, 500.0)], [(1, 60.0, 60.0, 0.0)]])
def test_short_trainings_and_those_on_tables_measure_no_processor(rows, trained, monkeypatch):
    monkeypatch.setattr(monitor, "product_rate", lambda *_: pytest.fail("measured"))
    measured = Speed()
    measured.rows = rows
    assert measured.summary(trained, 0.0, torch.float32) == ""
