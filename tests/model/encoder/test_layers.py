"""An encoder cut in two; that both halves give what the whole gives is proved in tests/training/test_vectors.py."""

import importlib.util

import numpy as np
import pytest
import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.model import system
from whyrank.model.encoder import layers
from whyrank.training import finetune


def test_only_the_last_layers_are_left_trainable(tiny_encoder):
    layers.freeze_below(tiny_encoder, 1)
    for name, parameter in tiny_encoder.named_parameters():
        assert parameter.requires_grad == ("layer.1." in name), name


@pytest.mark.parametrize("last", [0, 3, -1])
def test_more_blocks_than_there_are_or_none_is_a_user_error_that_says_how_many_there_are(tiny_encoder, last):
    with pytest.raises(UserError, match=rf"^params\.yaml: `last_layers` is {last}, this encoder has 2 layers"):
        layers.freeze_below(tiny_encoder, last)


def test_an_encoder_of_another_family_is_a_user_error_with_a_way_out(tiny_encoder):
    tiny_encoder.transformer.encoder = nn.Identity()
    with pytest.raises(UserError, match=r"not BertModel; set `train: head` or `train: all`"):
        layers.layers_of(tiny_encoder)


def test_a_part_shares_its_weights_with_the_whole_and_leaves_it_as_it_was(tiny_encoder):
    upper = layers.part(tiny_encoder, slice(-1, None), embeddings=False).transformer
    assert upper.encoder.layer[0] is tiny_encoder.transformer.encoder.layer[1]
    assert len(upper.encoder.layer) == 1
    assert len(tiny_encoder.transformer.encoder.layer) == 2
    assert not isinstance(tiny_encoder.transformer.embeddings, layers.PassThrough)


def test_activations_are_those_of_the_frozen_blocks_end_to_end_in_the_order_asked_for(tiny_encoder, tmp_path):
    rows = [[2, 7, 8, 3], [2, 9, 3], [2, 7, 10, 11, 3]]
    kept = layers.Activations(tiny_encoder, rows, 1, batch_tokens=8, precision="fp32", folder=tmp_path)
    token_TD = kept.packed(np.array([1, 0]))
    assert token_TD.shape == (7, 32) and token_TD.dtype == torch.float32
    tiny_encoder.transformer.set_attn_implementation("sdpa")
    for row, found in ((rows[1], token_TD[:3]), (rows[0], token_TD[3:])):
        with torch.no_grad():
            states = tiny_encoder.transformer(torch.tensor([row]), output_hidden_states=True).hidden_states
        torch.testing.assert_close(found, states[1][0], atol=1e-5, rtol=0)  # states[0] are the embeddings


@pytest.mark.parametrize(
    ("count", "of", "kept"),
    [(4, 12, [1, 4, 7, 10]), (3, 6, [1, 3, 5]), (2, 6, [1, 4]), (1, 6, [3]), (5, 6, [0, 1, 3, 4, 5])],
)
def test_blocks_are_kept_evenly_spread(tiny_encoder, count, of, kept):
    whole = [nn.Linear(1, 1) for _ in range(of)]
    tiny_encoder.transformer.encoder.layer = nn.ModuleList(whole)
    layers.keep(tiny_encoder, count)
    left = tiny_encoder.transformer.encoder.layer
    assert [whole.index(layer) for layer in left] == kept
    assert tiny_encoder.transformer.config.num_hidden_layers == count


def test_an_encoder_of_fewer_blocks_is_saved_and_loaded_as_one(make_encoder, tmp_path):
    whole, smaller = make_encoder(), make_encoder()
    layers.keep(whole, 0)
    layers.keep(smaller, 1)
    system.save(system.untrained(smaller), tmp_path / "small", longest=16)
    loaded = system.load(tmp_path / "small").encoder
    rows = [[2, 7, 8, 3], [2, 9, 3]]
    of_each = [encoder.encode(rows, batch_tokens=64, precision="fp32") for encoder in (whole, smaller, loaded)]
    assert np.array_equal(of_each[1], of_each[2]) and not np.allclose(of_each[0], of_each[1], atol=1e-2)


@pytest.mark.parametrize("count", [3, -1])
def test_more_blocks_kept_than_there_are_is_a_user_error(tiny_encoder, count):
    with pytest.raises(UserError, match=rf"`encoder\.keep_layers` is {count}, this encoder has 2 layers"):
        layers.keep(tiny_encoder, count)


def test_blocks_of_another_family_are_not_dropped_but_a_user_error(tiny_encoder):
    tiny_encoder.is_packed = False
    with pytest.raises(UserError, match=r"needs an encoder of the BERT family, not BertModel"):
        layers.keep(tiny_encoder, 1)


ROWS = [[2, 7, 8, 3], [2, 9, 3]]
ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)


@pytest.fixture
def updates():
    pytest.importorskip("peft")
    return params.Lora(rank=4, alpha=8, dropout=0.0)


def test_it_starts_as_the_encoder_itself_and_trains_only_the_updates(make_encoder, updates):
    plain, adapted = make_encoder(), make_encoder()
    layers.add_lora(adapted, updates)
    torch.testing.assert_close(adapted(ROWS), plain(ROWS), atol=1e-6, rtol=0)
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    # Two low-rank matrices beside each of query, key and value in two blocks.
    assert len(trained) == 2 * 3 * 2 and all("lora_" in name for name in trained)


def test_merged_it_has_the_names_of_an_ordinary_encoder_and_the_vectors_of_the_adapted_one(make_encoder, updates):
    names = list(make_encoder().state_dict())
    adapted = make_encoder()
    layers.add_lora(adapted, updates)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    expected = adapted.eval()(ROWS).detach()
    layers.merge_lora(adapted)
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
    layers.add_lora(encoder, params.Lora(0, 16, 0.0))
    layers.merge_lora(encoder)
    assert list(encoder.state_dict()) == list(make_encoder().state_dict())


def test_without_peft_it_is_a_user_error_with_the_command_that_installs_it(make_encoder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install peft"):
        layers.add_lora(make_encoder(), params.Lora(4, 8, 0.0))


@pytest.mark.parametrize("train", ["head", "last"])
def test_a_frozen_encoder_and_lora_contradict_each_other(options, train):
    with pytest.raises(UserError, match=rf"`train` is {train}; LoRA needs all"):
        options("finetune_rank", params.FinetuneRank, {"train": train, "lora.rank": 4})


def test_the_layers_that_are_kept_follow_the_configuration_of_the_encoder(tiny_encoder):
    layers.keep(tiny_encoder, 1)
    ids = torch.tensor([[2, 7, 8, 3]])
    tiny_encoder.transformer.set_attn_implementation("sdpa")
    with torch.no_grad():
        assert tiny_encoder.transformer(ids).last_hidden_state.shape == (1, 4, 32)
