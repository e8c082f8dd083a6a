"""What sentence-transformers reads from the folder of a system gives the vectors of that system, heads included."""

import json

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from whyrank.core.options.params import Head
from whyrank.model import system
from whyrank.model.encoder.declared import Declared
from whyrank.model.heads import export, heads
from whyrank.model.heads.export import ranking_layers
from whyrank.model.heads.task_heads import TaskHeads
from whyrank.model.system import System

LONGEST = 16
LONG = " ".join(["visa travel border"] * 10)  # 30 tokens
TEXTS = ["pension", "visa travel border passport when i travel", "my tax refund", "school", LONG]


def some_head(kind, width=32, experts=3, top=2):
    """A head that has been trained: no weight is a fresh one, and no statistic of a BatchNorm is 0 or 1."""
    (head,) = heads.build(Head(kind, 8, 24, 0.1, experts, top, balance=0.0), width)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter += 0.4 * (torch.rand_like(parameter) - 0.5)
        for name, buffer in head.named_buffers():
            if name.endswith("running_mean"):
                buffer.uniform_(-1, 1)
            elif name.endswith("running_var"):
                buffer.uniform_(0.3, 3)
    return head


def chain(name):
    """`freeze` is the pretrained head kept as it is under a new one."""
    if name == "none":
        return nn.Sequential()
    if name == "freeze":
        return nn.Sequential(some_head("mlp").requires_grad_(False), some_head("residual", 24))
    return nn.Sequential(some_head(name))


def arrange(encoder, name, dual, score):
    torch.manual_seed(1)
    encoder.declared = Declared(normalises=True)
    query_head = chain(name)
    return System(encoder, query_head, chain(name) if dual else query_head, score).eval()


def our_vectors(of):
    """The texts as queries and as answers."""
    rows = of.encoder.tokenise(TEXTS, LONGEST)
    encoded = torch.as_tensor(of.encoder.encode(rows, batch_tokens=100, precision="fp32"))
    with torch.inference_mode():
        return [side.cpu().numpy() for side in of.project(encoded, encoded)]


def read_back(folder):
    # Here, not above: the import takes seconds, and tests of other folders need not wait for it.
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


def assert_close(theirs, ours):
    np.testing.assert_allclose(theirs, ours, atol=1e-5, rtol=0)


@pytest.mark.parametrize("score", ["cosine", "dot"])
@pytest.mark.parametrize("dual", [False, True])
@pytest.mark.parametrize("name", ["none", "mlp", "residual", "experts", "freeze"])
def test_sentence_transformers_gives_our_vectors_and_our_scores(tiny_encoder, tmp_path, name, dual, score):
    ours = arrange(tiny_encoder, name, dual, score)
    system.save(ours, tmp_path / "model", longest=LONGEST)
    queries, answers = our_vectors(ours)
    theirs = read_back(tmp_path / "model")
    assert_close(theirs.encode_query(TEXTS), queries)
    assert_close(theirs.encode_document(TEXTS), answers)
    assert_close(theirs.encode(TEXTS), answers)
    np.testing.assert_allclose(theirs.similarity(queries, answers), queries @ answers.T, rtol=1e-5, atol=1e-5)
    assert theirs.similarity_fn_name == score
    assert theirs.get_embedding_dimension() == queries.shape[1]
    # The case would prove little if both sides, or the vectors with and without the cosine, were alike.
    assert np.allclose(queries, answers, atol=1e-3) == (not dual or name == "none")
    assert np.allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-3) == (score == "cosine")


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_every_pooling_arrives_and_texts_are_cut_at_the_same_length(make_encoder, tmp_path, pooling):
    ours = arrange(make_encoder(pooling=pooling), "mlp", False, "dot")
    system.save(ours, tmp_path / "model", longest=LONGEST)
    theirs = read_back(tmp_path / "model")
    assert_close(theirs.encode(TEXTS), our_vectors(ours)[0])
    assert theirs.max_seq_length == LONGEST
    # 14 words, [CLS] and [SEP] are 16 tokens: the long text is cut to exactly these, and not to one word less.
    words = LONG.split()
    cut, whole, shorter = theirs.encode([LONG, " ".join(words[:14]), " ".join(words[:13])])
    assert_close(cut, whole)
    assert not np.allclose(cut, shorter, atol=1e-3)


@pytest.mark.parametrize("normalises", [False, True])
def test_the_encoder_alone_gets_no_dense_module_and_unit_vectors_only_where_it_declares_them(
    tiny_encoder, tmp_path, normalises
):
    tiny_encoder.declared = Declared(normalises=normalises)
    system.save(system.untrained(tiny_encoder), tmp_path / "model", longest=LONGEST)
    modules = json.loads((tmp_path / "model" / "modules.json").read_text())
    assert [module["type"].rpartition(".")[2] for module in modules][2:] == ["Normalize"] * normalises


def test_a_head_in_training_is_written_as_it_is_in_evaluation_and_stays_in_training(tiny_encoder, tmp_path):
    ours = arrange(tiny_encoder, "freeze", True, "dot")
    expected = our_vectors(ours)
    ours.query_head.train()
    before = {name: tensor.clone() for name, tensor in ours.heads().state_dict().items()}
    system.save(ours, tmp_path / "model", longest=LONGEST)
    assert all(module.training for module in ours.query_head.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.heads().state_dict().items())
    assert_close(read_back(tmp_path / "model").encode_query(TEXTS), expected[0])


def test_a_residual_head_of_zero_is_the_identity_to_the_last_bit():
    # relu(x) - relu(-x) = x without rounding, for a head that was just made: last Linear zero.
    (first, first_bias, _), (last, last_bias, _) = export.layers(nn.Sequential(heads.ResidualHead(32, 8, 32, 0.1)))
    vector_BD = torch.randn(5, 32) * 1e3
    hidden = torch.relu(nn.functional.linear(vector_BD, first, first_bias))
    assert torch.equal(nn.functional.linear(hidden, last, last_bias), vector_BD)


@pytest.mark.parametrize(("experts", "top"), [(2, 1), (2, 2), (4, 4), (4, 1), (5, 3)])
def test_sentence_transformers_gives_the_vectors_of_a_mixture_of_any_size_without_code_of_ours(
    tiny_encoder, tmp_path, experts, top
):
    torch.manual_seed(experts + top)
    chain = nn.Sequential(some_head("experts", 32, experts, top))
    ours = System(tiny_encoder, chain, chain, "dot").eval()
    system.save(ours, tmp_path / "model", longest=LONGEST)
    assert_close(read_back(tmp_path / "model").encode(TEXTS), our_vectors(ours)[0])
    named = json.loads((tmp_path / "model" / "modules.json").read_text())
    assert len(named) == 2 + 3 + (experts - 2) + (top < experts)
    assert all(module["type"].startswith("sentence_transformers.models.") for module in named)
    configs = [json.loads(file.read_text()) for file in (tmp_path / "model").glob("*_Dense/config.json")]
    assert all(config["activation_function"].startswith("torch.nn.modules.") for config in configs)


@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0])
def test_a_mixture_written_out_rounds_as_the_mixture_does_whatever_the_length_of_a_vector(size):
    torch.manual_seed(0)
    head = some_head("experts", 32, experts=4, top=2).eval()
    vector_BD = torch.randn(300, 32) * size
    written = vector_BD
    for weight, bias, name in export.layers(nn.Sequential(head)):
        activation = getattr(nn, name.rpartition(".")[2])()
        written = activation(nn.functional.linear(written, weight, bias))
    torch.testing.assert_close(written, head(vector_BD), atol=3e-6 * max(size, 1), rtol=3e-6)


def test_our_own_heads_are_kept_beside_the_modules(tiny_encoder, tmp_path):
    ours = arrange(tiny_encoder, "freeze", True, "cosine")
    system.save(ours, tmp_path / "model", longest=LONGEST)
    loaded = system.load(tmp_path / "model")
    for one, two in zip(our_vectors(ours), our_vectors(loaded), strict=True):
        assert np.array_equal(one, two)
    kept = safetensors.torch.load_file(tmp_path / "model" / "heads.safetensors")
    assert "query.0.layers.1.running_var" in kept and "answer.1.layers.0.weight" in kept


@pytest.mark.parametrize("dual", [False, True])
def test_the_same_system_is_written_as_the_same_bytes(tiny_encoder, tmp_path, dual):
    ours = arrange(tiny_encoder, "freeze", dual, "cosine")
    for name in ("one", "two"):
        system.save(ours, tmp_path / name, longest=LONGEST)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert sum(file.parent.name.endswith("Dense") for file in files) == (16 if dual else 8)
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


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
    assert changed == ["SHA256SUMS", "heads.json", "heads.safetensors"]
    assert "similarity" in json.loads((tmp_path / "beside" / "heads.json").read_text())["tasks"]["own"]
    kept = safetensors.torch.load_file(tmp_path / "beside" / "heads.safetensors")
    assert "tasks.own.similarity.0.layers.1.running_var" in kept
