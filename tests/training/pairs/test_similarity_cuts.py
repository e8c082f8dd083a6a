"""Similarity and ranking on cut vectors and on several blocks: the sum that is trained, and what it is good for."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional

from whyrank.core import io
from whyrank.core.options import params
from whyrank.measure.metrics import correlation
from whyrank.model import system
from whyrank.model.heads import heads
from whyrank.model.heads.task_heads import TaskHeads
from whyrank.training import finetune
from whyrank.training.engine.vectors import LiveVectors
from whyrank.training.pairs import losses as similarity_losses
from whyrank.training.pairs import similarity
from whyrank.training.pairs.similarity import SimilarityObjective
from whyrank.training.ranking import objective as rank
from whyrank.training.ranking.layered_losses import espresso, matryoshka
from whyrank.training.task import Given

OF = "objectives.similarity"
ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
LOSSES = ("cosine", "angle", "angle_signed", "in_batch", "contrastive", "mse")
PAIRS_ALONE = {
    f"{OF}.{name}.weight": 0.0 for name in ("cosine", "angle", "angle_signed", "in_batch", "contrastive", "mse")
} | {
    "objectives.rank.weight": 0.0,
    f"{OF}.weight": 1.0,
    f"{OF}.cosine.weight": 1.0,
    "head.kind": "none",
    "train": "all",
    "encoder_learning_rate": 1e-3,
    "lr_scheduler": "constant",
    "early_stopping.metric": "",
    "early_stopping.evaluations": 1,
}


@pytest.fixture
def finetuning(options):
    return lambda changes: options("finetune_rank", params.FinetuneRank, PAIRS_ALONE | changes)


@pytest.fixture
def trained(paired, make_encoder, finetuning):
    """The history and the encoder that a training on pairs ends with."""

    def train(changes):
        return finetune.finetune_rank(system.untrained(make_encoder()), paired, finetuning(changes), ENCODER, seed=0)

    return train


def order_of_cuts(of, prepared, width, block=2):
    """Spearman's correlation of labels and cosines of cut vectors after a block, on the pairs not trained on."""
    pairs = prepared.pairs[prepared.pairs["use"] != "train"]
    start = len(prepared.answers) + len(prepared.queries)
    with torch.no_grad():
        vectors = of.encoder.after_layers(list(prepared.pair_texts["input_ids"]), [block])[:, 0, :width]
    unit = functional.normalize(vectors, dim=1)
    first, second = (unit[torch.as_tensor(pairs[side].to_numpy(dtype=int) - start)] for side in ("first", "second"))
    return correlation.spearman((first * second).sum(1).numpy(), pairs["label"]).value


def step_of(paired, encoder, chosen, **limits):
    vectors = LiveVectors(encoder, paired.training_token_ids, batch_tokens=256, precision="fp32", **limits)
    made = SimilarityObjective(Given(paired, system.untrained(encoder), vectors, chosen, 0))
    return made.step()


# Matryoshka -------------------------------------------------------------------------------------------------


def test_the_loss_of_pairs_is_the_sum_over_cuts_of_each_loss_by_its_weight(paired, make_encoder, finetuning):
    chosen = finetuning(
        {f"{OF}.matryoshka.dims": [8, 32], f"{OF}.matryoshka.weights": [0.5, 2.0], f"{OF}.mse.weight": 3.0}
    )
    step = step_of(paired, make_encoder(), chosen)
    first, second = step.sides[:2]
    batch = next(SimilarityObjective(Given(paired, system.untrained(make_encoder()), None, chosen, 0)).batches)
    label = torch.as_tensor(batch.label_B)
    expected = {
        "cosine": partial(similarity_losses.cosine, label_B=label, temperature=0.05),
        "mse": partial(similarity_losses.mse, label_B=label),
    }
    of_cuts = {name: matryoshka(loss, [8, 32], [0.5, 2.0])(first, second) for name, loss in expected.items()}
    torch.testing.assert_close(step.loss, of_cuts["cosine"] + 3 * of_cuts["mse"])
    assert step.record["similarity_mse_loss"] == pytest.approx(of_cuts["mse"].item(), rel=1e-5)


def test_after_a_short_training_on_cuts_the_cut_vectors_put_unseen_pairs_in_better_order(trained, paired):
    without = trained({"epochs": 8})
    cut = trained({"epochs": 8, f"{OF}.matryoshka.dims": [4, 32], f"{OF}.matryoshka.weights": [1.0, 1.0]})
    assert order_of_cuts(cut.system, paired, 4) > order_of_cuts(without.system, paired, 4) + 0.1
    assert order_of_cuts(cut.system, paired, 32) > order_of_cuts(without.system, paired, 32) - 0.1


def test_without_dims_neither_cuts_nor_layers_are_asked_for_and_a_history_is_the_same_to_the_byte(
    trained, monkeypatch, tmp_path
):
    changes = {"epochs": 1, "objectives.rank.weight": 1.0, "candidates": "batch"}
    histories = []
    for name in ("called.csv", "never-called.csv"):
        if name == "never-called.csv":
            for module in (similarity, rank):
                monkeypatch.setattr(module, "matryoshka", lambda *arguments: pytest.fail("called"))
            monkeypatch.setattr(similarity, "espresso", lambda *arguments, **options: pytest.fail("called"))
        # Weights and layers count for nothing as long as there are no dims.
        espresso_off = (
            {f"{OF}.espresso.align_weight": 1.0, f"{OF}.espresso.layers": [1]} if name == "called.csv" else {}
        )
        io.write_table(tmp_path / name, trained(changes | espresso_off).history.steps)
        histories.append((tmp_path / name).read_bytes())
    assert histories[0] == histories[1] and len(histories[0]) > 500


def test_ranking_on_cuts_records_the_whole_beside_the_sum_and_ranks_better_by_the_first_features(
    topics, make_encoder, options
):
    changes = {"train": "all", "head.kind": "none", "encoder_learning_rate": 3e-3, "epochs": 5, "batch_size": 16}
    changes |= {"early_stopping.metric": "", "early_stopping.evaluations": 1, "lr_scheduler": "constant"}
    cut = {"objectives.rank.matryoshka.dims": [4, 32], "objectives.rank.matryoshka.weights": [1.0, 1.0]}
    found, histories = [], []
    for more in ({}, cut):
        chosen = options("finetune_rank", params.FinetuneRank, changes | more)
        result = finetune.finetune_rank(system.untrained(make_encoder()), topics, chosen, ENCODER, 7)
        histories.append(result.history.steps)
        vectors = torch.as_tensor(result.system.encoder.encode(topics.token_ids, batch_tokens=256, precision="fp32"))
        unit = functional.normalize(vectors[:, :4], dim=1)
        relevant = topics.relevant_in("test")
        score_QA = unit[6 + relevant["query"].to_numpy()] @ unit[:6].T
        own_Q1 = score_QA.gather(1, torch.tensor(relevant["answer"])[:, None])
        found.append(float((1 / (1 + (score_QA > own_Q1).sum(1))).mean()))  # mean reciprocal rank
    assert found[1] > found[0] + 0.1
    assert "rank_matryoshka_loss" not in histories[0]
    sums = histories[1]
    assert (sums["rank_matryoshka_loss"] == sums["loss"]).all() and (sums["rank_loss"] < sums["loss"]).all()


# Espresso ---------------------------------------------------------------------------------------------------


def test_the_loss_over_blocks_is_that_of_espresso_on_the_vectors_after_each(paired, make_encoder, finetuning):
    chosen = finetuning(
        {f"{OF}.espresso.dims": [8], f"{OF}.espresso.align_weight": 0.3, f"{OF}.mse.weight": 2.0, f"{OF}.batch_size": 8}
    )
    encoder = make_encoder()
    vectors = LiveVectors(encoder, paired.training_token_ids, batch_tokens=256, precision="fp32")
    made = SimilarityObjective(Given(paired, system.untrained(encoder), vectors, chosen, 0))
    batch = next(SimilarityObjective(Given(paired, made.system, None, chosen, 0)).batches)
    rows = paired.training_token_ids
    layers = []
    for block in (1, 2):
        texts = [rows[i] for i in [*batch.first_B, *batch.second_B]]
        unit = functional.normalize(encoder.after_layers(texts, [block])[:, 0], dim=1)
        layers.append(unit.split(8))
    label = torch.as_tensor(batch.label_B)

    def whole(first, second):
        ordered = similarity_losses.cosine(first, second, label, temperature=0.05)
        return ordered + 2 * similarity_losses.mse(first, second, label)

    step = made.step()
    torch.testing.assert_close(step.loss, espresso(whole, layers, [8], align_weight=0.3), atol=1e-4, rtol=1e-4)
    without = espresso(whole, layers, [8], align_weight=0.0).item()
    assert step.record["similarity_alignment"] == pytest.approx(step.loss.item() - without, rel=1e-2)


@pytest.mark.parametrize(("layers", "blocks"), [("all", [1, 2]), ([2], [2]), ([1], [1, 2]), ([], [2])])
def test_the_last_block_is_always_among_those_asked_for(make_encoder, finetuning, layers, blocks):
    chosen = finetuning({f"{OF}.espresso.dims": [8], f"{OF}.espresso.layers": layers}).objectives.similarity
    assert similarity.espresso_layers(system.untrained(make_encoder()), chosen) == blocks


def test_a_layer_counts_by_the_number_of_its_block():
    layer = [torch.ones(2, 4), torch.ones(2, 4)]

    def sums(first, second):
        return first.sum() + second.sum()

    # Whole and cut of the last: 16 + 4. The cut of block 3: 4 / (1 + ln 3).
    found = espresso(sums, [layer, layer], [1], align_weight=0.0, numbers=[3, 6])
    assert found.item() == pytest.approx(16 + 4 + 4 / (1 + np.log(3)), rel=1e-6)


def test_each_step_over_blocks_goes_through_the_encoder_once(paired, make_encoder, finetuning, monkeypatch):
    encoder = make_encoder()
    passes = []
    forward = encoder.transformer.forward
    monkeypatch.setattr(encoder.transformer, "forward", lambda **given: passes.append(1) or forward(**given))
    step_of(paired, encoder, finetuning({f"{OF}.espresso.dims": [8], f"{OF}.espresso.align_weight": 0.1}))
    assert len(passes) == 1


@pytest.mark.parametrize("kind", ["gradient caching", "gradient checkpointing"])
def test_gradients_over_blocks_with_less_memory_are_those_with_more(paired, make_encoder, finetuning, kind):
    chosen = finetuning({f"{OF}.espresso.dims": [8], f"{OF}.espresso.align_weight": 0.1})
    gradients = []
    for limits in ({}, {"cache_tokens": 40} if kind == "gradient caching" else {}):
        encoder = make_encoder().train()
        for module in encoder.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        if kind == "gradient checkpointing" and gradients:
            encoder.transformer.gradient_checkpointing_enable({"use_reentrant": False})
        step_of(paired, encoder, chosen, **limits).loss.backward()
        gradients.append([parameter.grad for parameter in encoder.parameters() if parameter.grad is not None])
    for one, two in zip(*gradients, strict=True):
        torch.testing.assert_close(two, one, atol=1e-4, rtol=1e-3)


def test_after_a_short_training_over_blocks_the_first_block_alone_puts_unseen_pairs_in_better_order(trained, paired):
    without = trained({"epochs": 8})
    blocks = trained({"epochs": 8, f"{OF}.espresso.dims": [8]})
    of_first = [order_of_cuts(one.system, paired, 8, block=1) for one in (without, blocks)]
    assert of_first[1] > of_first[0] + 0.1
    assert order_of_cuts(blocks.system, paired, 32) > order_of_cuts(without.system, paired, 32) - 0.1


def test_every_block_goes_through_the_same_head(paired, make_encoder, finetuning):
    torch.manual_seed(0)
    chosen, encoder = finetuning({f"{OF}.espresso.dims": [8]}), make_encoder()
    chain = torch.nn.Sequential(heads.ResidualHead(32, 8, 32, 0.0))
    torch.nn.init.normal_(chain[0].layers[-1].weight)
    vectors = LiveVectors(encoder, paired.training_token_ids, batch_tokens=256, precision="fp32")
    made = SimilarityObjective(Given(paired, system.System(encoder, chain, chain, "dot"), vectors, chosen, 0))
    texts = np.array([60, 61, 62])
    for found, block in zip(made.layers(texts), (1, 2), strict=True):
        torch.testing.assert_close(found, chain(vectors.after_layers(texts, [block])[:, 0]))


def test_a_head_of_its_own_and_a_part_of_the_gradient_hold_for_every_block(paired, make_encoder, finetuning):
    torch.manual_seed(0)
    chain, own = torch.nn.Sequential(), torch.nn.Sequential(heads.ResidualHead(32, 8, 32, 0.0))
    torch.nn.init.normal_(own[0].layers[-1].weight)
    gradients = []
    for factor in (1.0, 0.25):
        chosen, encoder = (
            finetuning({f"{OF}.espresso.dims": [8], f"{OF}.encoder_gradient_scale": factor}),
            make_encoder(),
        )
        vectors = LiveVectors(encoder, paired.training_token_ids, batch_tokens=256, precision="fp32")
        apart = system.System(encoder, chain, chain, "cosine", TaskHeads(["rank", "similarity"], {"similarity": own}))
        own.zero_grad()
        SimilarityObjective(Given(paired, apart, vectors, chosen, 0)).step().loss.backward()
        parameters = [*encoder.parameters()], [*own.parameters()]
        gradients.append([torch.cat([p.grad.flatten() for p in each if p.grad is not None]) for each in parameters])
    (encoder_whole, head_whole), (encoder_part, head_part) = gradients
    assert encoder_whole.norm() > 0 and head_whole.norm() > 0
    torch.testing.assert_close(head_part, head_whole)
    torch.testing.assert_close(encoder_part, 0.25 * encoder_whole)
