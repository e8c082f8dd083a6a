"""LoRA: starts as the encoder itself, trains nothing but the updates, and is an ordinary encoder once merged."""

import importlib.util

import pytest
import torch

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.model import system
from whyrank.model.encoder import lora
from whyrank.training import finetune

ROWS = [[2, 7, 8, 3], [2, 9, 3]]
ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)


@pytest.fixture
def updates():
    pytest.importorskip("peft")
    return params.Lora(rank=4, alpha=8, dropout=0.0)


def test_it_starts_as_the_encoder_itself_and_trains_only_the_updates(make_encoder, updates):
    plain, adapted = make_encoder(), make_encoder()
    lora.add(adapted, updates)
    torch.testing.assert_close(adapted(ROWS), plain(ROWS), atol=1e-6, rtol=0)
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    # Two low-rank matrices beside each of query, key and value in two blocks.
    assert len(trained) == 2 * 3 * 2 and all("lora_" in name for name in trained)


def test_merged_it_has_the_names_of_an_ordinary_encoder_and_the_vectors_of_the_adapted_one(make_encoder, updates):
    names = list(make_encoder().state_dict())
    adapted = make_encoder()
    lora.add(adapted, updates)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    expected = adapted.eval()(ROWS).detach()
    lora.merge(adapted)
    assert list(adapted.state_dict()) == names
    torch.testing.assert_close(adapted(ROWS), expected, atol=1e-5, rtol=0)
    assert not torch.allclose(adapted(ROWS), make_encoder()(ROWS), atol=1e-2)


def test_fine_tuning_with_it_learns_and_gives_a_system_that_can_be_saved_and_loaded(
    topics, make_encoder, options, updates, tmp_path
):
    changes = {"train": "all", "head.kind": "none", "lora.rank": 4, "encoder_learning_rate": 3e-3, "epochs": 6}
    chosen = options("finetune_rank", params.FinetuneRank, changes)
    trained = finetune.finetune_rank(system.untrained(make_encoder()), topics, chosen, ENCODER, 7)
    loss = trained.history.steps["rank_loss"]
    assert loss.iloc[-3:].mean() < loss.iloc[:3].mean()
    system.save(trained.system, tmp_path / "tuned", longest=16)
    back = system.load(tmp_path / "tuned")
    torch.testing.assert_close(back.encoder(ROWS), trained.system.encoder(ROWS), atol=1e-6, rtol=0)


def test_rank_0_leaves_the_encoder_as_it_is(make_encoder):
    encoder = make_encoder()
    lora.add(encoder, params.Lora(0, 16, 0.0))
    lora.merge(encoder)
    assert list(encoder.state_dict()) == list(make_encoder().state_dict())


def test_without_peft_it_is_a_user_error_with_the_command_that_installs_it(make_encoder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install peft"):
        lora.add(make_encoder(), params.Lora(4, 8, 0.0))


@pytest.mark.parametrize("train", ["head", "last"])
def test_a_frozen_encoder_and_lora_contradict_each_other(topics, make_encoder, options, train):
    chosen = options("finetune_rank", params.FinetuneRank, {"train": train, "lora.rank": 4})
    with pytest.raises(UserError, match=r"LoRA needs `train: all`"):
        finetune.finetune_rank(system.untrained(make_encoder()), topics, chosen, ENCODER, 7)
