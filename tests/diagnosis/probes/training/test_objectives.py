"""Objectives: where the checks begin, and what they propose."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.core.options.overrides import put
from whyrank.findings.records import Records

from ....shipped import PARAMS
from ..faults import TUNED, of, planted, with_finetune, with_history


@planted("nothing-moves", of("nothing-moves", *TUNED) | of("tuning-brought-nothing", *TUNED))
def frozen_by_accident(lab: Any, healthy: Records) -> Records:
    """Steps at a good rate that reach no weight, and systems that are what they were before."""
    spoilt = with_history(healthy, moved_block_5=0.0)
    return lab.spoil(spoilt, base_tuned=healthy.runs["base"], barlow_tuned=healthy.runs["barlow"])


@planted("dead-loss-term", of("dead-loss-term", *TUNED))
def satisfied_loss(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, rank_gradient_share=0.996, similarity_gradient_share=0.004)


@planted("few-negatives", of("few-negatives", *TUNED))
def small_batches(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, candidates=8)


@planted("antipodal-angle", of("antipodal-angle", *TUNED))
def opposed_pairs(lab: Any, healthy: Records, share: float = 0.2) -> Records:
    return with_history(healthy, similarity_opposed_positives=share)


@pytest.mark.parametrize(("moved", "speaks"), [(4.9e-5, True), (5.1e-5, False)])
def test_nothing_moves_speaks_below_what_rounding_can_hide(moved, speaks, healthy, findings):
    spoken = findings(with_history(healthy, moved_block_5=moved))
    assert (("nothing-moves", "base-tuned") in spoken) == speaks


def test_one_part_that_moves_is_enough(healthy, findings):
    assert findings(with_history(healthy, moved_embeddings=0.0)) == {}


def test_rates_of_zero_are_raised_and_a_frozen_encoder_is_thawed(healthy, findings):
    still = {"moved_block_5": 0.0}
    key = ("nothing-moves", "base-tuned")
    without_rate = findings(with_history(healthy, **still, learning_rate=0.0))[key]
    assert without_rate.fix.params == {
        "finetune_rank.learning_rate": 1e-3, "finetune_rank.encoder_learning_rate": 1e-4,
    }  # fmt: skip
    frozen = findings(with_history(healthy, **still))[key]
    assert frozen.fix.params["finetune_rank.objectives.rank.freeze_encoder"] is False


def test_a_rate_that_an_objective_keeps_for_itself_is_named_and_given_up(healthy, findings):
    own = with_history(healthy, moved_block_5=3e-6, learning_rate=1e-8, rank_learning_rate=1e-8, weights_changed=0.7)
    spoken = findings(own)
    found = spoken["nothing-moves", "base-tuned"]
    assert found.fix.params == {"finetune_rank.objectives.rank.learning_rate": 0.0}
    assert "`finetune_rank.objectives.rank.learning_rate` wins over" in found.cause
    assert "updates-lost-in-rounding" not in {code for code, _ in spoken}


def test_an_objective_that_begins_after_the_end_was_never_trained(healthy, findings):
    late = {"finetune_rank.objectives.similarity.weight": 1.0, "finetune_rank.objectives.rank.start_step": 5000}
    history = healthy.finetune["base"].history
    left = history.drop(columns=[name for name in history if name.startswith("rank_")])
    run = replace(with_finetune(healthy, history=left), params=put(PARAMS, late))
    found = findings(run)["dead-loss-term", "base-tuned"]
    assert found.severity == "error" and "step 5000, and training had 400 steps" in found.sentence
    assert found.fix.params == {"finetune_rank.objectives.rank.start_step": 0}
    # One that began within the training, and one that was drawn for no batch, are other matters.
    begun = replace(run, params=put(PARAMS, late | {"finetune_rank.objectives.rank.start_step": 399}))
    assert ("dead-loss-term", "base-tuned") not in findings(begun)


@pytest.mark.parametrize(("share", "speaks"), [(0.0099, True), (0.0101, False)])
def test_a_loss_is_dead_below_a_hundredth_of_the_gradient(share, speaks, healthy, findings):
    spoken = findings(with_history(healthy, similarity_gradient_share=share))
    assert (("dead-loss-term", "base-tuned") in spoken) == speaks


def test_a_dead_loss_of_the_similarity_objective_gets_a_weight_and_steps_without_it_do_not_count(healthy, findings):
    steps = len(healthy.finetune["base"].history)
    share = np.where(np.arange(steps) < steps // 2, np.nan, 0.001)  # it begins half way
    (found,) = [
        finding
        for (code, system), finding in findings(with_history(healthy, similarity_angle_gradient_share=share)).items()
        if system == "base-tuned"
    ]
    assert found.code == "dead-loss-term" and "0.10 %" in found.sentence
    assert found.fix.params == {"finetune_rank.objectives.similarity.angle.weight": 1.0}


@pytest.mark.parametrize(
    ("candidates", "severity"), [(8, "warning"), (9, "info"), (16, "info"), (17, None), (40, None)]
)
def test_few_negatives_are_sixteen_and_below_and_a_warning_from_eight(candidates, severity, healthy, findings):
    spoken = findings(with_history(healthy, candidates=candidates))
    assert set(spoken) == (of("few-negatives", "base-tuned", "barlow-tuned") if severity else set())
    assert {one.severity for one in spoken.values()} == ({severity} if severity else set())


@pytest.mark.parametrize(
    ("rows", "most", "fix"),
    [
        (64, 1000, {"batch_size": 64}),
        (63, 1000, {"candidates": "all", "hard_negatives.count": 0}),
        (63, 39, {"candidates": "kept", "hard_negatives.count": 0}),
    ],
)
def test_more_negatives_than_a_small_set_has_rows_come_from_its_other_answers(rows, most, fix, healthy, findings):
    few = with_history(healthy, candidates=8)
    qrels, queries = few.data.qrels, few.data.queries
    train = qrels.index[qrels["query_id"].isin(queries.loc[queries["split"] == "train", "query_id"])]
    data = replace(few.data, qrels=qrels.drop(train[rows:]))
    assert len(data.ranking.relevant_in("train")) == rows
    few = replace(few, data=data, params=put(PARAMS, {"finetune_rank.max_candidates": most}))
    found = findings(few)["few-negatives", "base-tuned"]
    assert found.fix.params == {f"finetune_rank.{key}": value for key, value in fix.items()}


def test_all_answers_of_a_small_corpus_are_not_few(healthy, findings):
    # 40 answers, all of them candidates; a batch of pairs has its own size.
    spoken = findings(with_history(healthy, candidates=40, similarity_rows=16))
    assert spoken["few-negatives", "base-tuned"].fix.params == {"finetune_rank.objectives.similarity.batch_size": 64}


def test_a_batch_of_more_pairs_than_there_are_is_no_fix(healthy, findings):
    few = with_history(healthy, candidates=40, similarity_rows=16)
    for kept, params in ((63, {}), (64, {"finetune_rank.objectives.similarity.batch_size": 64})):
        counts = pd.DataFrame({"use": ["train", "dev"], "kept": [kept, 500]})
        data = replace(few.data, tables={**few.data.tables, "pair_counts": counts})
        fix = findings(replace(few, data=data))["few-negatives", "base-tuned"].fix
        assert fix.params == params and fix.action == ("" if params else "bring more training pairs")
