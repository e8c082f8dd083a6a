"""Every evaluated system beside chance: what training, evaluation and the encoder itself can make of a ranking."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.ranking import beside_chance
from whyrank.findings.finding import Finding
from whyrank.findings.outcome import Outcome
from whyrank.findings.probe import registered
from whyrank.findings.records import Records

from ..faults import ENCODERS, TUNED, of, planted, with_looks

CODES = ("encoder-at-chance", "below-chance", "trained-at-chance")
# Noise per feature under which a query is as near to one answer as to another.
DROWNED = 40.0


def told(records: Records) -> dict[tuple[str, str], Finding | Outcome]:
    """What the three checks say of each system."""
    case = Examination(records, "accuracy@1", resamples=300, level=0.95, seed=0)
    own = [one for probe in registered("trained") if probe.code in CODES for one in probe.find(case)]
    return {(one.code, one.system): one for one in own}


def found(records: Records) -> set[tuple[str, str]]:
    return {key for key, one in told(records).items() if isinstance(one, Finding)}


def drowned(lab: Any, healthy: Records, *systems: str) -> Records:
    run = lab.run(lab.vectors(DROWNED))
    return replace(healthy, runs=healthy.runs | dict.fromkeys(systems, run))


def turned(lab: Any, healthy: Records, *systems: str) -> Records:
    run = lab.run(-lab.vectors(0.4))
    return replace(healthy, runs=healthy.runs | dict.fromkeys(systems, run))


@planted(
    "trained-at-chance",
    of("trained-at-chance", *TUNED) | of("worse-than-zero-shot", *TUNED) | of("worse-than-lexical", *TUNED),
)
def training_destroyed(lab: Any, healthy: Records) -> Records:
    return drowned(lab, healthy, *TUNED)


def test_healthy_systems_are_above_chance_each_with_its_distance(healthy):
    passed = {key: one for key, one in told(healthy).items() if isinstance(one, Outcome) and one.status == "passed"}
    evaluated = (*ENCODERS, "tfidf", "bm25")
    assert set(passed) == of("encoder-at-chance", "base") | of("trained-at-chance", *ENCODERS[1:]) | of(
        "below-chance", *evaluated
    )
    assert passed["trained-at-chance", "base-tuned"].measured.value > 55


def test_a_tuned_system_at_chance_whose_dev_metric_was_fine_is_loaded_otherwise(lab, healthy):
    one = told(drowned(lab, healthy, "base-tuned"))["trained-at-chance", "base-tuned"]
    assert isinstance(one, Finding) and one.severity == "error" and one.weight > 55
    assert one.sentence.startswith("base-tuned ranks like chance after training: accuracy@1 0.0")
    assert "0.025 at chance" in one.sentence and "base has 0." in one.sentence
    assert one.cause.startswith("The weights that training kept rank well on the dev queries, so evaluation loads")
    low, high = one.interval
    assert low < 0.5 < high < 10


def test_a_tuned_system_at_chance_whose_dev_metric_fell_was_destroyed_by_training(lab, healthy):
    looks = with_looks(drowned(lab, healthy, "base-tuned"), **{"accuracy@1_all": 0.03})
    one = told(looks)["trained-at-chance", "base-tuned"]
    assert isinstance(one, Finding) and one.cause.startswith("Training destroyed the ranking")


def test_without_a_record_of_the_training_both_causes_are_named(lab, healthy):
    one = told(replace(drowned(lab, healthy, "base-tuned"), finetune={}))["trained-at-chance", "base-tuned"]
    assert isinstance(one, Finding)
    assert "Training destroyed" in one.cause and "Or evaluation loads another model" in one.cause


def test_a_pretrained_system_at_chance_is_named_too(lab, healthy):
    assert found(drowned(lab, healthy, "barlow")) == of("trained-at-chance", "barlow")


def test_an_encoder_at_chance_is_the_fault_and_not_what_was_trained_from_it(lab, healthy):
    records = drowned(lab, healthy, *ENCODERS)
    assert found(records) == of("encoder-at-chance", "base")
    base = told(records)["encoder-at-chance", "base"]
    assert "base was evaluated, and ranks like chance" in base.sentence and "bm25 has 0." in base.sentence
    assert told(records)["trained-at-chance", "base-tuned"].status == "not applicable"


def test_where_no_system_finds_the_answers_no_encoder_is_blamed(lab, healthy):
    assert found(drowned(lab, healthy, *ENCODERS, "tfidf", "bm25")) == set()


def test_an_order_that_evaluation_turned_round_is_below_chance_in_each_system(lab, healthy):
    records = turned(lab, healthy, *ENCODERS)
    assert found(records) >= of("below-chance", *ENCODERS)
    one = told(records)["below-chance", "base"]
    assert isinstance(one, Finding) and one.severity == "error" and "ranks below chance" in one.sentence
    assert one.interval[1] < 45


@pytest.mark.parametrize(("unseen", "status"), [(1.0, "not applicable"), (0.0, None)])
def test_a_rival_that_puts_answers_without_training_queries_last_is_not_in_the_wrong_order(
    lab, healthy, unseen, status
):
    run = lab.scored(-(lab.vectors(0.3) @ lab.answer_AD.T))
    how = {"C": 1.0, "unseen_query_share": unseen, "unseen_answer_share": unseen, "unseen_answers": []}
    records = replace(healthy, runs=healthy.runs | {"classifier": replace(run, how=how)})
    assert getattr(told(records)["below-chance", "classifier"], "status", None) == status


def test_an_order_that_training_turned_round_is_a_fault_of_training(lab, healthy):
    records = with_looks(turned(lab, healthy, "base-tuned"), **{"accuracy@1_all": 0.0})
    assert found(records) == of("trained-at-chance", "base-tuned")
    one = told(records)["trained-at-chance", "base-tuned"]
    assert one.sentence.startswith("base-tuned ranks below chance: ") and "the sign of its loss" in one.cause


def test_few_queries_do_not_tell_chance_from_a_hard_task(lab, healthy):
    records = drowned(lab, healthy, *ENCODERS)
    runs = {name: replace(run, queries=run.queries.iloc[::4]) for name, run in records.runs.items()}
    few = told(replace(records, runs=runs))
    assert not any(isinstance(one, Finding) for one in few.values())
    assert few["trained-at-chance", "base-tuned"].status == few["encoder-at-chance", "base"].status == "not enough data"


@pytest.mark.parametrize("noise", [0.9, 1.3])
def test_a_weak_encoder_is_not_at_chance(lab, healthy, noise):
    weak = lab.run(lab.vectors(noise))
    assert found(replace(healthy, runs=healthy.runs | dict.fromkeys(ENCODERS, weak))) == set()


def test_a_collapsed_encoder_with_several_right_answers_is_at_chance_and_not_below_it(lab, healthy):
    tested = healthy.data.queries.index[healthy.data.queries["split"] == "test"]
    more = [healthy.data.qrels.loc[tested].assign(answer_id=name) for name in ("a38", "a39")]
    qrels = pd.concat([healthy.data.qrels, *more]).drop_duplicates(["query_id", "answer_id"])
    records = replace(healthy, data=replace(healthy.data, qrels=qrels))
    tied = lab.scored(np.zeros((len(lab.own_N), len(lab.answer_AD))))
    case = Examination(
        replace(records, runs=records.runs | {"base": tied}), "accuracy@1", resamples=100, level=0.95, seed=0
    )
    assert 0.49 < beside_chance.beside(case)["base"].below.mean < 0.51
