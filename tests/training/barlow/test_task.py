"""Two views of a text beside ranking: what it records, that it is trained, and what it needs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from whyrank.core.errors import UserError
from whyrank.core.options.params import Encoder, FinetuneRank
from whyrank.model import system
from whyrank.training import finetune

# Six rows: off the diagonal there is little but chance.
BESIDE = {
    "objectives.views.redundancy_weight": 0.0,
    "objectives.views.weight": 30.0,
    "objectives.views.views": ["span-document"],
    "objectives.views.batch_size": 6,
}


@pytest.fixture
def tuned(topics, make_encoder, options, shipped_params):
    def run(**changes):
        torch.manual_seed(0)
        base = {"epochs": 40.0, "max_steps": 40, "batch_size": 4, "learning_rate": 1e-2, "candidates": "batch"}
        base |= {"early_stopping.metric": "", "early_stopping.evaluations": 1, "head.kind": "residual"}
        chosen = options("finetune_rank", FinetuneRank, base | changes)
        start = system.untrained(make_encoder().eval())
        return finetune.finetune_rank(start, topics, chosen, Encoder(**shipped_params["encoder"]), 7)

    return run


def test_it_is_trained_beside_ranking_and_brings_views_together(tuned):
    beside, recorded, alone = tuned(**BESIDE), tuned(**BESIDE | {"objectives.views.weight": 1e-9}), tuned()
    assert {"views_loss", "views_mean_diagonal", "rank_loss"} <= set(beside.history.steps)
    assert "views_loss" not in alone.history.steps
    ends = [one.history.steps["views_mean_diagonal"].tail(10).mean() for one in (beside, recorded)]
    assert ends[0] > ends[1] + 0.05


@pytest.mark.parametrize("objective", ["vicreg", "infonce"])
def test_the_other_losses_of_views_are_trained_too(tuned, objective):
    losses = tuned(**BESIDE, **{"objectives.views.objective": objective}).history.steps["views_loss"]
    assert np.isfinite(losses).all() and losses.tail(5).mean() < losses.head(5).mean()


@pytest.mark.parametrize(
    ("views", "rows"),
    [
        (["span-document"], 6 * 3),
        (["query-answer"], 48),
        (["question-conversation"], 24),
        (["span-document", "query-answer", "question-in-conversation"], 6 * 3 + 48),
    ],
)
def test_it_is_drawn_as_often_as_its_pairs_of_texts_say(tuned, views, rows):
    # 48 training pairs of ranking; each of 6 answers makes up to 3 spans, and one that no batch gets.
    changes = {"objectives.views.views": views, "objectives.views.texts.per_text": 3, "tasks.sampling": "proportional"}
    steps = tuned(**BESIDE | changes, **{"epochs": 30.0, "max_steps": 300}).history.steps
    share = rows / (rows + 48)
    assert steps["views_batches"].mean() == pytest.approx(share, abs=4 * (share * (1 - share) / 300) ** 0.5)


def test_a_round_is_through_what_it_stands_beside(rated, make_encoder, options, shipped_params):
    changes = BESIDE | {"objectives.rank.weight": 0.0, "objectives.ratings.weight": 1.0, "epochs": 2.0}
    changes |= {"objectives.ratings.batch_size": 5, "early_stopping.metric": "", "head.kind": "residual"}
    chosen = options("finetune_rank", FinetuneRank, changes)
    prepared = replace(rated, held_out=0)
    start, encoder = system.untrained(make_encoder().eval()), Encoder(**shipped_params["encoder"])
    steps = finetune.finetune_rank(start, prepared, chosen, encoder, 7).history.steps
    assert len(steps) == round(2 * len(prepared.rated(held_out=False)) / 5)


def test_alone_it_is_a_user_error_that_names_the_stage(options):
    changes = {"objectives.rank.weight": 0.0, "objectives.views.weight": 1.0}
    with pytest.raises(UserError, match="no other objective is on; without labels use the stage pretrain_barlow"):
        options("finetune_rank", FinetuneRank, changes)


def test_views_that_no_text_has_are_a_user_error(tuned):
    with pytest.raises(
        UserError,
        match=r"0 texts .*conversation; .*\.objectives\.views\.views=\[span-document\]', or .*views\.weight=0",
    ):
        tuned(**BESIDE | {"objectives.views.views": ["question-in-conversation"]})
