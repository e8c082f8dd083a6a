"""How several objectives share a real training of the tiny encoder: draws, weights, and what the history says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.options.params import FinetuneRank
from whyrank.model import system
from whyrank.training import finetune

ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
NAMES = ["rank", "similarity", "classification"]
SHARES = [f"{name}_gradient_share" for name in NAMES]
THREE = {
    "objectives.similarity.weight": 0.1,
    "objectives.similarity.cosine.weight": 1.0,
    "objectives.classification.weight": 0.05,
    "train": "all",
    "candidates": "batch",
    "batch_size": 8,
    "epochs": 1,
    "encoder_learning_rate": 1e-3,
    "early_stopping.metric": "",
    "early_stopping.evaluations": 1,
}


@pytest.fixture
def steps_of(paired, make_encoder, options):
    def steps_of(changes):
        chosen = options("finetune_rank", FinetuneRank, THREE | changes)
        torch.manual_seed(0)
        return finetune.finetune_rank(system.untrained(make_encoder()), paired, chosen, ENCODER, 0).history.steps

    return steps_of


def test_the_history_has_the_loss_and_the_share_of_each_task_and_the_cosine_of_each_pair(steps_of):
    steps = steps_of({"head.kind": "none"})
    assert steps[[f"{name}_loss" for name in NAMES]].notna().all(axis=None)
    assert np.allclose(steps[SHARES].sum(axis=1), 1)
    for pair in ("rank_similarity", "rank_classification", "similarity_classification"):
        assert steps[f"{pair}_gradient_cosine"].between(-1, 1).all()
    weighted = steps["rank_loss"] + 0.1 * steps["similarity_loss"] + 0.05 * steps["classification_loss"]
    assert np.allclose(steps["loss"], weighted, rtol=1e-5)


@pytest.mark.parametrize("own", [False, True])
def test_equal_gradients_bring_the_shares_within_a_tenth_of_each_other_where_fixed_weights_do_not(own, steps_of):
    kind = "residual" if own else "shared"
    heads = {f"objectives.{name}.head.kind": kind for name in NAMES[1:]} | {"head.kind": "residual"}
    fixed, equal = (steps_of(heads | {"tasks.weighting": way})[SHARES] for way in ("fixed", "equal_gradient"))
    assert (fixed.max(axis=1) / fixed.min(axis=1)).min() > 1.5
    assert (equal.max(axis=1) / equal.min(axis=1)).max() < 1.1


@pytest.mark.parametrize("how", [{"gradient_checkpointing": True}, {"cache_tokens": 40}])
def test_what_is_computed_again_for_the_gradient_has_the_dropout_that_it_had_beside_an_objective_without_one(
    how, steps_of
):
    # Under LoRA the encoder's own layers are frozen, and without dropout; the pairs are encoded in between.
    given = {"lora.rank": 2, "objectives.similarity.freeze_encoder": True, "head.kind": "residual", "max_steps": 2}
    once, again = steps_of(given), steps_of(given | how)
    # Groups of texts draw a dropout each: under caching another than the whole batch.
    tolerance = 1e-3 if "gradient_checkpointing" in how else 0.2
    columns = ["rank_loss", "gradient_norm"]
    assert np.allclose(once[columns], again[columns], rtol=tolerance)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"objectives.similarity.head.kind": "none"}, "similarity"),
        ({"objectives.similarity.head.kind": "none", "objectives.rank.weight": 0.0}, "similarity"),
        ({"train": "all", "objectives.rank.freeze_encoder": True, "head.kind": "none"}, "rank"),
        ({"head.kind": "none", "objectives.similarity.head.kind": "residual"}, "rank"),
    ],
)
@pytest.mark.parametrize("weighting", ["fixed", "equal_gradient"])
def test_an_objective_that_can_move_nothing_is_a_user_error_that_names_it(steps_of, changes, name, weighting):
    given = {"train": "head", "head.kind": "residual", "objectives.classification.weight": 0.0}
    with pytest.raises(UserError, match=rf"objectives\.{name}` .*moves neither the encoder nor a head"):
        steps_of(given | changes | {"tasks.weighting": weighting})


SINGLE = {
    "batch_size": {"encoders": "dual", "hard_negatives.count": 1},
    "objectives.classification.batch_size": {"objectives.classification.of": "query_type"},
    "objectives.ratings.batch_size": {"objectives.rank.weight": 0.0, "objectives.ratings.weight": 1.0},
}


@pytest.mark.parametrize("key", SINGLE)
def test_batches_of_one_text_under_an_mlp_head_are_a_user_error_that_names_their_size(
    key, paired, rated, make_encoder, options
):
    is_rated = "ratings" in key
    others = {f"objectives.{name}.weight": 0.0 for name in NAMES[1:] if is_rated}
    changes = THREE | others | SINGLE[key] | {key: 1, "head.kind": "mlp", "objectives.ratings.head.kind": "shared"}
    prepared, chosen = (
        replace(rated, held_out=0) if is_rated else paired,
        options("finetune_rank", FinetuneRank, changes),
    )
    with pytest.raises(UserError, match=rf"`finetune_rank\.{key}` is 1, and the BatchNorm"):
        finetune.finetune_rank(system.untrained(make_encoder()), prepared, chosen, ENCODER, 0)
    fine = options("finetune_rank", FinetuneRank, changes | {"head.kind": "residual", "max_steps": 1})
    assert len(finetune.finetune_rank(system.untrained(make_encoder()), prepared, fine, ENCODER, 0).history.steps) == 1


@pytest.mark.parametrize("weighting", ["fixed", "equal_gradient"])
@pytest.mark.parametrize("rank", [0.0, 1.0])
def test_steps_in_which_an_objective_moves_nothing_yet_pass_it_by(steps_of, rank, weighting):
    changes = {"objectives.rank.weight": rank, "objectives.classification.weight": 0.0, "head.kind": "none"}
    steps = steps_of(changes | {"freeze_steps": 2, "max_steps": 4, "epochs": 9, "tasks.weighting": weighting})
    assert steps["moved_block_1"].gt(0).tolist() == [False, False, True, True]


def test_learnt_weights_move_against_the_size_of_their_loss(steps_of):
    steps = steps_of({"tasks.weighting": "uncertainty", "learning_rate": 0.01})
    first, last = steps.iloc[0], steps.iloc[-1]
    given = {"rank": 1.0, "similarity": 0.1, "classification": 0.05}
    for name in NAMES:
        assert first[f"{name}_task_weight"] == given[name]
        # The weight settles at one over the loss: a loss above 1 comes to count less, one below it more.
        falls = last[f"{name}_task_weight"] < given[name]
        assert falls == (steps[f"{name}_loss"].mean() > 1), name


def test_a_drawn_task_has_a_batch_to_itself_and_all_are_drawn(steps_of):
    steps = steps_of({"tasks.sampling": "equal", "epochs": 3})
    losses = steps[[f"{name}_loss" for name in NAMES]]
    assert (losses.notna().sum(axis=1) == 1).all() and (losses.notna().sum() > 1).all()
    assert not set(SHARES) & set(steps)  # one task has nothing to share
    weight = np.array([1.0, 0.1, 0.05])
    assert np.allclose(steps["loss"], (losses.fillna(0) * weight).sum(axis=1), rtol=1e-5)


def test_a_task_begins_at_its_step_and_the_others_go_on_meanwhile(steps_of):
    steps = steps_of({"objectives.similarity.start_step": 3})
    assert steps["similarity_loss"].isna().tolist() == [True] * 3 + [False] * (len(steps) - 3)
    assert steps["rank_loss"].notna().all()
    assert np.allclose(steps[SHARES].sum(axis=1), 1)


def test_a_task_that_leaves_the_encoder_frozen_moves_its_head_alone(paired, make_encoder, options):
    changes = THREE | {"objectives.rank.weight": 0.0, "objectives.classification.weight": 0.0, "head.kind": "none"}
    changes |= {"objectives.similarity.freeze_encoder": True, "objectives.similarity.head.kind": "residual"}
    chosen = options("finetune_rank", FinetuneRank, changes)
    made = finetune.finetune_rank(system.untrained(make_encoder()), paired, chosen, ENCODER, 0).system
    before = make_encoder().state_dict()
    assert all(torch.equal(before[name], tensor) for name, tensor in made.encoder.state_dict().items())
    assert made.tasks.own["similarity"][0].layers[-1].weight.abs().max() > 0
