"""A training elsewhere on pairs of few answers, of all, of many, and one of ours."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training import few_answers
from whyrank.findings.records import Records

from ..faults import of, planted
from .test_reload import told

CODE, SYSTEM = "trained-on-few-answers", "base-tuned"


def taught(lab: Any, healthy: Records, answers: int, *, near: float = 0.1, others: float = 0.41) -> Records:
    """A training elsewhere: noise of the training queries of the first answers, and of all other queries."""
    is_train_N = (healthy.data.queries["split"] == "train").to_numpy()
    noise_N = np.where(is_train_N & (lab.own_N < answers), near, others)
    run = lab.run(lab.answer_AD[lab.own_N] + noise_N[:, None] * lab.noise_ND)
    ours = healthy.runs[SYSTEM]
    return elsewhere(lab.spoil(healthy, base_tuned=replace(run, pairs=ours.pairs, training_pairs=ours.training_pairs)))


def elsewhere(records: Records) -> Records:
    """Nobody recorded which queries the batches of base's training held."""
    record = records.finetune["base"]
    record = replace(record, history=record.history.drop(columns="queries_seen"))
    return replace(records, finetune=records.finetune | {"base": record})


@planted(CODE, of(CODE, SYSTEM) | of("worse-than-zero-shot", SYSTEM) | of("pretraining-helps", "barlow-tuned"))
def few(lab: Any, healthy: Records) -> Records:
    return taught(lab, healthy, 5)


def test_the_answers_are_those_whose_training_queries_moved_together(lab, healthy):
    records = taught(lab, healthy, 5)
    case = Examination(records, "accuracy@1", 0.95, 300, 0)
    moved = few_answers.movement(case, records.runs["base"], records.runs[SYSTEM])
    assert moved.out.tolist() == [0, 1, 2, 3, 4] and moved.answers == 40 and moved.is_out_Q.sum() == 25
    assert (lab.own_N[moved.query_Q] == moved.answer_Q).all()
    found = told(CODE, records)[SYSTEM]
    assert found.sentence.startswith("Training changed 5 of 40 answers: their 25 training queries gained +")
    assert found.interval[0] > 0 and "answer" in found.cause


@pytest.mark.parametrize(
    ("answers", "near", "others"),
    [
        (40, 0.1, 0.41),  # all answers were taught
        (20, 0.1, 0.41),  # half of them: not few
        (5, 0.1, 0.20),  # the others gained, too
        (5, 0.8, 0.41),  # few were moved, and lost
        (2, 0.1, 0.41),  # as few as stand out of a healthy training
        (5, 0.4, 0.40),  # nothing moved
    ],
)
def test_a_training_of_all_of_many_and_of_none_passes(lab, healthy, answers, near, others):
    assert told(CODE, taught(lab, healthy, answers, near=near, others=others))[SYSTEM].status == "passed"


def test_ours_other_widths_and_lists_without_vectors_do_not_apply(lab, healthy):
    records = taught(lab, healthy, 5)
    ours = replace(records, finetune=healthy.finetune)
    run = records.runs[SYSTEM]
    narrow = lab.spoil(records, base_tuned=replace(run, query_vectors=run.query_vectors[:, :8]))
    bare = lab.spoil(records, base_tuned=replace(run, query_vectors=None))
    for one in (ours, narrow, bare):
        assert told(CODE, one)[SYSTEM].status == "not applicable"


def test_the_mean_cosine_within_an_answer_is_that_of_all_its_pairs():
    random = np.random.default_rng(0)
    unit_QD = random.standard_normal((7, 5))
    unit_QD /= np.linalg.norm(unit_QD, axis=1, keepdims=True)
    number_Q = np.array([0, 1, 0, 2, 1, 0, 1])
    by_hand = []
    for answer in range(3):
        rows = np.flatnonzero(number_Q == answer)
        cosines = [unit_QD[i] @ unit_QD[j] for i in rows for j in rows if i < j]
        by_hand.append(np.mean(cosines) if cosines else 0.0)
    assert few_answers._within(unit_QD, number_Q) == pytest.approx(by_hand)
