"""A system on disk is the system in memory."""

import pytest
import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options.params import Head
from whyrank.model import system
from whyrank.model.heads import heads
from whyrank.model.system import System

TEXTS = ["pension", "visa travel border passport when i travel", "my tax refund", "school", "the car"]


def some_head(width, kind="mlp"):
    """A head whose every weight and statistic differs from a fresh one."""
    (head,) = heads.build(Head(kind, 8, 24, 0.1, experts=3, top=2, balance=0.0), width)
    with torch.no_grad():
        for tensor in [*head.parameters(), *head.buffers()]:
            if tensor.is_floating_point():
                tensor += torch.rand_like(tensor)
    return head


def vectors(of: System, texts=TEXTS):
    rows = of.encoder.tokenise(texts, 16)
    encoded = torch.as_tensor(of.encoder.encode(rows, batch_tokens=100, precision="fp32"))
    with torch.inference_mode():
        return of.project(encoded[:2], encoded[2:])


@pytest.fixture
def arrangement(tiny_encoder):
    torch.manual_seed(0)

    def arrange(name):
        if name == "no heads":
            return system.untrained(tiny_encoder)
        chain = nn.Sequential(some_head(32))
        if name == "chain of two":
            chain.append(some_head(24, "residual"))
        if name == "experts":
            chain = nn.Sequential(some_head(32, "experts"))
        answers = nn.Sequential(some_head(32)) if name == "dual" else chain
        return System(tiny_encoder, chain, answers, "dot" if name == "dual" else "cosine").eval()

    return arrange


@pytest.mark.parametrize("name", ["no heads", "shared", "dual", "chain of two", "experts"])
def test_a_saved_system_loads_with_identical_vectors(arrangement, tmp_path, name):
    saved = arrangement(name)
    system.save(saved, tmp_path / "model", longest=16)
    loaded = system.load(tmp_path / "model")
    for one, two in zip(vectors(saved), vectors(loaded), strict=True):
        assert torch.equal(one, two)
    assert loaded.score == saved.score
    assert loaded.is_dual == saved.is_dual == (name == "dual")
    assert not any(module.training for module in loaded.modules())
    assert system.longest(tmp_path / "model") == 16


def test_the_heads_of_a_dual_system_are_not_mixed_up(arrangement):
    dual = arrangement("dual")
    query, answer = torch.randn(2, 32), torch.randn(3, 32)
    with torch.inference_mode():
        projected = dual.project(query, answer)
        assert torch.equal(projected[0], dual.query_head(query))
        assert torch.equal(projected[1], dual.answer_head(answer))
        assert not torch.allclose(projected[0], dual.answer_head(query))


def test_the_cosine_score_gives_unit_rows_and_the_dot_score_leaves_them(arrangement):
    shared = arrangement("shared")
    for rows in vectors(shared):
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(rows)))
    shared.score = "dot"
    assert all((rows.norm(dim=1) - 1).abs().min() > 0.1 for rows in vectors(shared))


def test_a_shared_head_sees_queries_and_answers_as_one_batch(arrangement):
    # In training BatchNorm standardises by what it sees; seen apart, each side would be centred alone.
    shared = arrangement("shared")
    shared.score = "dot"
    shared.query_head[0].layers[3].p = 0.0
    shared.train()
    query, answer = torch.randn(4, 32) + 2, torch.randn(5, 32) - 2
    both = shared.query_head(torch.cat([query, answer]))
    projected = shared.project(query, answer)
    assert torch.equal(torch.cat(projected), both)
    assert not torch.allclose(projected[0], shared.query_head(query), atol=0.1)


def test_dual_heads_start_as_equal_copies_that_share_no_weight(tiny_encoder):
    start = system.untrained(tiny_encoder)
    chain = nn.Sequential(some_head(32))
    dual = system.with_heads(start, chain, dual=True, score="cosine")
    assert torch.equal(dual.query_head[0].layers[0].weight, dual.answer_head[0].layers[0].weight)
    with torch.no_grad():
        dual.query_head[0].layers[0].weight += 1
    assert not torch.equal(dual.query_head[0].layers[0].weight, dual.answer_head[0].layers[0].weight)
    assert sorted(dual.heads()) == ["answer", "query"]
    shared = system.with_heads(start, chain, dual=False, score="cosine")
    assert sorted(shared.heads()) == ["query"] and shared.encoder is tiny_encoder


def test_an_unchanged_encoder_is_handed_on_as_the_very_bytes_of_its_source(arrangement, tiny_folder, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    original = (tiny_folder / "model.safetensors").read_bytes() + b"\n"
    (source / "model.safetensors").write_bytes(original)
    system.save(arrangement("shared"), tmp_path / "model", longest=16, unchanged=source)
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == original


def test_the_same_system_is_saved_as_the_same_bytes(arrangement, tmp_path):
    saved = arrangement("dual")
    for name in ("one", "two"):
        system.save(saved, tmp_path / name, longest=16)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) >= 8
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_a_folder_that_is_no_system_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match=r"heads\.json does not exist"):
        system.load(tmp_path)
