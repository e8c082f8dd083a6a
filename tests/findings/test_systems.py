"""Roles and starts decide what is compared with what; names do not."""

from dataclasses import replace

import pytest

from whyrank.core.errors import UserError
from whyrank.core.options.systems import System
from whyrank.findings.systems import BEST_BASELINE, BEST_OTHER, Systems

from ..shipped import SHIPPED

OTHER_NAMES = {
    "tfidf": "words",
    "bm25": "terms",
    "base": "barlow",
    "barlow": "base",
    "base-tuned": "a",
    "barlow-tuned": "b",
    "nearest-query": "classifier",
    "classifier": "fusion",
    "fusion": "nearest",
}


def renamed(systems):
    """The same experiment under other names, which say something else than they did."""
    options = {
        OTHER_NAMES[name]: replace(system, starts_from=OTHER_NAMES.get(system.starts_from, ""))
        for name, system in systems.options.items()
    }
    return Systems(options, systems.inits)


def with_system(name, **keys):
    return Systems({**SHIPPED.options, name: System(kind="encoder", **keys)}, SHIPPED.inits)


def without(*names):
    return Systems({name: one for name, one in SHIPPED.options.items() if name not in names}, SHIPPED.inits)


COMPARISONS = [
    ("base-tuned", "base"),
    ("barlow", "base"),
    ("barlow-tuned", "barlow"),
    ("barlow-tuned", "base-tuned"),
    ("base-tuned", BEST_BASELINE),
    ("barlow-tuned", BEST_BASELINE),
    ("base", BEST_BASELINE),
]
RIVALS = [("nearest-query", BEST_OTHER), ("classifier", BEST_OTHER), ("fusion", BEST_OTHER)]


def test_comparisons_are_each_training_with_its_start_pretraining_and_the_best_baseline():
    assert SHIPPED.comparisons() == [*COMPARISONS, *RIVALS]
    assert SHIPPED.rating_comparisons() == [*COMPARISONS, *RIVALS, ("barlow-tuned", "base"), ("barlow", BEST_BASELINE)]


def test_names_decide_nothing():
    other = renamed(SHIPPED)
    assert other.comparisons() == [(OTHER_NAMES[a], OTHER_NAMES.get(b, b)) for a, b in [*COMPARISONS, *RIVALS]]
    assert [other.root(name) for name in ("barlow", "base", "a", "b")] == ["barlow"] * 4
    assert other.pretraining == (("b", "a"), ("base", "barlow"))
    assert other.trained_from("base") == "a" and other.init("a") == "base"


def test_pretraining_has_its_counterpart_and_other_systems_have_none():
    assert SHIPPED.pretraining == (("barlow-tuned", "base-tuned"), ("barlow", "base"))
    assert [SHIPPED.without_pretraining(name) for name in SHIPPED.options] == [
        "",
        "",
        "",
        "base",
        "",
        "base-tuned",
        "",
        "",
        "",
    ]
    assert [name for name in SHIPPED.options if SHIPPED.is_pretrained(name)] == ["barlow", "barlow-tuned"]


def test_a_further_encoder_is_compared_with_the_best_baseline_and_changes_no_other_comparison():
    more = with_system("base-cls", role="zero-shot", made_of="models/base", pooling="cls")
    assert more.comparisons() == [*COMPARISONS, ("base-cls", BEST_BASELINE), *RIVALS]
    assert more.root("base-cls") == "base-cls" and more.encoders[-1] == "base-cls"


def test_a_system_that_was_tuned_elsewhere_has_no_training_of_ours_and_is_compared_with_its_start():
    more = with_system("theirs", role="tuned", made_of="data/theirs", starts_from="base")
    assert more.init("theirs") is None and more.init("base-tuned") == "base"
    assert ("theirs", "base") in more.comparisons() and ("barlow-tuned", "theirs") in more.comparisons()


def test_a_start_that_is_not_evaluated_still_names_the_training():
    less = without("base", "tfidf")
    assert less.untuned["base-tuned"] == "base" and less.init("base-tuned") == "base"
    assert less.root("barlow-tuned") == "base" and less.rating_baseline == ""
    assert without("base-tuned").trained_from("base") == "base-tuned"


def test_values_that_do_not_belong_there_are_a_user_error():
    with pytest.raises(UserError, match=r"^params\.yaml: `systems\.x\.kind` is missing"):
        Systems.of({"inits": [], "systems": {"x": {"role": "tuned", "made_of": "m", "starts_from": "y"}}})


def test_a_rival_reads_the_system_or_the_kind_of_systems_that_it_is_made_of():
    assert SHIPPED.rivals == ("nearest-query", "classifier", "fusion")
    assert not set(SHIPPED.rivals) & {*SHIPPED.others, *SHIPPED.encoders, *SHIPPED.baselines}
    assert SHIPPED.made_of("classifier") == ("base",) and SHIPPED.made_of("base") == ()
    assert SHIPPED.made_of("fusion") == ("base", "barlow", "base-tuned", "barlow-tuned")
    named = replace(SHIPPED.options["fusion"], of=["base-tuned", "base"])
    assert Systems({**SHIPPED.options, "fusion": named}, SHIPPED.inits).made_of("fusion") == ("base", "base-tuned")
