"""Unusual settings: suspected where a run came out badly, and nothing surer names them."""

from dataclasses import replace
from typing import Any

import pytest

from whyrank.findings.records import Records

from ..faults import TUNED, of, planted, unchanged, with_finetune, with_history, with_looks, with_params

CODE = "unusual-setting"
DECAY = {"finetune_rank.weight_decay": 5.0}


@planted(CODE, of(CODE, *TUNED) | of("tuning-brought-nothing", *TUNED))
def decay_and_no_gain(lab: Any, healthy: Records) -> Records:
    return unchanged(lab, with_params(healthy, finetune_rank__weight_decay=5.0))


def test_a_run_that_came_out_well_is_left_alone_whatever_it_was_set_to(healthy, findings):
    assert findings(with_params(healthy, finetune_rank__weight_decay=5.0, finetune_rank__similarity__scale=900.0)) == {}


def test_a_bad_run_with_usual_settings_suspects_none(lab, healthy, findings):
    assert CODE not in {code for code, _ in findings(unchanged(lab, with_params(healthy)))}


def test_the_farthest_settings_are_named_first_with_what_is_usual(lab, healthy, findings):
    settings = {"finetune_rank__weight_decay": 5.0, "finetune_rank__max_grad_norm": 1e-5,
                "finetune_rank__learning_rate": 0.02, "finetune_rank__similarity__scale": 5000.0}  # fmt: skip
    found = findings(unchanged(lab, with_params(healthy, **settings)))[CODE, "base-tuned"]
    # The decay is 1.2 powers of ten outside, the rate 0.3, the scale 1.7, the norm 4.
    assert found.fix.params == {"finetune_rank.max_grad_norm": 1.0}
    assert "not significantly better than base" in found.sentence
    assert "`finetune_rank.max_grad_norm` is 1e-05, outside of the usual 0.1 or more" in found.sentence
    both = settings | {"finetune_rank__max_grad_norm": 0.5}
    found = findings(unchanged(lab, with_params(healthy, **both)))[CODE, "base-tuned"]
    assert list(found.fix.params) == ["finetune_rank.similarity.scale", "finetune_rank.weight_decay"]
    assert found.severity == "warning" and found.is_root


def test_it_explains_symptoms_and_gives_way_to_what_names_the_setting(lab, healthy, findings):
    bad = unchanged(lab, with_params(healthy, finetune_rank__warmup_ratio=1.0))
    spoken = findings(bad)
    assert spoken["tuning-brought-nothing", "base-tuned"].explained_by == (CODE,)
    steps = len(healthy.finetune["base"].history)
    rising = with_history(bad, rate_factor=[(step + 1) / (steps + 1) for step in range(steps)])
    assert {code for code, _ in findings(rising)} >= {"warmup-longer-than-training"}
    assert CODE not in {code for code, _ in findings(rising)}


def test_weights_below_the_best_evaluation_are_a_bad_end_too(healthy, findings):
    looks = healthy.finetune["base"].evaluations
    falls = with_looks(healthy, **{"accuracy@1_all": 0.9 - 0.3 * looks["step"] / looks["step"].max()})
    found = findings(with_params(falls, finetune_rank__weight_decay=5.0))[CODE, "base-tuned"]
    assert "below the best evaluation" in found.sentence and found.fix.params == {"finetune_rank.weight_decay": 0.01}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"finetune_rank__epochs": 900.0}, "epochs"),
        ({"finetune_rank__max_steps": 400}, "max_steps"),
        ({"finetune_rank__freeze_steps": 390}, "freeze_steps"),
        ({"finetune_rank__unfreeze_every": 390}, "unfreeze_every"),
        ({"finetune_rank__objectives__rank__start_step": 350}, "objectives.rank.start_step"),
    ],
)
def test_steps_are_seen_as_shares_of_the_training(changes, key, lab, healthy, findings):
    bad = unchanged(lab, with_params(healthy, **changes))
    if key in ("epochs", "max_steps"):
        # 400 steps of 10 or 200 training pairs each.
        rows = 100 if key == "epochs" else 0.1
        bad = with_history(bad, rows=rows)
    found = findings(bad)[CODE, "base-tuned"]
    assert list(found.fix.params) == [f"finetune_rank.{key}"]


def test_pretraining_is_suspected_where_its_system_is_worse(lab, healthy, findings):
    spoilt = lab.spoil(healthy, barlow=lab.run(lab.vectors(0.6)))
    settings = {"pretrain_barlow__redundancy_weight": 5.0}
    found = findings(with_params(spoilt, **settings))
    assert found[CODE, "pretrain_barlow"].fix.params == {"pretrain_barlow.redundancy_weight": 0.05}
    assert (CODE, "pretrain_barlow") not in findings(with_params(healthy, **settings))


def test_the_fix_also_sets_what_it_alone_would_make_unusual(lab, healthy, findings):
    dot = {"finetune_rank__similarity__kind": "dot", "finetune_rank__similarity__scale": 0.05}
    found = findings(unchanged(lab, with_params(healthy, **dot)))[CODE, "base-tuned"]
    # A scale that is usual for the dot product flattens the cosine.
    assert found.fix.params == {"finetune_rank.similarity.kind": "cosine", "finetune_rank.similarity.scale": 20.0}
    usual = dot | {"finetune_rank__similarity__scale": 10.0}
    found = findings(unchanged(lab, with_params(healthy, **usual)))[CODE, "base-tuned"]
    assert found.fix.params == {"finetune_rank.similarity.kind": "cosine"}


def test_rounds_of_pretraining_are_set_as_the_steps_that_make_them(lab, healthy, findings):
    spoilt = with_params(lab.spoil(healthy, barlow=lab.run(lab.vectors(0.6))))
    history = healthy.barlow.history[:100].assign(rows=0.1)
    found = findings(replace(spoilt, barlow=replace(healthy.barlow, history=history)))[CODE, "pretrain_barlow"]
    # 100 steps of a tenth of a row make a quarter of a round through 40 answers.
    assert "is 100 (0.25 rounds through the answers)" in found.sentence
    assert found.fix.params == {"pretrain_barlow.steps": 12_000}


def test_without_a_training_nothing_is_asked(healthy, findings):
    assert findings(with_finetune(with_params(healthy), history=healthy.finetune["base"].history[:0])) is not None
