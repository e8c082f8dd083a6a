"""Ties and hubs: where the checks begin, and what they propose."""

from dataclasses import replace
from typing import Any

import numpy as np

from whyrank.core.options.systems import System
from whyrank.diagnosis.probes.ranking import lists
from whyrank.findings.records import Records
from whyrank.measure.metrics import geometry

from ..faults import ENCODERS, TUNED, of, planted, with_data, with_params

# Noise per feature, as in the healthy experiment.
NOISE = {"tfidf": 0.48, "bm25": 0.46, "base": 0.40, "barlow": 0.395, "base-tuned": 0.30, "barlow-tuned": 0.298}


# Every system, lexical or not, gives equal texts equal scores.
@planted("ties-decide-the-metric", of("ties-decide-the-metric", *NOISE))
def twin_answers(lab: Any, healthy: Records) -> Records:
    """Sixteen answers stand twice in the corpus, under another id."""
    answer_AD, answers = lab.answer_AD.copy(), healthy.data.answers.copy()
    answer_AD[20:36] = answer_AD[:16]
    answers.loc[20:35, ["raw_text", "text"]] = answers.loc[:15, ["raw_text", "text"]].to_numpy()
    runs = {
        name: lab.run(answer_AD[lab.own_N] + noise * lab.noise_ND, answer_AD)
        if name in ENCODERS
        else lab.scored((answer_AD[lab.own_N] + noise * lab.noise_ND) @ answer_AD.T)
        for name, noise in NOISE.items()
    }
    return with_data(replace(healthy, runs=runs), answers=answers)


@planted("hub-answers", of("hub-answers", *TUNED))
def hub(lab: Any, healthy: Records, pull: float = 1.5) -> Records:
    """The queries share a direction, and the first answer leans towards it."""
    common = geometry.unit_rows(np.random.default_rng(2).standard_normal((1, lab.answer_AD.shape[1])))
    query_ND = lab.vectors(0.22) + pull * common
    answer_AD = lab.answer_AD.copy()
    answer_AD[0] += 0.5 * common[0]
    tuned = lab.run(query_ND, answer_AD)
    return lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned)


def test_ties_of_a_lexical_floor_are_worth_knowing_and_those_of_an_encoder_a_warning(lab, healthy, findings):
    found = findings(twin_answers(lab, healthy))
    severities = {system: finding.severity for (_, system), finding in found.items()}
    assert severities == dict.fromkeys(("tfidf", "bm25"), "info") | dict.fromkeys(ENCODERS, "warning")
    assert "one id" in found["ties-decide-the-metric", "base"].fix.action


def test_the_cause_of_ties_is_that_of_the_system(lab, healthy, findings):
    equal = findings(twin_answers(lab, healthy))
    assert equal["ties-decide-the-metric", "bm25"].cause == lists.ONE_TEXT
    options = dict(healthy.systems.options) | {"base-bits": System("compressed", "rival", "data/runs/base", dims=2)}
    score_NA = np.round(lab.vectors(0.4) @ lab.answer_AD.T, 0)
    tied = replace(lab.spoil(healthy, base_bits=lab.scored(score_NA), bm25=lab.scored(score_NA)),
                   systems=replace(healthy.systems, options=options))  # fmt: skip
    found = findings(tied)
    assert found["ties-decide-the-metric", "base-bits"].cause.startswith("Few bits")
    assert found["ties-decide-the-metric", "bm25"].cause == lists.NO_WORD


def test_a_few_ties_move_the_metric_less_than_luck_and_are_not_spoken_of(lab, healthy, findings):
    scores = lab.vectors(0.46) @ lab.answer_AD.T
    scores[9::100] = 0.0  # 4 of the 120 test queries share no word with any answer
    assert findings(lab.spoil(healthy, bm25=lab.scored(scores))) == {}


def test_a_hub_is_told_from_a_frequent_right_answer(lab, healthy, findings):
    found = findings(hub(lab, healthy))["hub-answers", "base-tuned"]
    assert found.sentence.startswith("Answer a00")
    assert findings(hub(lab, healthy, pull=0.3)) == {}


def test_a_large_corpus_is_ranked_against_kept_vectors_and_nothing_is_mined_beside_all_answers(lab, healthy, findings):
    def fix(**params: Any) -> dict[str, Any]:
        return findings(with_params(hub(lab, healthy), **params))["hub-answers", "base-tuned"].fix.params

    assert fix() == {"finetune_rank.candidates": "all", "finetune_rank.hard_negatives.count": 0}
    assert fix(finetune_rank__max_candidates=39)["finetune_rank.candidates"] == "kept"


def test_a_list_that_holds_only_right_answers_has_no_hub(lab, healthy, findings, monkeypatch):
    # Lists of one, and any skew: what a corpus of ten answers, one of them asked for most, comes to.
    monkeypatch.setattr(lists, "HUB_LIST", 1)
    monkeypatch.setattr(lists, "HUB_SKEW", -10.0)
    assert findings(lab.spoil(healthy, base_tuned=lab.run(lab.vectors(0.0)))).keys() == {
        ("pretraining-hurts", "barlow-tuned"),
        ("score-scale-moved", "base-tuned"),
    }
