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
ENCODERS = ("base", "barlow", *TUNED)
# Noise per feature, as in the healthy experiment.
NOISE = {"tfidf": 0.48, "bm25": 0.46, "base": 0.40, "barlow": 0.395, "base-tuned": 0.30, "barlow-tuned": 0.298}


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
    runs = {
        name: lab.run(answer_AD[lab.own_N] + noise * lab.noise_ND, answer_AD)
        if name in ENCODERS
        else lab.scored((answer_AD[lab.own_N] + noise * lab.noise_ND) @ answer_AD.T)
        for name, noise in NOISE.items()
    }
    return with_data(replace(healthy, runs=runs), answers=answers)


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
    query_ND = lab.vectors(0.22) + pull * common
    answer_AD = lab.answer_AD.copy()
    answer_AD[0] += 0.5 * common[0]
    tuned = lab.run(query_ND, answer_AD)
    return lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned)


def two_topics(lab: Any, healthy: Records, answers: int = 8) -> Records:
    """Before tuning, the first five queries of some answers are near one point, the other five near another."""
    query_ND, topic_TD = lab.vectors(0.40), geometry.unit_rows(np.random.default_rng(3).standard_normal((80, 64)))
    mixed = lab.own_N < answers
    topic_N = 2 * lab.own_N + np.arange(len(lab.own_N)) % 10 // 5
    query_ND[mixed] = (lab.answer_AD[lab.own_N] + topic_TD[topic_N] + 0.03 * lab.noise_ND)[mixed]
    run = lab.run(query_ND)
    return lab.spoil(healthy, base=run, barlow=run)


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
    # Every system, lexical or not, gives equal texts equal scores.
    "ties-decide-the-metric": (twin_answers, of("ties-decide-the-metric", *NOISE)),
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


def test_a_known_cause_stands_before_its_symptoms(lab, healthy, findings):
    assert next(iter(findings(single_answer_batches(lab, healthy)))) == ("barlow-single-answer-batches", "pretrain_barlow")
    assert next(iter(findings(collapse(lab, healthy))))[0] == "collapsed-embeddings"


def test_where_batches_hold_one_answer_that_is_what_the_fix_of_the_symptom_mends(lab, healthy, findings):
    mended = {"pretrain_barlow.batches": "across_answers"}
    found = findings(single_answer_batches(lab, healthy))
    assert found["barlow-single-answer-batches", "pretrain_barlow"].fix.params == mended
    assert found["pretraining-hurts", "barlow-tuned"].fix.params == mended
    unknown = findings(pretraining_hurts(lab, healthy))["pretraining-hurts", "barlow-tuned"]
    assert unknown.fix.params == {"pretrain_barlow.steps": 0}


def test_single_answers_are_seen_in_the_history_alone_and_not_where_the_diagonal_left_chance(lab, healthy, findings):
    spoilt = replace(healthy, barlow=one_answer_per_batch(healthy.barlow))
    assert set(findings(spoilt)) == of("barlow-single-answer-batches", "pretrain_barlow")
    # 1 / sqrt(5) = 0.447 is the noise of one feature.
    found_something = spoilt.barlow.history.assign(mean_diagonal=0.46)
    assert findings(replace(spoilt, barlow=replace(spoilt.barlow, history=found_something))) == {}
    two_answers = spoilt.barlow.history.assign(distinct_answers=2)
    assert findings(replace(spoilt, barlow=replace(spoilt.barlow, history=two_answers))) == {}


def test_pretraining_that_was_off_is_not_judged_by_batches_nobody_trained_on(healthy, findings):
    batches = healthy.data.batches.assign(distinct_answers=1)
    off = TrainingRecord({"steps": 0}, healthy.barlow.history.iloc[:0])
    runs = healthy.runs | {"barlow": healthy.runs["base"], "barlow-tuned": healthy.runs["base-tuned"]}
    assert findings(replace(with_data(healthy, batches=batches), barlow=off, runs=runs)) == {}


def test_records_of_the_floors_alone_are_examined_without_complaint(healthy, findings):
    floors = {name: healthy.runs[name] for name in ("tfidf", "bm25")}
    assert findings(Records(healthy.data, None, {}, floors)) == {}


def test_a_difference_within_luck_is_not_spoken_of(lab, healthy, findings):
    slightly = lab.run(lab.vectors(0.31))
    difference = slightly.queries["accuracy@1"].mean() - healthy.runs["base-tuned"].queries["accuracy@1"].mean()
    assert -0.03 < difference < 0
    assert findings(lab.spoil(healthy, barlow_tuned=slightly)) == {}


def test_an_untuned_encoder_below_the_floor_is_worth_knowing_and_a_tuned_one_a_warning(lab, healthy, findings):
    found = findings(lexical_task(lab, healthy))
    severities = {system: finding.severity for (_, system), finding in found.items()}
    assert severities == {"base": "info", "barlow": "info", "base-tuned": "warning", "barlow-tuned": "warning"}
    tuned, floor = healthy.runs["base-tuned"], lexical_task(lab, healthy).runs["bm25"]
    cost = 100 * (floor.queries["accuracy@1"].mean() - tuned.queries["accuracy@1"].mean())
    assert found["worse-than-lexical", "base-tuned"].weight == pytest.approx(cost)


def test_a_head_that_starts_from_scratch_is_told_to_start_from_the_encoder(lab, healthy, findings):
    found = findings(head_from_scratch(lab, healthy))
    assert found["worse-than-zero-shot", "base-tuned"].fix.params == {"finetune_rank.head.kind": "residual"}
    assert found["worse-than-zero-shot", "barlow-tuned"].fix.params == {"finetune_rank.barlow_head": "inherit"}


def test_a_run_that_started_from_the_encoder_and_left_it_is_told_to_take_shorter_steps(lab, healthy, findings):
    tuned = lab.run(lab.vectors(0.47))
    found = findings(lab.spoil(healthy, base_tuned=tuned, barlow_tuned=tuned))
    assert set(found) == of("worse-than-zero-shot", *TUNED)
    # The healthy history has its peak at 1e-3.
    assert found["worse-than-zero-shot", "base-tuned"].fix.params == {
        "finetune_rank.learning_rate": 1e-4,
        "finetune_rank.train": "head",
        "finetune_rank.early_stopping.metric": "accuracy@1_all",
    }


def test_a_collapsed_encoder_is_said_once_and_not_of_the_systems_that_start_from_it(lab, healthy, findings):
    point = np.ones((1, 64))
    collapsed = lab.run(point + 1e-7 * lab.noise_ND, point + 1e-7 * lab.answer_AD)
    found = findings(replace(healthy, runs=healthy.runs | dict.fromkeys(ENCODERS, collapsed)))
    assert [system for code, system in found if code == "collapsed-embeddings"] == ["base"]
    assert found["collapsed-embeddings", "base"].fix.params == {"encoder.pooling": "mean"}


def test_a_narrow_cone_that_still_ranks_is_not_called_collapsed(lab, healthy, findings):
    shift = 8 * geometry.unit_rows(np.random.default_rng(4).standard_normal((1, 64)))
    cone = lab.run(lab.vectors(0.15) + shift, lab.answer_AD + shift)
    assert cone.metrics["mean_off_pair_cosine"] > 0.95
    assert not {code for code, _ in findings(lab.spoil(healthy, base_tuned=cone))} & {"collapsed-embeddings"}


def test_rank_that_fell_to_the_number_of_answers_is_not_a_dimensional_collapse(healthy, findings):
    def rank(value: float) -> Records:
        run = healthy.runs["barlow-tuned"]
        run = replace(run, metrics=run.metrics | {"centred_effective_rank": value})
        return replace(healthy, runs=healthy.runs | {"barlow-tuned": run})

    assert findings(rank(4.1)) == {}
    # A tenth of 40 answers.
    assert set(findings(rank(3.9))) == of("dimensional-collapse", "barlow-tuned")


def test_a_gap_needs_both_a_worse_type_and_separate_regions(lab, healthy, findings):
    assert findings(types_apart(lab, healthy, worse=0.22)).keys() <= of("pretraining-helps", "barlow-tuned")
    assert findings(types_apart(lab, healthy, apart=0.0)) == {}
    found = findings(types_apart(lab, healthy))["question-conversation-gap", "base-tuned"]
    assert found.sentence.startswith("Conversations")
    assert found.interval is not None and found.interval[1] < 0


def test_truncation_is_a_warning_where_cut_texts_rank_worse_and_information_where_they_do_not(lab, healthy, findings):
    key = ("truncation-loses-evidence", "data")
    costly, harmless = findings(truncation(lab, healthy))[key], findings(truncation(lab, healthy, noise=0.22))[key]
    assert (costly.severity, harmless.severity) == ("warning", "info")
    # Half of the conversations have 300 tokens, with [CLS] and [SEP] 302: up to the next multiple of 32.
    assert costly.fix.params == {"prepare.tokens.conversation": 320}
    assert costly.weight > harmless.weight == 0


def test_a_full_budget_that_cuts_from_the_start_asks_for_selection(lab, healthy, findings):
    spoilt = truncation(lab, healthy)
    queries = spoilt.data.queries.copy()
    is_cut = queries["tokens"] < queries["tokens_raw"]
    queries.loc[is_cut, ["tokens_raw", "tokens"]] = 900, 510
    queries.loc[is_cut, "text"] = queries.loc[is_cut, "raw_text"].str[:40]
    found = findings(with_data(spoilt, queries=queries))["truncation-loses-evidence", "data"]
    assert found.fix.params == {"prepare.selection.conversation": "tfidf"}


@pytest.mark.parametrize("lost, spoken", [(0.24, set()), (0.26, of("truncation-loses-evidence", "data"))])
def test_truncation_speaks_from_a_quarter_of_the_tfidf_mass(lost, spoken, healthy, findings):
    metrics = healthy.data.metrics | {"tfidf_lost_share_answer": lost}
    assert set(findings(with_data(healthy, metrics=metrics))) == spoken


@pytest.mark.parametrize("n, severity", [(1, "info"), (2, "warning"), (11, "warning"), (12, "error")])
def test_leaks_weigh_by_their_share_of_the_120_test_queries(n, severity, lab, healthy, findings):
    found = findings(leak(lab, healthy, n))["duplicate-across-splits", "data"]
    assert found.severity == severity
    evidence = {evidence.name: evidence.value for evidence in found.evidence}
    assert evidence["share of the test queries"] == n / 120


def test_a_leak_names_the_metric_without_the_leaked_queries(lab, healthy, findings):
    spoilt = leak(lab, healthy)
    run = spoilt.runs["base-tuned"].queries
    # The first 15 test queries are the leaked ones.
    clean = run["accuracy@1"].iloc[15:].mean()
    assert f"{clean:.3f}" in findings(spoilt)["duplicate-across-splits", "data"].sentence


@pytest.mark.parametrize("n, severity", [(1, "info"), (2, "warning")])
def test_conflicts_weigh_by_their_share_of_the_queries(n, severity, lab, healthy, findings):
    # n pairs touch 2 n of 400 queries.
    assert findings(conflict(lab, healthy, n))["conflicting-duplicates", "data"].severity == severity


@pytest.mark.parametrize("share, spoken", [(0.04, False), (0.06, True)])
def test_false_negatives_speak_from_one_row_in_twenty(share, spoken, lab, healthy, findings):
    assert bool(findings(false_negatives(lab, healthy, share))) is spoken


def test_false_negatives_that_equal_texts_explain_are_mended_in_the_data(lab, healthy, findings):
    found = findings(false_negatives(lab, healthy))["false-negatives-in-batch", "finetune_rank"]
    assert (found.fix.params, found.fix.action) == ({"finetune_rank.same_answer": "masked"}, "")
    twins = twin_answers(lab, healthy).data.answers
    found = findings(false_negatives(lab, with_data(healthy, answers=twins)))["false-negatives-in-batch", "finetune_rank"]
    assert found.fix.params == {}
    assert "one id" in found.fix.action


def test_the_mend_of_underfitting_comes_from_the_record(lab, healthy, findings):
    def fix(records: Records) -> dict[str, Any]:
        return findings(records)["underfitted", "base-tuned"].fix.params

    stuck = too_little_training(lab, healthy)
    assert fix(stuck) == {"finetune_rank.steps": 1200, "finetune_rank.learning_rate": 1e-2}
    short = with_finetune(stuck, metrics={"steps_run": 20, "best_step": 20})
    assert fix(short) == {"finetune_rank.steps": 1000, "finetune_rank.learning_rate": 1e-3}
    rising_loss = healthy.finetune["base"].history.assign(rank_loss=np.linspace(3, 6, 400))
    assert fix(with_finetune(stuck, history=rising_loss)) == {"finetune_rank.learning_rate": 1e-4}


def test_a_run_that_its_steps_ended_while_it_rose_gets_more_of_them(healthy, findings):
    looks = healthy.finetune["base"].evaluations
    curve = 0.62 + 0.3 * looks["step"] / looks["step"].max()
    rising = with_finetune(healthy, evaluations=looks.assign(**{"train_accuracy@1": curve, "accuracy@1_all": curve - 0.05}))
    found = findings(rising)
    assert set(found) == of("underfitted", *TUNED)
    assert found["underfitted", "base-tuned"].fix.params == {"finetune_rank.steps": 1200}
    stopped_by_patience = with_finetune(rising, metrics={"steps_run": 400, "best_step": 340})
    assert findings(stopped_by_patience) == {}


def test_overfitting_is_a_warning_only_where_the_kept_model_lost(lab, healthy, findings):
    kept_the_best = too_much_training(lab, healthy)
    assert findings(kept_the_best)["overfitted", "base-tuned"].severity == "info"
    kept_the_last = with_finetune(kept_the_best, metrics={"steps_run": 400, "best_step": 400})
    found = findings(kept_the_last)["overfitted", "base-tuned"]
    assert found.severity == "warning"
    # From 0.8 at step 60 down to 0.5 at step 400.
    assert found.weight == pytest.approx(30)
    assert found.fix.params["finetune_rank.early_stopping.metric"] == "accuracy@1_all"


def test_a_fall_within_the_noise_of_80_dev_queries_is_not_overfitting(healthy, findings):
    looks = healthy.finetune["base"].evaluations
    # Two standard errors at 0.8: 2 sqrt(0.8 x 0.2 / 80) = 0.089.
    dev = np.where(looks["step"] == 60, 0.8, np.minimum(0.6 + looks["step"] / 300, 0.73))
    metrics = {"steps_run": 400, "best_step": 60}
    assert findings(with_finetune(healthy, evaluations=looks.assign(**{"accuracy@1_all": dev}), metrics=metrics)) == {}


def test_logits_of_another_size_do_not_matter_to_the_cosine(lab, healthy, findings):
    spoilt = long_vectors(lab, healthy)
    cosine = {name: replace(run, metrics=run.metrics | {"score_kind_cosine": 1.0}) for name, run in spoilt.runs.items()}
    assert findings(replace(spoilt, runs=cosine)) == {}


@pytest.mark.parametrize("logit_std, spoken", [(9.5, False), (10.5, True), (0.45, False), (0.35, True)])
def test_a_factor_of_five_in_the_spread_of_logits_is_a_mismatch(logit_std, spoken, lab, healthy, findings):
    spoilt = long_vectors(lab, healthy)
    after = spoilt.finetune["barlow"]
    after = replace(after, history=after.history.assign(logit_std=logit_std))  # 2.0 from base
    assert bool(findings(replace(spoilt, finetune=spoilt.finetune | {"barlow": after}))) is spoken


def test_ties_of_a_lexical_floor_are_worth_knowing_and_those_of_an_encoder_a_warning(lab, healthy, findings):
    found = findings(twin_answers(lab, healthy))
    severities = {system: finding.severity for (_, system), finding in found.items()}
    assert severities == dict.fromkeys(("tfidf", "bm25"), "info") | dict.fromkeys(ENCODERS, "warning")
    assert "one id" in found["ties-decide-the-metric", "base"].fix.action


def test_a_few_ties_move_the_metric_less_than_luck_and_are_not_spoken_of(lab, healthy, findings):
    scores = lab.vectors(0.46) @ lab.answer_AD.T
    scores[::40] = 0.0  # 3 of the 120 test queries share no word with any answer
    assert findings(lab.spoil(healthy, bm25=lab.scored(scores))) == {}


@pytest.mark.parametrize("n, spoken", [(3, False), (4, True)])
def test_unasked_answers_speak_from_a_tenth_of_the_40(n, spoken, lab, healthy, findings):
    assert bool(findings(unasked(lab, healthy, n))) is spoken


@pytest.mark.parametrize("every, spoken", [(5, False), (7, True)])
def test_imbalance_speaks_from_five_to_one(every, spoken, lab, healthy, findings):
    assert bool(findings(few_questions(lab, healthy, every))) is spoken


def test_counting_the_shortest_conversations_as_questions_balances_the_types(lab, healthy):
    data = few_questions(lab, healthy).data
    limit = preflight(data)[0].fix.params["prepare.short_conversation"]
    is_question = (data.queries["type"] == "question") | (data.queries["raw_text"].str.len() < limit)
    assert 1.5 < (~is_question).sum() / is_question.sum() <= 2.0


def test_one_type_alone_is_not_an_imbalance(healthy):
    assert preflight(replace(healthy.data, queries=healthy.data.queries.assign(type="question"))) == []


def test_a_hub_is_told_from_a_frequent_right_answer(lab, healthy, findings):
    found = findings(hub(lab, healthy))["hub-answers", "base-tuned"]
    assert found.sentence.startswith("Answer a00")
    assert findings(hub(lab, healthy, pull=0.3)) == {}


def test_fewer_mixed_answers_than_luck_allows_are_not_spoken_of(lab, healthy, findings):
    # 4 of 40 or more pass by luck in 14 of 100 experiments.
    assert findings(two_topics(lab, healthy, answers=4)) == {}


def test_intervals_have_the_level_that_is_asked_for(lab, healthy, findings):
    narrow, wide = (findings(pretraining_hurts(lab, healthy), level=level)["pretraining-hurts", "barlow-tuned"].interval
                    for level in (0.8, 0.99))  # fmt: skip
    assert wide[0] < narrow[0] < narrow[1] < wide[1] < 0


def test_the_same_records_give_the_same_findings(lab, healthy, findings):
    spoilt = single_answer_batches(lab, healthy)
    assert [f.as_json() for f in findings(spoilt).values()] == [f.as_json() for f in findings(spoilt).values()]
