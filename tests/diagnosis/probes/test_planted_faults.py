"""One fault at a time, planted in what was recorded: its probe speaks, and no other that the fault does not imply."""

import dataclasses
import typing
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from whyrank.core import params
from whyrank.diagnosis.preflight import PREFLIGHT, preflight
from whyrank.diagnosis.records import Records, TrainingRecord
from whyrank.diagnosis.registry import PROBES
from whyrank.measure import geometry

TUNED = ("base-tuned", "barlow-tuned")


def of(code: str, *systems: str) -> set[tuple[str, str]]:
    return {(code, system) for system in systems}


def with_data(records: Records, **changes: Any) -> Records:
    return replace(records, data=replace(records.data, **changes))


def with_finetune(records: Records, **changes: Any) -> Records:
    """Both fine-tunings with other fields."""
    return replace(records, finetune={init: replace(record, **changes) for init, record in records.finetune.items()})


def one_answer_per_batch(record: TrainingRecord) -> TrainingRecord:
    history = record.history.assign(distinct_answers=1, rows=5, noise_floor=5**-0.5, mean_diagonal=0.02, invariance=1.1)
    return replace(record, history=history)


def single_answer_batches(lab: Any, healthy: Records) -> Records:
    """Pretraining removes most of what identifies the answer, and the ranking on top does not recover."""
    barlow, tuned = lab.vectors(0.4) - 0.6 * lab.answer_AD[lab.own_N], lab.vectors(0.42)
    spoilt = lab.spoil(healthy, barlow=lab.run(barlow), barlow_tuned=lab.run(tuned))
    return replace(spoilt, barlow=one_answer_per_batch(healthy.barlow))


def pretraining_hurts(lab: Any, healthy: Records) -> Records:
    return lab.spoil(healthy, barlow_tuned=lab.run(lab.vectors(0.40)))


def pretraining_helps(lab: Any, healthy: Records) -> Records:
    return lab.spoil(healthy, barlow_tuned=lab.run(lab.vectors(0.22)))


def lexical_task(lab: Any, healthy: Records) -> Records:
    return lab.spoil(healthy, bm25=lab.scored(lab.vectors(0.15) @ lab.answer_AD.T))


def head_from_scratch(lab: Any, healthy: Records) -> Records:
    tuned = lab.run(lab.vectors(0.47))
    finetune = {init: lab.finetune(start=0.03, end=0.55) for init in ("base", "barlow")}
    return replace(lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned), finetune=finetune)


def collapse(lab: Any, healthy: Records) -> Records:
    """All vectors within rounding of one point."""
    point = np.ones((1, lab.answer_AD.shape[1]))
    tuned = lab.run(point + 1e-7 * lab.noise_ND, point + 1e-7 * lab.answer_AD)
    return lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned)


def flat_head(lab: Any, healthy: Records) -> Records:
    """Three directions of 64 are left."""
    keep = np.zeros(lab.answer_AD.shape[1])
    keep[:3] = 1
    return lab.spoil(healthy, barlow_tuned=lab.run(lab.vectors(0.3) * keep, lab.answer_AD * keep))


def types_apart(lab: Any, healthy: Records, apart: float = 1.2, worse: float = 0.42) -> Records:
    """Conversations lie `apart` from questions along one axis, and are noisier by `worse` - 0.22."""
    axis = geometry.unit_rows(np.random.default_rng(1).standard_normal((1, lab.answer_AD.shape[1])))
    question_N1 = lab.is_question_N[:, None]
    query_ND = np.where(question_N1, lab.vectors(0.22), lab.vectors(worse))
    query_ND = query_ND + np.where(question_N1, 1, -1) * apart * 2 * axis
    tuned = lab.run(query_ND, lab.answer_AD - (lab.answer_AD @ axis.T) * axis)
    return lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned)


def truncation(lab: Any, healthy: Records, noise: float = 0.6) -> Records:
    """Half of the conversations lost most of their tokens, and rank worse with `noise`."""
    is_cut = ~lab.is_question_N & (np.arange(len(lab.own_N)) % 4 == 1)
    queries = healthy.data.queries.copy()
    queries.loc[is_cut, ["tokens_raw", "tokens"]] = 300, 126
    metrics = {f"{what}_share_conversation": 0.6 for what in ("tfidf_lost", "tokens_lost", "texts_cut")}
    tuned = lab.run(np.where(is_cut[:, None], lab.vectors(noise), lab.vectors(0.22)))
    spoilt = lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned)
    return with_data(spoilt, queries=queries, metrics=healthy.data.metrics | metrics)


def leak(lab: Any, healthy: Records, n: int = 15) -> Records:
    """`n` of the 120 test queries stand in train too, and are ranked from memory."""
    queries = healthy.data.queries
    test = np.flatnonzero(queries["split"] == "test")[:n]
    rows = {"query_left": "q000", "split_left": "train", "query_right": queries["query_id"].to_numpy()[test]}
    leaks = pd.DataFrame(rows | {"split_right": "test", "kind": "exact", "similarity": 1.0, "same_answer": True})
    remembered = lab.vectors(0.3)
    remembered[test] = lab.answer_AD[lab.own_N[test]]
    tuned = lab.run(remembered)
    spoilt = lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned)
    return with_data(spoilt, tables=healthy.data.tables | {"leaks": leaks})


def conflict(lab: Any, healthy: Records, n: int = 6) -> Records:
    ids = healthy.data.queries["query_id"].to_numpy()
    rows = {"query_left": ids[:n], "split_left": "train", "query_right": ids[-n:], "split_right": "test"}
    return with_data(healthy, tables=healthy.data.tables | {"conflicts": pd.DataFrame(rows)})


def false_negatives(lab: Any, healthy: Records, share: float = 0.3) -> Records:
    history = healthy.finetune["base"].history.assign(rows_with_false_negatives=share)
    batches = healthy.data.batches.fillna({"rows_with_false_negatives": 0.0})
    batches.loc[batches["stage"] == "finetune_rank", "rows_with_false_negatives"] = share
    return with_finetune(with_data(healthy, batches=batches), history=history)


def too_little_training(lab: Any, healthy: Records) -> Records:
    """Tuning moves training accuracy from 0.62 to 0.64, and the systems are what they were before."""
    looks = healthy.finetune["base"].evaluations
    still = 0.62 + 0.02 * looks["step"] / looks["step"].max()
    spoilt = with_finetune(healthy, evaluations=looks.assign(**{"train_accuracy@1": still, "accuracy@1_all": still - 0.02}))
    return lab.spoil(spoilt, base_tuned=healthy.runs["base"], barlow_tuned=healthy.runs["barlow"])


def too_much_training(lab: Any, healthy: Records) -> Records:
    looks = healthy.finetune["base"].evaluations
    dev = np.where(looks["step"] <= 60, 0.6 + looks["step"] / 300, 0.8 - 0.3 * (looks["step"] - 60) / 340)
    metrics = {"steps_run": 400, "best_step": 60}
    return with_finetune(healthy, evaluations=looks.assign(**{"accuracy@1_all": dev}), metrics=metrics)


def long_vectors(lab: Any, healthy: Records) -> Records:
    """The pretrained head's vectors are 20 times as long, and the score is a dot product."""
    runs = {name: replace(run, metrics=run.metrics | {"score_kind_cosine": 0.0}) for name, run in healthy.runs.items()}
    runs["barlow"] = lab.run(20 * lab.vectors(0.395))
    after = healthy.finetune["barlow"]
    after = replace(after, history=after.history.assign(logit_std=80.0))
    return replace(healthy, runs=runs, finetune=healthy.finetune | {"barlow": after})


def twin_answers(lab: Any, healthy: Records) -> Records:
    """Sixteen answers stand twice in the corpus, under another id."""
    answer_AD, answers = lab.answer_AD.copy(), healthy.data.answers.copy()
    answer_AD[20:36] = answer_AD[:16]
    answers.loc[20:35, ["raw_text", "text"]] = answers.loc[:15, ["raw_text", "text"]].to_numpy()
    twins = {name: lab.run(answer_AD[lab.own_N] + 0.3 * lab.noise_ND, answer_AD) for name in TUNED}
    return with_data(replace(healthy, runs=healthy.runs | twins), answers=answers)


def unasked(lab: Any, healthy: Records, n: int = 10) -> Records:
    table = healthy.data.tables["per_answer"].copy()
    table.loc[: n - 1, ["question", "conversation", "train", "dev", "test"]] = 0
    return with_data(healthy, tables=healthy.data.tables | {"per_answer": table})


def few_questions(lab: Any, healthy: Records, every: int = 14) -> Records:
    """Only every 14th query is a question."""
    kinds = np.where(np.arange(len(healthy.data.queries)) % every == 0, "question", "conversation")
    return with_data(healthy, queries=healthy.data.queries.assign(type=kinds))


def hub(lab: Any, healthy: Records, pull: float = 1.5) -> Records:
    """The queries share a direction, and the first answer leans towards it."""
    common = geometry.unit_rows(np.random.default_rng(2).standard_normal((1, lab.answer_AD.shape[1])))
    query_ND = lab.vectors(0.3) + pull * common
    answer_AD = lab.answer_AD.copy()
    answer_AD[0] += 0.4 * common[0]
    tuned = lab.run(query_ND, answer_AD)
    return lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned)


def two_topics(lab: Any, healthy: Records, apart: float = 4.0) -> Records:
    """The first five queries of each of four answers lie `apart` from the other five in base."""
    query_ND = lab.vectors(0.40)
    for answer in range(4):
        rows = np.flatnonzero(lab.own_N == answer)[:5]
        query_ND[rows] += apart * geometry.unit_rows(lab.noise_ND[:4])[answer]
    return lab.spoil(healthy, base=lab.run(query_ND))


Plant = Callable[[Any, Records], Records]
PLANTED: dict[str, tuple[Plant, set[tuple[str, str]]]] = {
    # It costs accuracy before and after tuning; before tuning it falls below the floors.
    "barlow-single-answer-batches": (
        single_answer_batches,
        of("barlow-single-answer-batches", "pretrain_barlow")
        | of("pretraining-hurts", "barlow", "barlow-tuned")
        | of("worse-than-lexical", "barlow"),
    ),
    "pretraining-hurts": (pretraining_hurts, of("pretraining-hurts", "barlow-tuned")),
    "pretraining-helps": (pretraining_helps, of("pretraining-helps", "barlow-tuned")),
    "worse-than-lexical": (lexical_task, of("worse-than-lexical", "base", "barlow", *TUNED)),
    "worse-than-zero-shot": (head_from_scratch, of("worse-than-zero-shot", *TUNED)),
    # A collapsed system scores chance, below everything, and its scores are equal.
    "collapsed-embeddings": (
        collapse,
        of("collapsed-embeddings", *TUNED)
        | of("ties-decide-the-metric", *TUNED)
        | of("worse-than-lexical", *TUNED)
        | of("worse-than-zero-shot", *TUNED),
    ),
    # 40 answers cannot be told apart along three directions.
    "dimensional-collapse": (
        flat_head,
        of("dimensional-collapse", "barlow-tuned")
        | of("pretraining-hurts", "barlow-tuned")
        | of("worse-than-lexical", "barlow-tuned")
        | of("worse-than-zero-shot", "barlow-tuned"),
    ),
    "question-conversation-gap": (types_apart, of("question-conversation-gap", *TUNED)),
    "truncation-loses-evidence": (truncation, of("truncation-loses-evidence", "data")),
    "duplicate-across-splits": (leak, of("duplicate-across-splits", "data")),
    "conflicting-duplicates": (conflict, of("conflicting-duplicates", "data")),
    "false-negatives-in-batch": (false_negatives, of("false-negatives-in-batch", "finetune_rank")),
    "underfitted": (too_little_training, of("underfitted", *TUNED)),
    "overfitted": (too_much_training, of("overfitted", *TUNED)),
    "scale-mismatch-after-pretraining": (long_vectors, of("scale-mismatch-after-pretraining", "barlow-tuned")),
    "ties-decide-the-metric": (twin_answers, of("ties-decide-the-metric", *TUNED)),
    "answers-without-queries": (unasked, of("answers-without-queries", "data")),
    "type-imbalance": (few_questions, of("type-imbalance", "data")),
    "hub-answers": (hub, of("hub-answers", *TUNED)),
    "answer-mixes-questions": (two_topics, of("answer-mixes-questions", "data")),
}


def test_all_probes_are_silent_on_healthy_records(healthy, findings):
    assert findings(healthy) == {}
    assert preflight(healthy.data) == []


def test_every_probe_has_a_planted_fault():
    assert set(PLANTED) == set(PREFLIGHT) | set(PROBES)


@pytest.mark.parametrize("code", PLANTED)
def test_a_planted_fault_is_named_with_what_it_implies_and_nothing_else(code, lab, healthy, findings):
    plant, expected = PLANTED[code]
    assert set(findings(plant(lab, healthy))) == expected


@pytest.mark.parametrize("code", PREFLIGHT)
def test_preflight_sees_the_faults_of_data_and_batches_without_any_training(code, lab, healthy):
    plant, _ = PLANTED[code]
    data = plant(lab, healthy).data
    if code == "barlow-single-answer-batches":
        data = replace(data, batches=data.batches.assign(distinct_answers=1, rows=5))
    assert [finding.code for finding in preflight(data)] == [code]


@pytest.mark.parametrize("code", PLANTED)
def test_the_fix_of_every_finding_is_a_set_of_valid_parameters_or_an_action(code, lab, healthy, findings):
    plant, _ = PLANTED[code]
    for finding in findings(plant(lab, healthy)).values():
        assert finding.fix.params or finding.fix.action
        apply_to_parameters(finding.fix.params)
        parsed = OverridesParser.create().parse_overrides([f"{key}={hydra(value)}" for key, value in finding.fix.params.items()])
        assert {override.key_or_group: override.value() for override in parsed} == finding.fix.params
        assert all(np.isfinite(evidence.value) for evidence in finding.evidence)


def hydra(value: Any) -> str:
    return "[" + ",".join(value) + "]" if isinstance(value, list) else str(value)


SECTIONS = {
    "encoder": params.Encoder,
    "prepare": params.Prepare,
    "pretrain_barlow": params.PretrainBarlow,
    "finetune_rank": params.FinetuneRank,
}


def apply_to_parameters(overrides: dict[str, Any]) -> None:
    """Set the overrides in parameters of the right types; core.params refuses an unknown key or a wrong value."""
    for name, kind in SECTIONS.items():
        section = valid_section(kind)
        for key, value in overrides.items():
            first, *path = key.split(".")
            assert first in SECTIONS, key
            if first == name:
                inner = section
                for part in path[:-1]:
                    inner = inner[part]
                inner[path[-1]] = value
        params.section({name: section}, name, kind)


def valid_section(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: valid_value(hints[field.name]) for field in dataclasses.fields(kind)}


def valid_value(hint: Any) -> Any:
    if dataclasses.is_dataclass(hint):
        return valid_section(hint)
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)[0]
    return {int: 1, float: 0.5, str: "text", bool: False}.get(hint, [])


@pytest.mark.parametrize("override", [{"finetune_rank.head.knid": "residual"}, {"finetune_rank.steps": 1.5}])
def test_the_check_of_fixes_refuses_an_unknown_key_and_a_wrong_type(override):
    with pytest.raises(ValueError):
        apply_to_parameters(override)
