"""Usual ranges: what is outside of them, how far, and only of what takes part."""

import copy
from typing import Any

import pytest

from whyrank.core.options import params
from whyrank.core.options.overrides import put
from whyrank.diagnosis.unusual import unusual, used
from whyrank.diagnosis.usual import CHOICES, FARTHEST, USUAL, Usual

from ..shipped import PARAMS

SECTIONS = ("finetune_rank", "pretrain_barlow", "encoder", "prepare", "evaluate")
SIMILARITY = "finetune_rank.objectives.similarity"


def told(**changes: Any) -> dict[str, float]:
    """Distance by key, of the shipped parameters with changes (`__` for a dot)."""
    values = put(PARAMS, {key.replace("__", "."): value for key, value in changes.items()})
    return {one.key: one.far for one in unusual(values, *SECTIONS)}


def there(key: str) -> bool:
    at: Any = PARAMS
    for name in key.split("."):
        if name not in at:
            return False
        at = at[name]
    return True


def test_the_shipped_parameters_are_usual():
    assert told() == {}


def test_every_value_to_take_instead_is_usual_and_one_that_params_yaml_takes():
    for key, usual in (USUAL | CHOICES).items():
        if not there(key):
            # Of an objective that has no such loss.
            assert ".objectives." in key
            continue
        zero_is_off = key.endswith(("keep_layers", "learning_rate")) and usual.value == 0
        assert usual.far(usual.value) == 0 or zero_is_off, key
        params.check(put(copy.deepcopy(PARAMS), {key: usual.value}))


@pytest.mark.parametrize(
    ("value", "far"), [(1e-3, 0.0), (1e-2, 0.0), (0.1, 1.0), (1e-7, 2.0), (0.0, FARTHEST), (1e-5, 0.0)]
)
def test_a_distance_is_in_powers_of_ten(value, far):
    assert Usual(1e-5, 1e-2, 1e-3, "").far(value) == pytest.approx(far)


def test_of_a_share_what_is_left_of_one_counts():
    dropout = Usual(0, 0.5, 0.1, "", is_share=True)
    assert dropout.far(0.95) == pytest.approx(1.0) and dropout.far(1.0) == FARTHEST and dropout.far(0.5) == 0


def test_what_is_switched_off_takes_no_part():
    assert told(pretrain_barlow__redundancy_weight=9.0) == {
        "pretrain_barlow.redundancy_weight": pytest.approx(1.653, abs=0.001)
    }
    assert told(pretrain_barlow__redundancy_weight=9.0, pretrain_barlow__steps=0) == {}
    assert told(**{"finetune_rank__hard_negatives__margin": 0.0}) == {}
    assert set(told(finetune_rank__hard_negatives__margin=0.0, finetune_rank__hard_negatives__count=4)) == {
        "finetune_rank.hard_negatives.margin"
    }
    assert told(**{f"{SIMILARITY}.cosine.temperature": 50.0}) == {}
    assert told(finetune_rank__head__dropout=0.99) == {}  # no head
    assert told(finetune_rank__train="head", finetune_rank__encoder_learning_rate=0.5) == {}


def test_zero_that_stands_for_something_else_is_no_number():
    assert used(PARAMS, "encoder.keep_layers") is None
    assert used(PARAMS, "finetune_rank.objectives.rank.learning_rate") is None
    assert set(told(finetune_rank__objectives__rank__learning_rate=1e-8)) == {
        "finetune_rank.objectives.rank.learning_rate"
    }


def test_the_scale_is_that_of_its_score():
    scale = {"finetune_rank__similarity__scale": 1.0}
    assert "finetune_rank.similarity.scale" in told(**scale)
    assert set(told(**scale, finetune_rank__similarity__kind="dot")) == {"finetune_rank.similarity.kind"}


@pytest.mark.parametrize(
    ("rank", "similarity", "named", "instead"),
    [(1.0, 50.0, "similarity", 1.0), (1e-3, 1.0, "rank", 1.0), (1.0, 1e-3, "similarity", 1.0), (1.0, 5.0, "", 0.0)],
)
def test_weights_of_objectives_are_seen_beside_each_other(rank, similarity, named, instead):
    weights = {"finetune_rank.objectives.rank.weight": rank, f"{SIMILARITY}.weight": similarity}
    found = list(unusual(put(PARAMS, weights), *SECTIONS))
    assert [one.key for one in found] == ([f"finetune_rank.objectives.{named}.weight"] if named else [])
    assert [one.usual.value for one in found] == ([instead] if named else [])
    learnt = put(PARAMS, weights | {"finetune_rank.tasks.weighting": "equal_gradient"})
    assert list(unusual(learnt, *SECTIONS)) == []


def test_cuts_that_keep_next_to_nothing_are_given_up_with_their_weights():
    rank = "finetune_rank.objectives.rank.matryoshka"
    assert set(told(**{f"{rank}.dims": [2, 4], f"{rank}.weights": [1.0, 1.0]})) == {f"{rank}.dims", f"{rank}.weights"}
    assert told(**{f"{rank}.dims": [8, 384], f"{rank}.weights": [1.0, 1.0]}) == {}


@pytest.mark.parametrize(
    ("metric", "is_usual"),
    [("mrr_all", True), ("", True), ("train_mrr", False), ("accuracy@1_question", False), ("spearman_mean", False)],
)
def test_weights_of_a_ranker_are_chosen_by_all_dev_queries(metric, is_usual):
    assert (told(finetune_rank__early_stopping__metric=metric) == {}) == is_usual
    off = {"finetune_rank__objectives__rank__weight": 0.0, f"{SIMILARITY}.weight": 1.0}
    assert told(finetune_rank__early_stopping__metric=metric, **off) == {}


def test_a_word_that_is_a_known_fault_is_unusual():
    assert told(finetune_rank__same_answer="negative") == {"finetune_rank.same_answer": 1.0}
    assert told(encoder__pooling="weightedmean") == {} and set(told(encoder__pooling="max")) == {"encoder.pooling"}
