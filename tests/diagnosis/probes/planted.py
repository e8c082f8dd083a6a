"""Faults, planted in what was recorded of the healthy experiment, with the findings that each implies."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from whyrank.findings.records import Records, TrainingRecord
from whyrank.measure.metrics import geometry

from .. import rated
from .rated import NO_TARGETS, healthy_rows, rating_tables, token_table

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


def learnt_by_heart(lab: Any, healthy: Records) -> Records:
    """Pretraining puts training queries onto their answers, and the others further away; tuning brings them back."""
    is_train_N1 = (healthy.data.queries["split"] == "train").to_numpy()[:, None]
    return lab.spoil(healthy, barlow=lab.run(np.where(is_train_N1, lab.vectors(0.05), lab.vectors(0.43))))


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
    """Conversations lie `apart` from questions along one axis, and have `worse` noise where questions have 0.22."""
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
    queries.loc[is_cut, ["tokens_raw", "tokens"]] = 280, 126
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


def with_history(healthy: Records, **columns: Any) -> Records:
    return with_finetune(healthy, history=healthy.finetune["base"].history.assign(**columns))


def frozen_by_accident(lab: Any, healthy: Records) -> Records:
    """Steps at a good rate that reach no weight, and systems that are what they were before."""
    spoilt = with_history(healthy, moved_block_5=0.0)
    return lab.spoil(spoilt, base_tuned=healthy.runs["base"], barlow_tuned=healthy.runs["barlow"])


def satisfied_loss(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, rank_gradient_share=0.996, similarity_gradient_share=0.004)


def small_batches(lab: Any, healthy: Records) -> Records:
    return with_history(healthy, candidates=8)


def with_looks(records: Records, **columns: Any) -> Records:
    return with_finetune(records, evaluations=records.finetune["base"].evaluations.assign(**columns))


def unchanged(lab: Any, records: Records) -> Records:
    """The tuned systems are what they were before."""
    return lab.spoil(records, base_tuned=records.runs["base"], barlow_tuned=records.runs["barlow"])


def flat(records: Records, start: float = 0.62, end: float = 0.64) -> Records:
    """Accuracy on training queries goes from `start` to `end` in a straight line, and that of dev beside it."""
    looks = records.finetune["base"].evaluations
    course = start + (end - start) * looks["step"] / looks["step"].max()
    return with_looks(records, **{"train_accuracy@1": course, "accuracy@1_all": course - 0.02})


def endless_warmup(lab: Any, healthy: Records, share: float = 0.1) -> Records:
    """The rate rises through all 400 steps, up to `share` of its peak, and little is learned."""
    step = np.arange(1, 401)
    spoilt = flat(with_history(healthy, rate_factor=share * step / 400, learning_rate=1e-3 * share * step / 400))
    return unchanged(lab, spoilt)


def spike(lab: Any, healthy: Records, height: float = 3.0, gradient: float = 20.0) -> Records:
    """The loss jumps at the fifth step and comes down again; what it took from the ranking does not come back."""
    loss = healthy.finetune["base"].history["loss"].to_numpy().copy()
    norm = np.full(len(loss), 2.0)
    loss[4:8] += height
    norm[3:6] = gradient
    return unchanged(lab, flat(with_history(healthy, loss=loss, gradient_norm=norm)))


def long_steps(lab: Any, healthy: Records, loss: float = 3.6) -> Records:
    """The losses settle at or above their start, and the ranking is lost."""
    done = np.arange(1, 401) / 400
    course = 3.0 + (loss - 3.0) * np.minimum(1, 8 * done)
    losses = dict.fromkeys(("loss", "rank_loss", "similarity_loss"), course)
    spoilt = flat(with_history(healthy, **losses, moved_block_5=0.8 * done), end=0.15)
    tuned = lab.run(lab.vectors(0.6))
    return lab.spoil(spoilt, base_tuned=tuned, barlow_tuned=tuned)


def drowned(lab: Any, healthy: Records, end: float = 0.4, share: float = 0.04) -> Records:
    """Ranking has `share` of the gradient, and accuracy on its training queries ends at `end`."""
    shares = {"rank_gradient_share": share, "similarity_gradient_share": 1 - share}
    return unchanged(lab, flat(with_history(healthy, **shares), end=end))


def conflict_of_gradients(lab: Any, healthy: Records, cosine: float = -0.3) -> Records:
    steps = len(healthy.finetune["base"].history)
    return with_history(healthy, rank_similarity_gradient_cosine=cosine + 0.2 * np.sin(np.arange(steps)))


def opposed_pairs(lab: Any, healthy: Records, share: float = 0.2) -> Records:
    return with_history(healthy, similarity_opposed_positives=share)


def another_pooling(lab: Any, healthy: Records, declared: str = "mean", by: float = 0.3) -> Records:
    """Read by its first token, the encoder has a reciprocal rank `by` lower on two in three queries."""
    ids = healthy.data.queries["query_id"].to_numpy()[:120]
    drop = np.where(np.arange(120) % 3 == 0, 0.0, by)
    table = pd.DataFrame({"query_id": ids, "answer_id": np.arange(120) // 10, "mean": 0.7, "cls": 0.7 - drop})
    table = table.assign(max=0.35, used="cls", declared=declared)
    return with_data(healthy, tables=healthy.data.tables | {"pooling": table})


def too_little_training(lab: Any, healthy: Records) -> Records:
    """Tuning moves training accuracy from 0.62 to 0.64, and the systems are what they were before."""
    looks = healthy.finetune["base"].evaluations
    still = 0.62 + 0.02 * looks["step"] / looks["step"].max()
    spoilt = with_finetune(
        healthy, evaluations=looks.assign(**{"train_accuracy@1": still, "accuracy@1_all": still - 0.02})
    )
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


SEED_IDS = {"entailment": 0.0, "neutral": 1.0, "contradiction": 2.0}


def relabelled(labels: dict[str, float], bare: bool = False) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Classes with other labels; `bare` leaves them their ids for names."""

    def change(judged: pd.DataFrame) -> pd.DataFrame:
        names = judged["class_name"]
        judged = judged.assign(label=names.map(labels).fillna(judged["label"]))
        if bare:
            ids = names.map({name: str(int(label)) for name, label in labels.items()})
            judged = judged.assign(class_name=ids.fillna(""), stratum=ids.fillna(judged["stratum"]))
        return judged

    return change


def raw_ids(lab: Any, healthy: Records) -> Records:
    """The seed project's fault: ids of SNLI for labels."""
    return replace(healthy, data=lab.with_pairs(healthy.data, relabelled(SEED_IDS, bare=True)))


def reversed_labels(lab: Any, healthy: Records) -> Records:
    labels = {"entailment": 0.0, "neutral": 0.5, "contradiction": 1.0}
    return replace(healthy, data=lab.with_pairs(healthy.data, relabelled(labels)))


def exchanged_classes(lab: Any, healthy: Records) -> Records:
    labels = {"entailment": 0.5, "neutral": 1.0, "contradiction": 0.0}
    return replace(healthy, data=lab.with_pairs(healthy.data, relabelled(labels)))


def wide_labels(lab: Any, healthy: Records) -> Records:
    """Labels in the right order that run to 2."""
    labels = {"entailment": 2.0, "neutral": 1.0, "contradiction": 0.0}
    return replace(healthy, data=lab.with_pairs(healthy.data, relabelled(labels)))


def kept_without_class(lab: Any, healthy: Records) -> Records:
    """One pair in fifty has no class and the label -1; `prepare` looks at the others alone."""
    table = healthy.data.tables["pair_labels"].copy()
    table.loc[table["source"] == "nli", "unlabelled"] = 0.02
    return with_data(healthy, tables=healthy.data.tables | {"pair_labels": table})


def few_positives(lab: Any, healthy: Records, without: int = 15) -> Records:
    drawn = healthy.data.tables["pair_batches"]
    positives = np.where(np.arange(len(drawn)) < without, 0, 3)
    return with_data(healthy, tables=healthy.data.tables | {"pair_batches": drawn.assign(positives=positives)})


def one_label_per_batch(lab: Any, healthy: Records, constant: int = 20) -> Records:
    drawn = healthy.data.tables["pair_batches"]
    distinct = np.where(np.arange(len(drawn)) < constant, 1, 3)
    return with_data(healthy, tables=healthy.data.tables | {"pair_batches": drawn.assign(distinct_labels=distinct)})


def unknown_pieces(lab: Any, healthy: Records, unknown: float = 0.4) -> Records:
    table = healthy.data.tables["tokenizer"]
    table = table.assign(unknown=np.where(table["kind"] == "question", unknown, 0.01))
    return with_data(healthy, tables=healthy.data.tables | {"tokenizer": table})


def pairs_of_another_kind(lab: Any, healthy: Records) -> Records:
    """Training learned the labels of its pairs, and took the test pairs out of their order."""
    return lab.with_scored_pairs(healthy, base_tuned=(0.45, 0.1), barlow_tuned=(0.45, 0.1))


def without_similarity(healthy: Records) -> Records:
    """Both fine-tunings followed ranking alone."""
    history = healthy.finetune["base"].history
    return with_finetune(healthy, history=history[[name for name in history if not name.startswith("similarity")]])


def forgotten(lab: Any, healthy: Records) -> Records:
    return lab.with_scored_pairs(without_similarity(healthy), base_tuned=0.45, barlow_tuned=0.45)


def tables_anew(healthy: Records, **changes: Any) -> Records:
    """The tables of ratings anew, from other rows or settings: see `rating_tables`."""
    return with_data(healthy, tables=healthy.data.tables | rating_tables(**changes))


def stars(lab: Any, healthy: Records) -> Records:
    return tables_anew(healthy, rows=healthy_rows(stars=lambda i: i % 5 + 1))


def counted_columns(lab: Any, healthy: Records) -> Records:
    return tables_anew(healthy, rows=healthy_rows(**NO_TARGETS))


def grouped_by_id(lab: Any, healthy: Records) -> Records:
    return tables_anew(healthy, settings={"prepare.ratings.group": "qa_id"})


def one_value(lab: Any, healthy: Records) -> Records:
    return tables_anew(healthy, rows=healthy_rows(polite=lambda i: 1.0))


def rare_side(lab: Any, healthy: Records) -> Records:
    """One row in 26, some in each fold."""
    return tables_anew(healthy, rows=healthy_rows(rude=lambda i: float(i % 26 == 0)))


def wasted_tokens(lab: Any, healthy: Records, unused: float = 0.3) -> Records:
    table = token_table(fixed=0.1 + unused, adaptive=0.1, used="fixed")
    return with_data(healthy, tables=healthy.data.tables | {"rating_fields": table})


def equal_ratings(lab: Any, healthy: Records) -> Records:
    """Tuned systems rate the rows of one fold alike on one target."""
    rows = np.flatnonzero(rated.FOLD == 2)
    return rated.rated_otherwise(rated.with_ratings(healthy), *TUNED, rows=rows, columns=2, to=0.07)


def lost_fold(lab: Any, healthy: Records) -> Records:
    """Tuned systems know nothing of the rows of one fold."""
    rows = np.flatnonzero(rated.FOLD == 3)
    return rated.rated_otherwise(rated.with_ratings(healthy), *TUNED, rows=rows, columns=slice(None), to="noise")


def sides_apart(lab: Any, healthy: Records, separate: float = 3.2) -> Records:
    """Question and answer are read apart, and the frozen encoders rate worse for it than for the two as one text."""
    spoilt = rated.with_ratings(healthy, is_separate=True)
    table = rated.layouts(separate=separate)
    runs = {name: replace(spoilt.runs[name], rating_layouts=table) for name in ("base", "barlow")}
    return replace(spoilt, runs=spoilt.runs | runs)


def surface_dropped(lab: Any, healthy: Records, blocks: float = 1.0, **columns: int) -> Records:
    """All blocks of the frozen encoders rate better than their last one, and than what was tuned on it."""
    spoilt = rated.with_ratings(healthy)
    table = rated.long(rated.predictions(blocks))
    runs = {name: replace(spoilt.runs[name], rating_blocks=table) for name in ("base", "barlow")}
    finetune = {
        init: replace(record, history=record.history.assign(**columns)) for init, record in spoilt.finetune.items()
    }
    return replace(spoilt, runs=spoilt.runs | runs, finetune=finetune)


Plant = Callable[[Any, Records], Records]


PLANTED: dict[str, tuple[Plant, set[tuple[str, str]]]] = {
    # It costs accuracy before and after tuning; before tuning it falls below the floors.
    "barlow-single-answer-batches": (
        single_answer_batches,
        of("barlow-single-answer-batches", "pretrain_barlow")
        | of("pretraining-hurts", "barlow", "barlow-tuned")
        | of("worse-than-lexical", "barlow"),
    ),
    "pretraining-overfits": (
        learnt_by_heart,
        of("pretraining-overfits", "pretrain_barlow") | of("pretraining-hurts", "barlow"),
    ),
    "pretraining-hurts": (pretraining_hurts, of("pretraining-hurts", "barlow-tuned")),
    "nothing-moves": (frozen_by_accident, of("nothing-moves", *TUNED)),
    "dead-loss-term": (satisfied_loss, of("dead-loss-term", *TUNED)),
    "few-negatives": (small_batches, of("few-negatives", *TUNED)),
    "warmup-longer-than-training": (endless_warmup, of("warmup-longer-than-training", *TUNED)),
    "no-warmup-spike": (spike, of("no-warmup-spike", *TUNED)),
    # What was lost shows in the ranking.
    "learning-rate-too-high": (
        long_steps,
        of("learning-rate-too-high", *TUNED) | of("worse-than-zero-shot", *TUNED) | of("worse-than-lexical", *TUNED),
    ),
    "task-dominates": (drowned, of("task-dominates", *TUNED)),
    "task-starved": (lambda lab, healthy: drowned(lab, healthy, end=0.64), of("task-starved", *TUNED)),
    "gradient-conflict": (conflict_of_gradients, of("gradient-conflict", *TUNED)),
    "antipodal-angle": (opposed_pairs, of("antipodal-angle", *TUNED)),
    "pooling-mismatch": (another_pooling, of("pooling-mismatch", "prepare")),
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
    "labels-reversed": (reversed_labels, of("labels-reversed", "pairs of nli")),
    "labels-unordered": (exchanged_classes, of("labels-unordered", "pairs of nli")),
    "labels-out-of-range": (wide_labels, of("labels-out-of-range", "pairs of nli")),
    "unlabelled-rows-trained-on": (kept_without_class, of("unlabelled-rows-trained-on", "pairs of nli")),
    "fractional-labels-truncated": (few_positives, of("fractional-labels-truncated", "finetune_rank")),
    "constant-label-batches": (one_label_per_batch, of("constant-label-batches", "finetune_rank")),
    "tokenizer-mismatch": (unknown_pieces, of("tokenizer-mismatch", "prepare")),
    "target-out-of-range": (stars, of("target-out-of-range", "target stars")),
    "non-target-column": (counted_columns, of("non-target-column", "ratings")),
    "group-leak": (grouped_by_id, of("group-leak", "ratings")),
    "undefined-targets": (one_value, of("undefined-targets", "ratings")),
    "target-imbalance": (rare_side, of("target-imbalance", "ratings")),
    "fixed-allocation-truncates": (wasted_tokens, of("fixed-allocation-truncates", "ratings")),
    "hub-answers": (hub, of("hub-answers", *TUNED)),
    "similarity-worse-than-untouched": (pairs_of_another_kind, of("similarity-worse-than-untouched", *TUNED)),
    "forgetting": (forgotten, of("forgetting", *TUNED)),
    "answer-mixes-questions": (two_topics, of("answer-mixes-questions", "data")),
    "constant-predictions": (equal_ratings, of("constant-predictions", *TUNED)),
    "fold-failed": (lost_fold, of("fold-failed", *TUNED)),
    "last-block-drops-surface": (surface_dropped, of("last-block-drops-surface", *TUNED)),
    "separate-encoders-lose-interaction": (sides_apart, of("separate-encoders-lose-interaction", *TUNED)),
}
