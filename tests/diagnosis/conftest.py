"""A recorded run, made up but whole: 40 answers, 300 queries, six systems, pretraining that did harm."""

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from whyrank.diagnosis.report import html
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.records import DataRecords, Records, RunRecord, TrainingRecord
from whyrank.measure.metrics import locating, ranking

from ..shipped import SHIPPED

ANSWERS, QUERIES, FEATURES = 40, 300, 16
# How far a system's query vectors lie from their answers, questions and conversations.
NOISE = {"tfidf": (1.5, 1.3), "bm25": (1.4, 1.2), "base": (1.1, 1.3), "barlow": (2.0, 2.3),
         "base-tuned": (0.75, 0.9), "barlow-tuned": (1.2, 1.4)}  # fmt: skip

TOPICS = ["invoice", "gateway", "sensor", "password", "firmware", "refund", "battery", "dashboard", "export", "webhook"]
PROBLEMS = ["will not open", "shows the wrong total", "stopped after the update", "is locked"]


def make_data(rng):
    """Tables of prepare; every third answer is longer than its budget."""
    titles = [f"When the {topic} {problem}" for topic in TOPICS for problem in PROBLEMS]
    body = "Open the settings, pick the affected item and follow the steps; call us if the light stays amber."
    answers = pd.DataFrame({"answer_id": [f"a{i:02}" for i in range(ANSWERS)], "title": titles})
    answers["raw_text"] = answers["title"] + " " + body
    answers["tokens_raw"] = [300 if i % 3 == 0 else 90 for i in range(ANSWERS)]
    answers["tokens"] = answers["tokens_raw"].clip(upper=128)
    answer = np.arange(QUERIES) % ANSWERS
    is_question = rng.random(QUERIES) < 0.55
    split = np.array(["train", "train", "dev", "test", "test"])[np.arange(QUERIES) // ANSWERS % 5]
    tokens = np.where(is_question, rng.integers(5, 21, QUERIES), rng.integers(60, 220, QUERIES))
    topic = [titles[a].split()[2] for a in answer]
    text = [
        f"why is my {t} acting up again?" if question else
        f"User: hi, it is about the {t}. Agent: hello, what happened? User: since Monday nothing works, I tried twice "
        "and my colleague says it is the cable, but honestly I doubt it. Agent: which model? User: the grey one."
        for t, question in zip(topic, is_question, strict=True)
    ]  # fmt: skip
    queries = pd.DataFrame(
        {
            "query_id": [f"q{i:03}" for i in range(QUERIES)],
            "type": np.where(is_question, "question", "conversation"),
            "split": split,
            "raw_text": text,
            "tokens_raw": tokens,
            "tokens": np.minimum(tokens, 128),
        }
    )
    qrels = pd.DataFrame({"query_id": queries["query_id"], "answer_id": answers["answer_id"].to_numpy()[answer]})
    overlap = queries[["query_id", "type", "split"]].assign(overlap=rng.beta(2, 4, QUERIES).round(3))
    metrics = {"lexical_overlap": 0.331, "rows_rejected": 2, "texts_cut_share_answer": 14 / 40}
    return DataRecords(answers, queries, qrels.assign(score=1.0), metrics, {"overlap": overlap}, pd.DataFrame())


def make_run(system, data, rng):
    answer = data.qrels["answer_id"].map({a: i for i, a in enumerate(data.answers["answer_id"])}).to_numpy()
    answer_vectors = rng.standard_normal((ANSWERS, FEATURES)).astype(np.float32)
    spread = np.where(data.queries["type"] == "question", *NOISE[system])[:, None]
    offset = 0.4 * spread * np.where(data.queries["type"] == "question", 1, -1)[:, None] * np.ones(FEATURES)
    query_vectors = (answer_vectors[answer] + offset + spread * rng.standard_normal((QUERIES, FEATURES))).astype("f4")
    test = np.flatnonzero(data.queries["split"] == "test")
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (query_vectors[test], answer_vectors)]
    scores = unit[0] @ unit[1].T
    above, tied = locating.locate(scores, np.arange(len(test)), answer[test])
    places = ranking.Places(np.arange(len(test)), above, tied, np.ones(len(test)), *scores.shape)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    queries = pd.DataFrame(
        {
            "query_id": data.queries["query_id"].to_numpy()[test],
            "type": data.queries["type"].to_numpy()[test],
            "cluster": data.qrels["answer_id"].to_numpy()[test],
            **ranking.per_query(places),
            "above": above,
            "tied": tied,
            "score": scores[np.arange(len(test)), answer[test]],
            "top_score": scores.max(axis=1),
        }
    )
    top = pd.DataFrame(
        {
            "query_id": np.repeat(queries["query_id"].to_numpy(), 10),
            "rank": np.tile(np.arange(1, 11), len(test)),
            "answer_id": data.answers["answer_id"].to_numpy()[order.ravel()],
            "score": np.take_along_axis(scores, order, axis=1).ravel(),
        }
    )
    if system in ("tfidf", "bm25"):
        read_by = {"language": "en", "share": 0.984, "answers": "en", "queries": "en", "stemmer": "en"}
        return RunRecord({"tied_share": 0.0}, queries, top, analyser=read_by)
    metrics = {
        "score_kind_cosine": 1,
        "features": FEATURES,
        "parameters": 22_713_216,
        "megabytes": 90.852864,
        "layers": 6,
        "question_conversation_distance": 0.4,
        "type_probe_auc": 0.93,
        "cluster_size": 0.5,
    }
    return RunRecord(metrics, queries, top, query_vectors, answer_vectors)


def make_training(rng, start, final):
    step = np.arange(0, 401, 20)
    dev = final - (final - start) * np.exp(-step / 60) + 0.01 * rng.standard_normal(len(step))
    table = {"step": step, "accuracy@1_all": dev, "mrr_all": dev + 0.05, "train_accuracy@1": np.minimum(dev + 0.1, 1)}
    return TrainingRecord(
        {"steps_run": 400, "best_step": int(step[dev.argmax()])}, pd.DataFrame({"step": step[1:]}), pd.DataFrame(table)
    )


def make_barlow(rng):
    step = np.arange(1, 301)
    history = {"step": step, "mean_diagonal": 0.03 * rng.standard_normal(300),
               "off_diagonal_rms": 0.13 + 0.1 * np.exp(-step / 40), "noise_floor": 0.125}  # fmt: skip
    return TrainingRecord({"steps": 300, "mean_diagonal_end": 0.004}, pd.DataFrame(history))


def make_records(seed=0):
    rng = np.random.default_rng(seed)
    data = make_data(rng)
    runs = {system: make_run(system, data, np.random.default_rng(seed + 1)) for system in NOISE}
    finetune = {"base": make_training(rng, 0.55, 0.85), "barlow": make_training(rng, 0.12, 0.6)}
    return Records(data, make_barlow(rng), finetune, runs, SHIPPED)


@pytest.fixture(scope="session")
def recorded():
    """Shared by all tests: read it, never change it (`dataclasses.replace` makes another)."""
    return make_records()


@pytest.fixture(scope="session")
def findings():
    return [
        Finding(
            "hub-answers", "info", "barlow-tuned", "One answer is the nearest of 9 % of all queries.",
            (Evidence("largest share", 0.0913), Evidence("skew", 2.4)),
            "A few answers lie near the mean of all queries.", Fix({}, "Look at these answers for boilerplate."),
            "Radovanović et al. 2010, Hubs in space", weight=1.0,
        ),
        Finding(
            "barlow-single-answer-batches", "error", "pretrain_barlow",
            "Every pretraining batch held one answer, and the views never agreed: the mean diagonal ended at 0.004.",
            (Evidence("distinct answers per batch", 1.0), Evidence("mean diagonal at the end", 0.004, "of 1"),
             Evidence("accuracy@1 lost", -27.5, "points")),
            "Standardising over a batch of one answer subtracts that answer, so nothing is left to share.",
            Fix({"pretrain_barlow.batches": "across_answers", "pretrain_barlow.views": ["question-conversation"]}),
            "Zbontar et al. 2021, arXiv:2103.03230", interval=(-0.35, -0.19), weight=27.5,
        ),
        Finding(
            "truncation-loses-evidence", "warning", "data", "Selection cuts 35 % of the answers.",
            (Evidence("answers cut", 35.0, "%"),), "Answers are longer than the budget of 128 tokens.",
            Fix({"prepare.tokens.answer": 256}), "Section 3 of the data card", weight=3.0,
        ),
    ]  # fmt: skip


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are empty: most of the time of a page goes into drawing them, and other tests look at them."""
    monkeypatch.setattr(html, "drawn", lambda plot: Markup("<svg></svg>"))
