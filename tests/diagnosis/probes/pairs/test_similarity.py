"""Similarity that was lost: when it is reported, what is named as its cause, and what is proposed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.pairs.pair_labels import asked, spoken_levels, words
from whyrank.findings.records import Records

from ..faults import TUNED, of, planted, with_finetune, with_history


@planted("similarity-worse-than-zero-shot", of("similarity-worse-than-zero-shot", *TUNED))
def pairs_of_another_kind(lab: Any, healthy: Records) -> Records:
    """Training learned the labels of its pairs, and took the test pairs out of their order."""
    return lab.with_scored_pairs(healthy, base_tuned=(0.45, 0.1), barlow_tuned=(0.45, 0.1))


def without_similarity(healthy: Records) -> Records:
    """Both fine-tunings followed ranking alone."""
    history = healthy.finetune["base"].history
    return with_finetune(healthy, history=history[[name for name in history if not name.startswith("similarity")]])


@planted("forgetting", of("forgetting", *TUNED))
def forgotten(lab: Any, healthy: Records) -> Records:
    return lab.with_scored_pairs(without_similarity(healthy), base_tuned=0.45, barlow_tuned=0.45)


WORSE = ("similarity-worse-than-zero-shot", "base-tuned")


@pytest.mark.parametrize(("noise", "speaks"), [(0.30, False), (0.302, False), (0.36, True)])
def test_a_loss_speaks_from_one_point_on(noise, speaks, lab, healthy, findings):
    spoken = findings(lab.with_scored_pairs(healthy, base_tuned=noise))
    assert set(spoken) == (of(*WORSE) if speaks else set())


def test_a_system_whose_similarity_is_undefined_lost_nothing_that_could_be_told(lab, healthy, findings):
    flat = healthy.runs["base-tuned"].pairs.assign(prediction=0.5)
    runs = healthy.runs | {"base-tuned": replace(healthy.runs["base-tuned"], pairs=flat)}
    assert WORSE not in findings(replace(healthy, runs=runs))


def test_without_test_pairs_nothing_is_said(healthy, findings):
    runs = {name: replace(run, pairs=None) for name, run in healthy.runs.items()}
    assert findings(replace(healthy, runs=runs)) == {}


def test_the_sentence_and_the_evidence_say_how_much_was_lost_where(lab, healthy, findings):
    found = findings(pairs_of_another_kind(lab, healthy))[WORSE]
    evidence = {one.name: one.value for one in found.evidence}
    assert "worse than base: \N{MINUS SIGN}" in found.sentence
    lost = evidence["difference"]
    assert lost == pytest.approx((evidence["difference on sts12"] + evidence["difference on stsb"]) / 2)
    assert found.interval[0] < lost < found.interval[1] < 0
    whole, within = (next(value for name, value in evidence.items() if part in name)
                     for part in ("as one list", "within their subsets"))  # fmt: skip
    assert whole == pytest.approx(evidence["difference on sts12"]) and within == pytest.approx(whole, abs=1)


def test_labels_that_were_learnt_ask_for_another_order_and_labels_that_were_not_were_not_learnt(lab, healthy, findings):
    learnt = findings(pairs_of_another_kind(lab, healthy))[WORSE].cause
    assert learnt.startswith("Training learned its own labels")
    assert ". Test pairs with the cosine of training pairs of label 1, 0.5, 0 have a mean label of " in learnt
    broken = findings(lab.with_scored_pairs(healthy, base_tuned=(0.45, 0.45)))[WORSE].cause
    assert broken.startswith("Training did not learn its own labels")
    runs = {name: replace(run, training_pairs=None) for name, run in pairs_of_another_kind(lab, healthy).runs.items()}
    unknown = findings(replace(healthy, runs=runs))[WORSE]
    assert unknown.cause.startswith("Training moved pairs away from a better order.")
    assert not any("training pairs" in one.name for one in unknown.evidence)


def test_a_finding_that_knows_the_cause_is_named_and_its_fix_taken(lab, healthy, findings):
    spoilt = with_history(pairs_of_another_kind(lab, healthy), similarity_angle_gradient_share=0.001, similarity_rows=8)
    found = findings(spoilt)
    assert {"dead-loss-term", "few-negatives", WORSE[0]} == {code for code, _ in found}
    # A loss that does nothing stands before batches that are small.
    assert found[WORSE].cause.startswith("Explained by `dead-loss-term`. ")
    assert found[WORSE].fix == found["dead-loss-term", "base-tuned"].fix


def test_the_best_look_at_dev_pairs_is_kept_where_there_were_looks(lab, healthy, findings):
    looks = healthy.finetune["base"].evaluations.drop(columns="spearman_mean")
    spoilt = with_finetune(pairs_of_another_kind(lab, healthy), evaluations=looks)
    found = findings(spoilt)[WORSE].fix
    assert found.params == {"finetune_rank.learning_rate": 1e-4} and "dev pairs" in found.action
    falling = with_finetune(spoilt, evaluations=looks.assign(spearman_mean=np.linspace(0.87, 0.8, len(looks))))
    kept = findings(falling)[WORSE]
    assert kept.fix.params["finetune_rank.early_stopping.metric"] == "spearman_mean" and not kept.fix.action
    evidence = {one.name: one.value for one in kept.evidence}
    assert evidence["dev Spearman before the first step"] == 0.87 > evidence["best dev Spearman after it"]


def examined(records):
    return Examination(records, "accuracy@1", level=0.95, resamples=100, seed=0)


def test_a_class_is_scored_by_the_test_pairs_that_the_untouched_encoder_finds_as_alike(lab, healthy):
    exact = lab.with_scored_pairs(healthy, base=(0.0, 0.0))
    run = exact.runs["base"]
    # Cosines of test pairs are their labels; those of training pairs are 0.3, 0.45 and 0.6.
    training = run.training_pairs.assign(prediction=0.3 + 0.3 * run.training_pairs["label"])
    case = examined(replace(exact, runs=exact.runs | {"base": replace(run, training_pairs=training)}))
    levels = asked(case, "base")
    assert [level.label for level in levels] == [1, 0.5, 0]
    assert [level.scored for level in levels] == pytest.approx([0.6, 0.45, 0.3])
    assert spoken_levels(levels).endswith("of label 1, 0.5, 0 have a mean label of 0.60, 0.45, 0.30")
    scores = training.assign(label=np.linspace(0, 1, len(training)))
    graded = replace(exact, runs=exact.runs | {"base": replace(run, training_pairs=scores)})
    assert asked(examined(graded), "base") == [] and spoken_levels([]) == ""


def test_shared_words_that_matter_to_the_test_alone_are_unlearned(lab, healthy, findings):
    """TF-IDF knows nothing of the training labels, and the tuned cosines turned away from it."""
    spoilt = pairs_of_another_kind(lab, healthy)
    random = np.random.default_rng(1)
    floor = spoilt.runs["tfidf"]
    blind = floor.training_pairs.assign(prediction=random.standard_normal(len(floor.training_pairs)))
    tuned = spoilt.runs["base-tuned"]
    away = tuned.pairs.assign(prediction=tuned.pairs["label"] + 0.45 * random.standard_normal(len(tuned.pairs)))
    runs = spoilt.runs | {"tfidf": replace(floor, training_pairs=blind), "base-tuned": replace(tuned, pairs=away)}
    found = words(examined(replace(spoilt, runs=runs)), "base", "base-tuned")
    assert abs(found.in_training) < 0.2 < found.in_test and found.after < found.before and found.are_unlearned
    assert "Shared words predict the training labels" in findings(replace(spoilt, runs=runs))[WORSE].cause
    # Where training labels follow words as test labels do, they are not what was unlearned.
    assert not words(examined(spoilt), "base", "base-tuned").are_unlearned
    without = {name: run for name, run in spoilt.runs.items() if name != "tfidf"}
    assert words(examined(replace(spoilt, runs=without)), "base", "base-tuned") is None


def test_forgetting_says_what_was_gained_beside_it(lab, healthy, findings):
    found = findings(forgotten(lab, healthy))["forgetting", "base-tuned"]
    assert "base-tuned forgot similarity that base had: " in found.sentence
    evidence = {one.name: one.value for one in found.evidence}
    assert evidence["difference in accuracy@1"] > 1 and evidence["difference on stsb"] < -1
    still = replace(forgotten(lab, healthy).runs["base-tuned"], queries=healthy.runs["base"].queries)
    runs = forgotten(lab, healthy).runs | {"base-tuned": still}
    nothing = findings(replace(without_similarity(healthy), runs=runs))["forgetting", "base-tuned"]
    assert "and ranking gained nothing" in nothing.sentence


def test_training_that_went_further_than_learning_takes_is_shortened_by_as_much(lab, healthy, findings):
    # The rates of the healthy history add up to .25, where heads learn with .015.
    found = findings(forgotten(lab, healthy))["forgetting", "base-tuned"]
    summed = healthy.finetune["base"].history["learning_rate"].sum()
    assert found.fix.params["finetune_rank.learning_rate"] == pytest.approx(1e-3 * 0.015 / summed, rel=0.05)
    short = with_finetune(forgotten(lab, healthy), history=forgotten(lab, healthy).finetune["base"].history.head(10))
    third = findings(short)["forgetting", "base-tuned"].fix
    assert third.params == {"finetune_rank.learning_rate": 3.3e-4}


def test_a_head_from_scratch_forgets_by_its_start_and_gets_another(lab, healthy, findings):
    record = without_similarity(healthy).finetune["base"]
    anew = replace(record, evaluations=lab.finetune(start=0.03, end=0.55).evaluations)
    spoilt = replace(forgotten(lab, healthy), finetune={"base": anew, "barlow": record})
    found = findings(spoilt)
    assert found["forgetting", "base-tuned"].fix.params == {"finetune_rank.head.kind": "residual"}
    assert "finetune_rank.learning_rate" in found["forgetting", "barlow-tuned"].fix.params


def test_pretraining_forgets_too_and_is_told_for_information(lab, healthy, findings):
    spoilt = lab.with_scored_pairs(healthy, barlow=0.4)
    history = healthy.barlow.history.assign(learning_rate=3e-4)
    found = findings(replace(spoilt, barlow=replace(healthy.barlow, history=history)))["forgetting", "barlow"]
    assert found.severity == "info" and found.fix.params == {"pretrain_barlow.learning_rate": 3e-5}
