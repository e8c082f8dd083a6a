"""A further encoder in params.yaml is read like any other: what is found of the others stays."""

from dataclasses import replace

from whyrank.core.options.systems import System
from whyrank.findings.systems import Systems

NAME = "base-cls"


def with_another(records, run):
    own = System("encoder", "zero-shot", "models/base", pooling="cls")
    systems = Systems({**records.systems.options, NAME: own}, records.systems.inits)
    return replace(records, systems=systems, runs={**records.runs, NAME: run})


def test_a_sound_one_raises_nothing(healthy, findings):
    assert findings(with_another(healthy, healthy.runs["base"])) == {}


def test_one_that_another_tool_trained_is_trained_anew_there_and_not_by_a_run_that_trains_others(
    lab, healthy, findings
):
    own = System("encoder", "tuned", "models/mine", starts_from="base")
    systems = Systems({**healthy.systems.options, "mine": own}, healthy.systems.inits)
    worse = lab.run(lab.vectors(0.6))
    runs = {**healthy.runs, "mine": worse, "base-tuned": worse}
    del runs["barlow-tuned"]
    found = findings(replace(healthy, systems=systems, runs=runs))
    mine, ours = (found["worse-than-zero-shot", name] for name in ("mine", "base-tuned"))
    assert mine.fix.params == {} and mine.fix.action.startswith("where the model is trained, set what corresponds to")
    assert "finetune_rank.early_stopping.metric" in ours.fix.params


def test_a_collapsed_one_is_told_to_change_its_own_pooling(lab, healthy, findings):
    found = findings(with_another(healthy, lab.run(lab.vectors(0.5) * 0.001 + 1.0)))
    finding = found["collapsed-embeddings", NAME]
    assert finding.fix.params == {f"systems.{NAME}.pooling": "mean"}
    assert {system for _, system in found} == {NAME}
