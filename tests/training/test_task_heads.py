"""Tasks that share an encoder, each with what it has apart: through real trainings of the tiny encoder."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.model import system
from whyrank.model.heads import heads
from whyrank.scoring.pairs import score as scoring
from whyrank.scoring.search import embed
from whyrank.training import finetune, task_heads
from whyrank.training.engine.vectors import FrozenVectors, of_objective
from whyrank.training.pairs.task import SimilarityWatch
from whyrank.training.task import Given

ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
PAIR = {"objectives.similarity.weight": 1.0, "objectives.similarity.cosine.weight": 1.0}
THREE = PAIR | {"objectives.classification.weight": 1.0}
OWN = {f"objectives.{name}.head.kind": "residual" for name in ("similarity", "classification")}
ATTENTION = {"tasks.cross_attention": True}
EMBEDDINGS = {"tasks.embeddings": True}
SHORT = {
    "train": "all",
    "candidates": "batch",
    "batch_size": 8,
    "epochs": 0.5,
    "lr_scheduler": "constant",
    "warmup_ratio": 0.0,
    "encoder_learning_rate": 1e-3,
    "early_stopping.evaluations": 1,
    "early_stopping.metric": "",
}


@pytest.fixture
def finetuning(options):
    return lambda changes: options("finetune_rank", params.FinetuneRank, changes)


@pytest.fixture
def train(paired, make_encoder, finetuning):
    def train(changes):
        torch.manual_seed(0)
        return finetune.finetune_rank(system.untrained(make_encoder()), paired, finetuning(SHORT | changes), ENCODER, 0)

    return train


def size(module):
    """Of the last Linear of a residual head, which starts at zero."""
    return module[0].layers[-1].weight.abs().max().item()


# What each option does -----------------------------------------------------------------------------------


def test_without_any_of_it_a_system_is_as_before(train):
    assert train(THREE).system.tasks is None


def test_heads_of_their_own_learn_from_their_own_task(train):
    made = train(THREE | OWN | {"objectives.similarity.head.hidden": 5}).system
    own = made.tasks.own
    assert min(size(made.query_head), size(own["similarity"]), size(own["classification"])) > 0
    assert own["similarity"][0].hidden == 5
    # A task that has not begun has not moved its head.
    late = train(THREE | OWN | {"objectives.similarity.start_step": 99}).system
    assert size(late.tasks.own["similarity"]) == 0 < size(late.tasks.own["classification"])


def test_the_dev_set_and_the_test_pairs_are_scored_by_the_similarity_head_and_ranking_by_its_own(
    train, paired, finetuning
):
    made = train(PAIR | OWN | {"learning_rate": 0.05}).system
    ranked, test = embed.embed(made, paired, ENCODER), paired.pairs_of("test")

    def looked():
        vectors = finetune.vectors_for(made, paired, ENCODER, replace(finetuning({}), train="all"))
        predicted = scoring.predict(made, test, ENCODER, longest=16)["prediction"].tolist()
        return SimilarityWatch(Given(paired, made, vectors, None, 0))(), predicted

    with torch.no_grad():
        by_own = looked()
        by_hand = made.tasks.own["similarity"](torch.as_tensor(made.encoder.encode(
            made.encoder.tokenise([*test["text1"], *test["text2"]], 16), batch_tokens=256, precision="fp32"
        )))  # fmt: skip
        cosine = nn.functional.cosine_similarity(*by_hand.chunk(2))
        assert by_own[1] == pytest.approx(cosine.tolist(), abs=1e-5)
        made.tasks.own["similarity"][0].layers[-1].weight.zero_()
        assert looked()[1] != by_own[1] and looked()[0] != by_own[0]
    assert np.array_equal(ranked.query_ND, embed.embed(made, paired, ENCODER).query_ND)


def test_embeddings_start_at_zero_and_part(train):
    assert all(not one.any() for one in train(THREE | EMBEDDINGS | {"epochs": 0}).system.tasks.embedding.values())
    made = train(THREE | EMBEDDINGS).system
    rank, similarity, classification = made.tasks.embedding.values()
    assert min(one.norm() for one in (rank, similarity, classification)) > 0
    assert not torch.allclose(rank, similarity, atol=1e-4) and not torch.allclose(similarity, classification, atol=1e-4)
    assert not made.tasks.own


def test_attention_starts_without_effect_and_learns(train):
    off, on = (train(THREE | OWN | changes | {"epochs": 0}) for changes in ({}, ATTENTION))
    assert off.history.evaluations.equals(on.history.evaluations)
    attention = train(THREE | OWN | ATTENTION).system.tasks.attention
    for name in ("rank", "similarity", "classification"):
        assert attention.output[name].abs().max() > 0 and attention.query[name].abs().max() > 0, name


def test_the_rate_of_a_task_moves_its_head_alone(train):
    slow, fast = (train(PAIR | OWN | {"objectives.similarity.learning_rate": rate, "epochs": 0.1}) for rate in (0, 0.1))
    # One step of AdamW moves a weight by its rate: the common 0.001, and 0.1.
    assert size(slow.system.tasks.own["similarity"]) == pytest.approx(1e-3, rel=0.02)
    assert size(fast.system.tasks.own["similarity"]) == pytest.approx(0.1, rel=0.02)
    assert torch.equal(slow.system.query_head[0].layers[-1].weight, fast.system.query_head[0].layers[-1].weight)
    assert fast.history.steps["similarity_learning_rate"].tolist() == [0.1]
    assert fast.history.steps["learning_rate"].tolist() == [1e-3]


def test_the_rate_of_classification_is_that_of_its_linear_layer_where_it_has_no_head(train):
    steps = train(THREE | {"objectives.classification.learning_rate": 0.1}).history.steps
    common = train(THREE).history.steps
    assert (steps["classification_learning_rate"] == 0.1).all() and "classification_learning_rate" not in common
    is_same = steps["classification_loss"] == common["classification_loss"]
    assert is_same.iloc[0] and not is_same.iloc[1:].any()


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 3.0])
def test_an_encoder_gradient_scale_scales_what_reaches_the_encoder_and_not_the_head(
    factor, paired, make_encoder, finetuning
):
    encoder, head = make_encoder().eval(), nn.Linear(32, 1)
    chosen = finetuning({"objectives.similarity.encoder_gradient_scale": factor, "train": "all"})
    vectors = finetune.vectors_for(system.untrained(encoder), paired, ENCODER, chosen)
    texts = np.array([3, 5, 3])
    given = of_objective(vectors, texts, chosen.objectives.similarity)
    assert torch.equal(given, vectors(texts))  # what the objective sees is the same
    head(given).sum().backward()
    scaled = [parameter.grad.clone() for parameter in encoder.parameters() if parameter.grad is not None]
    of_head = head.weight.grad.clone()
    encoder.zero_grad()
    head(vectors(texts)).sum().backward()
    plain = [parameter.grad for parameter in encoder.parameters() if parameter.grad is not None]
    assert len(plain) == len(scaled) > 10
    for one, two in zip(scaled, plain, strict=True):
        torch.testing.assert_close(one, factor * two)
    torch.testing.assert_close(2 * of_head, head.weight.grad)


def test_a_frozen_encoder_and_vectors_from_a_table_have_no_gradient_to_scale(paired, make_encoder, finetuning):
    chosen = finetuning({"objectives.rank.freeze_encoder": True, "train": "all"})
    vectors = finetune.vectors_for(system.untrained(make_encoder()), paired, ENCODER, chosen)
    assert not of_objective(vectors, np.array([1]), chosen.objectives.rank).requires_grad
    table = FrozenVectors(np.ones((2, 3), dtype=np.float32), torch.device("cpu"))
    scaled = replace(chosen.objectives.rank, freeze_encoder=False, encoder_gradient_scale=2.0)
    assert not of_objective(table, np.array([1]), scaled).requires_grad


def test_an_encoder_gradient_scale_moves_the_shares_of_the_tasks(train):
    def share(factor):
        changes = {"objectives.similarity.encoder_gradient_scale": factor, "epochs": 0.1}
        return train(PAIR | OWN | changes).history.steps["similarity_gradient_share"].iloc[0]

    plain, tenfold = share(1.0), share(10.0)
    # They meet in the encoder alone: odds ten times as large.
    assert tenfold / (1 - tenfold) == pytest.approx(10 * plain / (1 - plain), rel=1e-3)


# What does not go together -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (ATTENTION, "rank alone is on; use -S finetune_rank.tasks.cross_attention=false"),
        (PAIR | ATTENTION, r"similarity is shared; use -S finetune_rank\.objectives\.similarity\.head\.kind=residual"),
        (
            PAIR | ATTENTION | {"objectives.similarity.head.kind": "mlp"},
            r"that of similarity is mlp; use -S finetune_rank\.objectives\.similarity\.head\.kind=residual",
        ),
        (PAIR | OWN | ATTENTION | {"head.kind": "mlp"}, r"that of rank .* use -S finetune_rank\.head\.kind=residual"),
        (PAIR | OWN | ATTENTION | {"head.kind": "experts"}, r"that of rank .* use -S .*head\.kind=residual"),
        (PAIR | EMBEDDINGS | {"head.kind": "mlp"}, "does nothing under the mlp head of rank"),
        (
            PAIR | OWN | {"objectives.rank.weight": 0.0, "head.kind": "mlp"},
            r"an mlp that no objective trains: .* similarity have heads .* use -S finetune_rank\.head\.kind=none",
        ),
        (PAIR | {"objectives.similarity.learning_rate": 1.0}, "similarity has no weight of its own"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_ends_the_run_before_training_with_a_remedy(changes, said, train):
    with pytest.raises(UserError, match=said):
        train(changes)


def test_heads_of_several_widths_cannot_attend_to_each_other(make_encoder, finetuning):
    # A frozen pretrained head of 16 features under a new one, beside similarity on the encoder's 32.
    frozen = nn.Sequential(heads.MlpHead(32, 8, 16, 0.1).requires_grad_(False), heads.ResidualHead(16, 8, 16, 0.1))
    made = system.System(make_encoder(), frozen, frozen, "cosine")
    with pytest.raises(UserError, match="not rank 16, similarity 32"):
        chosen = finetuning(PAIR | OWN | ATTENTION)
        sections = {"rank": chosen.objectives.rank, "similarity": chosen.objectives.similarity}
        task_heads.add(made, sections, chosen.tasks)


def test_a_pretrained_mlp_that_nothing_trains_is_no_random_projection(make_encoder, finetuning):
    head = heads.MlpHead(32, 8, 16, 0.1)
    head(torch.randn(8, 32))  # it has seen a batch
    made = system.System(make_encoder(), nn.Sequential(head), nn.Sequential(head), "cosine")
    chosen = finetuning(PAIR | OWN)
    task_heads.add(made, {"similarity": chosen.objectives.similarity}, chosen.tasks)
    assert list(made.tasks.own) == ["similarity"]
