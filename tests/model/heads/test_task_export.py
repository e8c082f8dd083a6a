"""Embeddings and attention leave with the model of sentence-transformers, as what ranking gets of them."""

import json

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from whyrank.model import system
from whyrank.model.heads.task_export import ranking_layers
from whyrank.model.heads.task_heads import TaskHeads
from whyrank.model.system import System

from .test_export import LONGEST, TEXTS, assert_close, our_vectors, read_back, some_head

OTHERS = ("similarity", "classification")
CASES = {
    "embedding on the encoder's own vectors": ("none", (), True, False),
    "embedding under a head": ("residual", (), True, False),
    "embedding under an mlp": ("mlp", (), True, False),
    "embedding under a mixture of experts": ("experts", (), True, False),
    "attention from the encoder's own vectors": ("none", ("similarity",), False, True),
    "attention of two heads": ("residual", ("similarity",), False, True),
    "attention of three heads, with embeddings": ("residual", OTHERS, True, True),
}


def made(encoder, case, *, dual=False, score="cosine"):
    """A system whose every weight differs from a fresh one."""
    torch.manual_seed(1)
    kind, others, embeddings, attention = CASES[case]

    def chain():
        return nn.Sequential() if kind == "none" else nn.Sequential(some_head(kind))

    query_head = chain()
    tasks = TaskHeads(
        ["rank", *others],
        {name: nn.Sequential(some_head("residual")) for name in others},
        embedding_width=32 * embeddings,
        attention_width=32 * attention,
    )
    with torch.no_grad():
        for part in (tasks.embedding, tasks.attention or nn.Module()):
            for parameter in part.parameters():
                parameter += 0.4 * torch.randn_like(parameter)
    return System(encoder, query_head, chain() if dual else query_head, score, tasks).eval()


@pytest.mark.parametrize("dual", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_sentence_transformers_gives_the_vectors_that_rank(case, dual, tiny_encoder, tmp_path):
    ours = made(tiny_encoder, case, dual=dual)
    system.save(ours, tmp_path / "model", longest=LONGEST)
    queries, answers = our_vectors(ours)
    theirs = read_back(tmp_path / "model")
    assert_close(theirs.encode_query(TEXTS), queries)
    assert_close(theirs.encode_document(TEXTS), answers)
    assert theirs.get_embedding_dimension() == queries.shape[1]
    # It would prove little if what the tasks have apart did nothing here.
    ours.tasks = None
    assert not np.allclose(our_vectors(ours)[0], queries, atol=1e-3)


def test_attention_and_embeddings_keep_to_a_millionth_of_large_vectors_without_a_score_of_unit_length(tiny_encoder):
    ours = made(tiny_encoder, "attention of three heads, with embeddings", score="dot")
    vector_ND = vector_NO = 30 * torch.randn(50, 32)
    for weight, bias, activation in ranking_layers(ours.query_head, ours.tasks):
        vector_NO = nn.functional.linear(vector_NO, weight, bias)
        vector_NO = {"ReLU": torch.relu, "GLU": nn.functional.glu, "Identity": nn.Identity()}[
            activation.rpartition(".")[2]
        ](vector_NO)
    with torch.inference_mode():
        expected_NO = ours.queries(vector_ND)
    assert (vector_NO - expected_NO).norm() < 1e-6 * expected_NO.norm()


def test_a_head_of_another_task_changes_nothing_of_the_modules_that_leave(tiny_encoder, tmp_path):
    torch.manual_seed(0)
    head = nn.Sequential(some_head("residual"))
    tasks = TaskHeads(["rank", "similarity"], {"similarity": nn.Sequential(some_head("mlp"))})
    for name, own in (("alone", None), ("beside", tasks)):
        system.save(System(tiny_encoder, head, head, "cosine", own).eval(), tmp_path / name, longest=LONGEST)
    files = {name: sorted(path.relative_to(tmp_path / name) for path in (tmp_path / name).rglob("*") if path.is_file())
             for name in ("alone", "beside")}  # fmt: skip
    assert files["alone"] == files["beside"]
    changed = [str(file) for file in files["alone"]
               if (tmp_path / "alone" / file).read_bytes() != (tmp_path / "beside" / file).read_bytes()]  # fmt: skip
    assert changed == ["heads.json", "heads.safetensors"]
    assert "similarity" in json.loads((tmp_path / "beside" / "heads.json").read_text())["tasks"]["own"]
    kept = safetensors.torch.load_file(tmp_path / "beside" / "heads.safetensors")
    assert "tasks.own.similarity.0.layers.1.running_var" in kept
