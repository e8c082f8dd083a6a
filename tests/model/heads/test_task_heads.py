"""What tasks have apart: who is served by what, and that a folder keeps all of it."""

import json

import pytest
import torch
from torch import nn

from whyrank.model import system
from whyrank.model.heads import heads
from whyrank.model.heads.task_heads import TaskHeads, rebuild
from whyrank.model.system import System

NAMES = ["rank", "similarity", "classification"]
VECTORS = torch.randn(4, 32, generator=torch.Generator().manual_seed(0))


def chain(kind="residual"):
    return nn.Sequential() if kind == "none" else nn.Sequential(heads.HEADS[kind](32, 8, 32, 0.1))


def moved(module):
    """Every weight differs from a fresh one."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return module


def tasks_with(own=("similarity",), embeddings=False, attention=False, names=NAMES):
    widths = {"embedding_width": 32 * embeddings, "attention_width": 32 * attention}
    return TaskHeads(names, {name: chain() for name in own}, **widths)


@pytest.fixture
def arranged(tiny_encoder):
    def arrange(*, dual=False, **changes):
        torch.manual_seed(0)
        query_head = chain()
        answer_head = chain() if dual else query_head
        return moved(System(tiny_encoder, query_head, answer_head, "cosine", tasks_with(**changes))).eval()

    return arrange


ARRANGEMENTS = {
    "own head": {},
    "embeddings": {"own": (), "embeddings": True},
    "attention": {"own": ("similarity", "classification"), "attention": True},
    "all, two heads that rank": {
        "own": ("similarity", "classification"), "embeddings": True, "attention": True, "dual": True,
    },
}  # fmt: skip


def test_a_head_of_its_own_serves_its_task_and_no_other(arranged):
    made = arranged(dual=True)
    with torch.inference_mode():
        assert torch.equal(made.features("similarity", VECTORS), made.tasks.own["similarity"](VECTORS))
        assert torch.equal(made.features("classification", VECTORS), made.query_head(VECTORS))
        assert torch.equal(made.queries(VECTORS), made.query_head(VECTORS))
        assert torch.equal(made.answers(VECTORS), made.answer_head(VECTORS))
    assert made.head_of("similarity") is made.tasks.own["similarity"]
    assert made.head_of("classification") is made.head_of("rank") is made.query_head


def test_an_embedding_is_added_to_the_vectors_of_its_task_and_is_zero_at_the_start(arranged):
    fresh = tasks_with(own=(), embeddings=True)
    assert torch.equal(fresh("rank", VECTORS, nn.Sequential()), VECTORS)
    made = arranged(own=(), embeddings=True)
    with torch.inference_mode():
        for name in NAMES:
            shifted = made.query_head(VECTORS + made.tasks.embedding[name])
            assert torch.equal(made.features(name, VECTORS), shifted)
            assert not torch.allclose(shifted, made.query_head(VECTORS), atol=0.01)


def test_attention_looks_at_the_heads_of_all_tasks_and_for_answers_at_the_head_of_answers(arranged):
    made = arranged(own=("similarity", "classification"), attention=True, dual=True)
    with torch.inference_mode():
        others = {name: made.tasks.own[name](VECTORS) for name in ("similarity", "classification")}
        for features, rank_head in ((made.queries, made.query_head), (made.answers, made.answer_head)):
            expected = made.tasks.attention("rank", {"rank": rank_head(VECTORS)} | others)
            assert torch.equal(features(VECTORS), expected)
            assert not torch.allclose(expected, rank_head(VECTORS), atol=0.01)
        expected = made.tasks.attention("similarity", {"rank": made.query_head(VECTORS)} | others)
        assert torch.equal(made.features("similarity", VECTORS), expected)


@pytest.mark.parametrize("attention", [False, True])
def test_a_task_that_was_not_trained_is_served_as_ranking_is(attention, arranged):
    names, own = ["rank", "classification"], ("classification",)
    made = arranged(names=names, own=own, embeddings=True, attention=attention)
    with torch.inference_mode():
        assert torch.equal(made.features("similarity", VECTORS), made.queries(VECTORS))
    # Without ranking, nothing was learnt for it: its head alone.
    other = arranged(names=["similarity", "classification"], own=NAMES[1:], embeddings=True, attention=attention)
    with torch.inference_mode():
        assert torch.equal(other.queries(VECTORS), other.query_head(VECTORS))


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_a_saved_system_loads_with_identical_vectors_of_every_task(name, arranged, tmp_path):
    saved = arranged(**ARRANGEMENTS[name])
    system.save(saved, tmp_path / "model", longest=16)
    loaded = system.load(tmp_path / "model")
    with torch.inference_mode():
        for task in NAMES:
            assert torch.equal(loaded.of_task(task, VECTORS), saved.of_task(task, VECTORS)), task
        for one, two in zip(saved.project(VECTORS, VECTORS), loaded.project(VECTORS, VECTORS), strict=True):
            assert torch.equal(one, two)
    assert loaded.state_dict().keys() == saved.state_dict().keys()
    assert not any(module.training for module in loaded.modules())


def test_the_description_is_plain_and_rebuilds_the_same_arrangement():
    made = tasks_with(own=("similarity", "classification"), embeddings=True, attention=True)
    again = rebuild(json.loads(json.dumps(made.describe())))
    assert again.describe() == made.describe() and again.state_dict().keys() == made.state_dict().keys()
    assert rebuild(tasks_with().describe()).attention is None


def test_a_system_that_shares_everything_says_nothing_of_tasks(tiny_folder):
    assert "tasks" not in json.loads((tiny_folder / "heads.json").read_text())
    assert system.load(tiny_folder).tasks is None
