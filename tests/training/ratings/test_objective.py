"""The ratings objective: its features, its encoders, and what it is watched on."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.model import system
from whyrank.training import finetune
from whyrank.training.engine import encoding, optimiser
from whyrank.training.ratings import losses as rating_losses
from whyrank.training.ratings import task as rating_task
from whyrank.training.ratings.objective import RatingsObjective
from whyrank.training.ratings.task import RatingsWatch
from whyrank.training.task import Given

TERMS = ("bce", "weighted_bce", "focal", "mse", "rank_correlation")
OFF = {f"objectives.ratings.{name}.weight": 0.0 for name in TERMS}
ALONE = {"objectives.rank.weight": 0.0, "objectives.ratings.weight": 1.0, "objectives.ratings.batch_size": 8}
ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)


@pytest.fixture
def finetuning(options):
    return lambda **changes: options(
        "finetune_rank",
        params.FinetuneRank,
        ALONE
        | {"head.kind": "none", "epochs": 1.0}
        | {f"objectives.ratings.{k[2:]}" if k[:2] == "r_" else k: v for k, v in dotted(changes).items()},
    )


def dotted(changes):
    return {key.replace("__", "."): value for key, value in changes.items()}


def made(prepared, encoder, chosen):
    torch.manual_seed(0)
    whole = system.untrained(encoder)
    vectors = encoding.vectors_for(whole, prepared, ENCODER, chosen)
    objective = RatingsObjective(Given(prepared, whole, vectors, chosen, 0))
    objective.weights.eval()
    return objective


@pytest.mark.parametrize("layout", ["joint", "separate"])
def test_predictions_are_a_layer_on_the_vectors_of_the_layout(layout, make_rated, make_encoder, finetuning):
    prepared, encoder = replace(make_rated(layout), held_out=0), make_encoder()
    objective = made(prepared, encoder, finetuning())
    rows = prepared.rated(held_out=True)
    texts = prepared.training_token_ids
    with torch.no_grad():
        u, v = (encoder([texts[i] for i in rows[name]]) for name in ("first", "second"))
        features = u if layout == "joint" else torch.cat([u, v, (u - v).abs(), u * v], dim=1)
        expected = (features @ objective.rate.weight.T + objective.rate.bias).sigmoid()
    assert features.shape == (12, 32 if layout == "joint" else 128)
    np.testing.assert_allclose(objective.predict(rows), expected, atol=1e-5)


def test_the_layer_starts_at_the_mean_of_each_target(rated, make_encoder, finetuning):
    prepared = replace(rated, held_out=0)
    objective = made(prepared, make_encoder(), finetuning())
    label = prepared.rated(held_out=False)[prepared.rating_targets].to_numpy()
    start = objective.rate.bias.sigmoid().tolist()
    assert start == pytest.approx((label.sum(0) + 0.5) / 25, abs=1e-6) and len(set(start)) > 1


@pytest.mark.parametrize("name", TERMS)
def test_the_loss_is_the_weighted_term_on_the_batch_that_was_drawn(name, rated, make_encoder, finetuning):
    chosen = finetuning(**OFF | {f"r_{name}__weight": 2.0})
    objective, again = (made(replace(rated, held_out=2), make_encoder(), chosen) for _ in range(2))
    step = objective.step()
    row = next(again.batches)
    logit = again.logits(
        again.sides(again.rows.texts_R2[row], lambda vectors, index: vectors(index)), again.rows.texts_R2[row]
    )
    extra = {
        "weighted_bce": {"mean_T": again.mean_T},
        "focal": {"gamma": 2.0},
        "rank_correlation": {"temperature": 0.1},
    }
    label = torch.as_tensor(again.rows.label_RT[row])
    expected = getattr(rating_losses, name)(logit, label, **extra.get(name, {})).item()
    assert step.loss.item() == pytest.approx(2 * expected) == step.record["ratings_loss"]
    assert step.record[f"ratings_{name}_loss"] == pytest.approx(expected)
    assert step.record["ratings_rows"] == 8 and len(step.texts) == 8


def test_batches_skipped_are_those_a_killed_run_has_had(rated_apart, make_encoder, finetuning):
    kept, gone_on = (made(replace(rated_apart, held_out=0), make_encoder(), finetuning()) for _ in range(2))
    for _ in range(3):
        kept.step()
    gone_on.skip(3)
    assert gone_on.step().record == kept.step().record


# Means of the frozen blocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["joint", "separate"])
@pytest.mark.parametrize(("train", "blocks"), [("head", 2), ("last", 2)])
def test_the_layer_reads_the_frozen_blocks_beside_the_vectors(
    train, blocks, layout, make_rated, make_encoder, finetuning
):
    prepared, encoder = replace(make_rated(layout), held_out=0), make_encoder()
    objective = made(prepared, encoder, finetuning(train=train, last_layers=1, r_layer_means=True))
    rows = prepared.rated(held_out=True)
    # Two blocks, of which the last one is not read: the embeddings and the first.
    sides = 1 if layout == "joint" else 4
    assert objective.rate.in_features == sides * 32 * (1 + blocks)
    texts_N2 = rows[["first", "second"]].to_numpy()
    with torch.no_grad():
        vectors = [encoder([prepared.training_token_ids[i] for i in rows[name]]) for name in ("first", "second")]
        u, v = vectors
        own = u if layout == "joint" else torch.cat([u, v, (u - v).abs(), u * v], dim=1)
        read = torch.cat([own, objective.layer_features(texts_N2)], dim=1)
        expected = (read @ objective.rate.weight.T + objective.rate.bias).sigmoid()
    np.testing.assert_allclose(objective.predict(rows), expected, atol=1e-5)


def test_a_training_with_the_frozen_blocks_learns_what_one_without_them_does_not(rated, make_encoder, finetuning):
    prepared = replace(rated, held_out=0)
    changes = {"train": "head", "epochs": 20.0, "learning_rate": 0.01, "early_stopping__evaluations": 1}
    losses = []
    for reads in (False, True):
        chosen = finetuning(r_layer_means=reads, **changes)
        trained = finetune.finetune_rank(system.untrained(make_encoder()), prepared, chosen, ENCODER, 7)
        losses.append(trained.history.steps["ratings_loss"].tail(10).mean())
    assert losses[1] < 0.9 * losses[0]


# Two encoders ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("train", ["head", "last", "all"])
def test_answers_get_an_encoder_of_their_own_that_starts_alike_and_learns_apart(
    train, rated_apart, make_encoder, finetuning
):
    prepared = replace(rated_apart, held_out=0)
    chosen = finetuning(r_encoders="two", train=train, encoder_learning_rate=0.01, early_stopping__evaluations=1)
    start = system.untrained(make_encoder())
    torch.manual_seed(0)
    one = made(prepared, make_encoder(), finetuning(train=train))
    two = made(prepared, make_encoder(), chosen)
    rows = prepared.rated(held_out=True)
    np.testing.assert_allclose(two.predict(rows), one.predict(rows), atol=1e-6)
    trained = finetune.finetune_rank(start, prepared, chosen, ENCODER, 7)
    if train == "head":
        assert not hasattr(trained.objectives["ratings"], "encoder")
        return
    before, question = make_encoder().state_dict(), trained.system.encoder.state_dict()
    answer = trained.objectives["ratings"].weights.encoder.state_dict()
    for block, moves in (("layer.0.output.dense.weight", train == "all"), ("layer.1.output.dense.weight", True)):
        (name,) = (name for name in before if name.endswith(block))
        for own in (question, answer):
            assert torch.equal(own[name], before[name]) != moves
        assert torch.equal(question[name], answer[name]) != moves


def test_both_encoders_are_in_the_groups_of_the_encoder_and_unfreeze_by_layer(rated_apart, make_encoder, finetuning):
    chosen = finetuning(r_encoders="two", train="all", layer_decay=0.5, encoder_learning_rate=1e-3, unfreeze_every=1)
    objective = made(replace(rated_apart, held_out=0), make_encoder(), chosen)
    parts = {"heads": objective.system.heads(), "encoder": objective.system.encoder}
    trained = torch.nn.ModuleDict(parts | {"objectives": torch.nn.ModuleDict({"ratings": objective.weights})})
    rate = {
        id(one): (group["lr"], group["is_encoder"])
        for group in optimiser.parameter_groups(trained, chosen)
        for one in group["params"]
    }
    for name, parameter in objective.weights.encoder.named_parameters():
        own = dict(objective.system.encoder.named_parameters())[name]
        assert rate[id(parameter)] == rate[id(own)] and rate[id(own)][1]
    assert rate[id(objective.rate.weight)] == (1e-3, False)
    assert len({found for found, is_encoder in rate.values() if is_encoder}) == 3  # two blocks and the embeddings
    names = [name for name, parameter in trained.named_parameters() if parameter.requires_grad]
    optimiser.unfreeze(trained, chosen, 1, 10, names)
    for encoder in (objective.weights.encoder, objective.system.encoder):
        assert {"layer.1." in n for n, p in encoder.named_parameters() if p.requires_grad} == {True}


# What is looked at ----------------------------------------------------------------------------------------------


def test_a_look_gives_the_mean_column_spearman_of_the_held_out_fold_and_counts_what_has_none(
    rated, make_encoder, finetuning
):
    ratings = rated.ratings.copy()
    ratings.loc[ratings["fold"] == 1, "rare"] = 0.0
    prepared = replace(rated, ratings=ratings, held_out=1)
    objective = made(prepared, make_encoder(), finetuning())
    look = RatingsWatch(Given(prepared, None, None, None, 0), objective)()
    for name, rows, targets in (
        ("ratings_spearman", prepared.rated(held_out=True), ["visa", "agree"]),
        ("train_ratings_spearman", prepared.rated(held_out=False), ["visa", "agree", "rare"]),
    ):
        predicted = dict(zip(["visa", "agree", "rare"], objective.predict(rows).T, strict=True))
        each = [scipy.stats.spearmanr(predicted[target], rows[target]).statistic for target in targets]
        assert look[name] == pytest.approx(np.mean(each))
    assert look["ratings_undefined"] == 1 and look["ratings_constant_columns"] == 0
    torch.nn.init.zeros_(objective.rate.weight)
    flat = RatingsWatch(Given(prepared, None, None, None, 0), objective)()
    assert flat == {"ratings_undefined": 3, "ratings_constant_columns": 3}


def test_a_look_that_has_no_value_is_no_better_and_no_fault(rated, make_encoder, finetuning, monkeypatch):
    looks = iter([{"train_ratings_spearman": 0.1}, {}, {"train_ratings_spearman": 0.3}, {}])
    monkeypatch.setattr(RatingsWatch, "__call__", lambda self: next(looks))
    chosen = finetuning(early_stopping__metric="train_ratings_spearman", early_stopping__eval_steps=1)
    trained = finetune.finetune_rank(system.untrained(make_encoder()), replace(rated, held_out=0), chosen, ENCODER, 7)
    assert trained.history.best_step == 2 and len(trained.history.evaluations) == 4


def test_ranking_that_is_off_chooses_no_weights(finetuning):
    assert rating_task.stopping(finetuning()).metric == ""
    both = finetuning(objectives__rank__weight=1.0)
    assert rating_task.stopping(both) == both.early_stopping and both.early_stopping.metric == "map@10_all"


def test_two_encoders_of_joint_texts_are_a_user_error_before_anything_is_encoded(
    rated, make_encoder, finetuning, monkeypatch
):
    monkeypatch.setattr(finetune, "vectors_for", lambda *arguments: pytest.fail("encoded"))
    said = r"needs question and answer as two texts; use -S prepare\.ratings\.layout=separate"
    with pytest.raises(UserError, match=said):
        finetune.finetune_rank(
            system.untrained(make_encoder()), replace(rated, held_out=0), finetuning(r_encoders="two"), ENCODER, 7
        )


@pytest.mark.parametrize("train", ["head", "last"])
def test_blocks_of_an_encoder_that_is_not_of_the_bert_family_are_refused(train, rated, tiny_encoder, finetuning):
    tiny_encoder.is_packed = False
    options = finetuning(r_layer_means=True, train=train)
    with pytest.raises(UserError, match=r"layer_means` reads the layers .*not of BertModel; use .*layer_means=false"):
        rating_task.check(replace(rated, held_out=0), system.untrained(tiny_encoder), options)


def test_pseudo_labels_without_rows_for_them_and_a_training_without_rows_are_user_errors(
    rated, tiny_encoder, finetuning
):
    labelled = replace(rated, ratings=rated.ratings[rated.ratings["use"] == "train"], held_out=0)
    with pytest.raises(UserError, match=r"no rows without labels; name some in prepare\.ratings\.unlabelled"):
        rating_task.check(labelled, system.untrained(tiny_encoder), finetuning(r_pseudo_labels__rounds=1))
    with pytest.raises(UserError, match=r"0 rows of ratings to train on, on 3 targets"):
        rating_task.check(
            replace(labelled, ratings=labelled.ratings.iloc[:0]), system.untrained(tiny_encoder), finetuning()
        )
