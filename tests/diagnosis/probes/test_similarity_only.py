"""A fine-tuning on pairs alone, without any column of ranking: every probe reads it, and none blames it for ranking."""

from dataclasses import replace

import numpy as np
import pytest

from .faults import of, with_finetune
from .pretraining.test_pretraining import long_vectors
from .ranking.test_lists import hub
from .training.test_objectives import opposed_pairs
from .training.test_training import too_little_training

RANK_COLUMNS = ["rows", "candidates", "rows_with_false_negatives", "logit_std", "similarity_gradient_share"]
RANK_COLUMNS += ["targets_right", "distinct_answers", "scale", "queries_seen", "row_gap"]


@pytest.fixture
def without_ranking():
    def drop(records):
        history = records.finetune["base"].history
        of_rank = [name for name in history if str(name).startswith("rank_")]
        return with_finetune(records, history=history.drop(columns=[*of_rank, *RANK_COLUMNS]))

    return drop


def test_a_healthy_one_is_examined_in_silence(healthy, findings, without_ranking):
    assert findings(without_ranking(healthy)) == {}


def test_it_is_not_underfitted_for_a_ranking_that_it_was_not_asked_for(lab, healthy, findings, without_ranking):
    assert findings(without_ranking(too_little_training(lab, healthy))) == {}


def test_other_probes_do_not_miss_the_columns_of_ranking(lab, healthy, findings, without_ranking):
    assert findings(without_ranking(opposed_pairs(lab, healthy))).keys() == of(
        "antipodal-angle", "base-tuned", "barlow-tuned"
    )
    findings(without_ranking(long_vectors(lab, healthy)))


def test_ranking_that_it_lost_is_forgotten_and_not_a_fault_of_how_ranking_was_trained(
    lab, healthy, findings, without_ranking
):
    exchanged = {"tfidf": "base-tuned", "base-tuned": "tfidf", "barlow-tuned": "tfidf"}
    ranked = {name: (run.queries, run.top, run.query_vectors, run.answer_vectors) for name, run in healthy.runs.items()}
    lists = {
        of: replace(
            healthy.runs[of],
            metrics=healthy.runs[of].metrics
            | {
                name: value for name, value in healthy.runs[by].metrics.items() if "@" in name or name.startswith("mrr")
            },
            **dict(zip(("queries", "top", "query_vectors", "answer_vectors"), ranked[by], strict=True)),
        )
        for of, by in exchanged.items()
    }
    lost = replace(healthy, runs=healthy.runs | lists)
    trained_to_rank = findings(lost)
    assert {code for code, _ in trained_to_rank} >= {"worse-than-zero-shot", "worse-than-lexical"}
    assert "forgetting" not in {code for code, _ in trained_to_rank}
    found = findings(without_ranking(lost))
    assert "worse-than-zero-shot" not in {code for code, _ in found}
    forgotten = found["forgetting", "base-tuned"]
    assert forgotten.severity == "info" and "Training without ranking made" in forgotten.sentence
    assert forgotten.fix.params.keys() == {"finetune_rank.learning_rate"}
    below = found["worse-than-lexical", "base-tuned"]
    assert below.severity == "info" and not below.fix.params


def test_a_hub_in_lists_that_were_not_trained_has_no_remedy_in_how_ranking_is_trained(
    lab, healthy, findings, without_ranking
):
    trained_to_rank = findings(hub(lab, healthy))["hub-answers", "base-tuned"]
    assert trained_to_rank.severity == "warning" and trained_to_rank.fix.params
    found = findings(without_ranking(hub(lab, healthy)))["hub-answers", "base-tuned"]
    assert found.severity == "info" and not found.fix.params


def test_the_healthy_one_has_its_own_loss(healthy, without_ranking):
    history = without_ranking(healthy).finetune["barlow"].history
    assert "similarity_loss" in history and not any(str(name).startswith("rank") for name in history)
    assert np.isfinite(history["similarity_loss"]).all()
