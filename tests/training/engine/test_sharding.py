"""FSDP in a group of one process, whose part is the whole: the same numbers, kept as DTensors.

What two processes do with it stands in test_processes.py.
"""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributed.tensor import DTensor

from whyrank.core import processes
from whyrank.core.options import params
from whyrank.model import system
from whyrank.training import finetune
from whyrank.training.engine import sharding
from whyrank.training.engine.optimiser import Optimiser
from whyrank.training.engine.sharding import ShardedVectors
from whyrank.training.engine.vectors import LiveVectors
from whyrank.training.engine.watch import changing

ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
LIMITS = {"batch_tokens": 64, "precision": "fp32"}
INDEX = np.array([3, 0, 3, 50, 7, 0, 3])


@pytest.fixture
def group():
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.fixture
def both(group, make_encoder, topics):
    """The same encoder plain and sharded, under a head of its own: modules, and the vectors of the encoder."""
    made = []
    for kind in (LiveVectors, ShardedVectors):
        encoder = make_encoder()
        vectors = kind(encoder, topics.token_ids, **LIMITS)
        torch.manual_seed(0)
        made.append((nn.ModuleDict({"heads": nn.Linear(32, 8), "encoder": encoder}), vectors))
    return made


def backward(trained, vectors):
    trained["heads"](vectors(INDEX)).square().sum().backward()


def test_every_weight_of_the_encoder_is_dealt_out_and_whole_again_after_gathering(both, make_encoder):
    _, (trained, vectors) = both
    encoder, plain = trained["encoder"], make_encoder()
    assert all(isinstance(parameter, DTensor) for parameter in encoder.parameters())
    vector_BD = vectors(INDEX)
    torch.testing.assert_close(vector_BD, LiveVectors(plain, vectors.rows, **LIMITS)(INDEX), atol=1e-6, rtol=0)
    assert not vectors.inference(INDEX).requires_grad
    assert all(isinstance(parameter, DTensor) for parameter in encoder.parameters())  # also after a forward pass
    vectors.gather()
    after, before = encoder.state_dict(), plain.state_dict()
    assert after.keys() == before.keys()
    assert all(type(after[name]) is torch.Tensor and torch.equal(after[name], before[name]) for name in before)
    assert [type(module) for module in encoder.modules()] == [type(module) for module in plain.modules()]
    assert all(parameter.requires_grad for parameter in encoder.parameters()) and not encoder.training
    np.testing.assert_array_equal(encoder.encode(vectors.rows, **LIMITS), plain.encode(vectors.rows, **LIMITS))


@pytest.mark.parametrize("largest", [0.1, 1e9])
def test_the_gradient_norm_and_what_clipping_leaves_are_those_of_plain_tensors(both, largest):
    (plain, _), (sharded, _) = both
    for trained, vectors in both:
        backward(trained, vectors)
    norm = float(nn.utils.get_total_norm([one.grad for one in plain.parameters() if one.grad is not None]))
    assert norm > 0.1
    assert sharding.clip(plain.parameters(), largest) == norm
    assert sharding.clip(sharded.parameters(), largest) == pytest.approx(norm, rel=1e-6)
    # A BERT's pooler is not used, and has no gradient.
    gradients = [{n: p.grad for n, p in part.named_parameters() if p.grad is not None} for part in (plain, sharded)]
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(sharding.whole(gradients[1][name]), gradient, atol=1e-6, rtol=1e-5)
    left = nn.utils.get_total_norm(list(gradients[0].values()))
    assert float(left) == pytest.approx(min(norm, largest), rel=1e-3)


def test_without_any_gradient_the_norm_is_0():
    assert sharding.clip(nn.Linear(1, 1).parameters(), 1.0) == 0.0


def test_a_state_of_whole_tensors_comes_back_into_parts(both, options):
    _, (trained, vectors) = both
    names = [name for name, _ in trained.named_parameters()]
    chosen = options("finetune_rank", params.FinetuneRank)
    optimiser = Optimiser(trained, chosen, 3).adamw

    def state():
        return {"trained": changing(trained, names), "optimiser": optimiser.state_dict()}

    def step():
        optimiser.zero_grad()
        backward(trained, vectors)
        optimiser.step()

    step()
    kept = copy.deepcopy(sharding.whole(state()))
    tensors = [*kept["trained"].values(), *kept["optimiser"]["state"][0].values()]
    assert tensors and not any(isinstance(tensor, DTensor) for tensor in tensors)
    step()
    then = copy.deepcopy(sharding.whole(state()))
    sharding.load(trained, kept["trained"])
    sharding.load_optimiser(optimiser, kept["optimiser"])
    step()
    torch.testing.assert_close(sharding.whole(state()), then, atol=0, rtol=0)
    assert all(isinstance(parameter, DTensor) for parameter in trained["encoder"].parameters())
    assert sharding.whole(state(), keep=False)["trained"]["encoder.transformer.embeddings.LayerNorm.bias"] is None


def test_a_process_short_of_texts_runs_as_many_passes_as_the_others_and_adds_nothing(make_encoder, topics, monkeypatch):
    encoder = make_encoder()
    vectors = LiveVectors(encoder, topics.token_ids, **LIMITS)
    passes = []
    encoder.register_forward_hook(lambda *_: passes.append(1))
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "number", lambda: 1)
    monkeypatch.setattr(processes, "add_up", lambda tensor: None)
    vector_BD = vectors(np.array([3]))
    assert vector_BD.tolist() == [[0.0] * 32] and len(passes) == 1
    (vector_BD + torch.ones(1, 32)).square().sum().backward()
    gradients = [parameter.grad for parameter in encoder.parameters() if parameter.grad is not None]
    assert len(gradients) > 30 and not any(gradient.any() for gradient in gradients)
    # One batch of texts: the first process has it.
    assert not vectors.inference(np.array([3, 5])).any() and len(passes) == 2


def test_one_process_has_nothing_to_share_and_trains_as_without_it(topics, make_encoder, options):
    def trained(shard_encoder):
        changes = {"train": "all", "batch_size": 8, "epochs": 0.5, "shard_encoder": shard_encoder}
        torch.manual_seed(0)
        chosen = options("finetune_rank", params.FinetuneRank, changes)
        return finetune.finetune_rank(system.untrained(make_encoder()), topics, chosen, ENCODER, 7).system.state_dict()

    one, other = trained(True), trained(False)
    assert all(torch.equal(one[name], tensor) for name, tensor in other.items())
