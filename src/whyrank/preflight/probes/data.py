"""Faults that the prepared tables show: leaks, contradictions, answers without queries, rare types, lost text."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, Severity, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords

# Public sets leak up to 31 % (hrq-vae#2: 1642 of 5225; GLUE-baselines#29). A tenth of the test queries moves a metric
# by more than most changes people test; one in a hundred moves it by a point at most.
LEAK_ERROR = 0.10
LEAK_WARNING = 0.01

# A contradiction caps accuracy@1 at one half on the queries it touches: half a point at one query in a hundred.
CONFLICT_WARNING = 0.01

# Unasked answers are normal in search; below a tenth they change no ranking worth a word.
UNASKED = 0.10

# The seed project had 10 conversations per question and trouble with questions; up to 5 the rarer type still makes a
# sixth of every batch.
IMBALANCE = 5.0
# After the fix: conversations at most twice as many as questions.
BALANCED = 2.0
# Characters. A longer conversation reads like a conversation, whatever it is called (the seed project used 100).
LONGEST_QUESTION = 400
WRITE_QUESTIONS = Fix(
    {}, "write or generate questions for the answers (one short question per conversation is a start)"
)


@probe("duplicate-across-splits", on="preflight", layer="data")
def duplicate_across_splits(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Test queries that training has seen, word for word or nearly."""
    leaks, leaked = data.tables["leaks"], leaked_queries(data)
    if len(leaked) == 0:
        yield passed("data", percent("test queries with a duplicate in train", 0.0), 100 * LEAK_WARNING)
        return
    n_test = int((data.queries["split"] == "test").sum())
    share = len(leaked) / n_test
    crossing = leaks[leaks["query_right"].isin(leaked)]
    # One text that happens to stand inside another is none of a split that leaks.
    is_some = share >= LEAK_WARNING and len(leaked) > 1
    severity: Severity = "error" if share >= LEAK_ERROR else "warning" if is_some else "info"
    yield Finding(
        severity=severity,
        system="data",
        sentence=f"{len(leaked)} of {n_test} test queries ({100 * share:.1f} %) have a duplicate among the training "
        "queries.",
        evidence=(
            Evidence("test queries with a duplicate in train", len(leaked), "queries"),
            percent("test queries with a duplicate in train, of all", share).against(100 * LEAK_WARNING),
            percent("exact duplicates, of these pairs", float((crossing["kind"] == "exact").mean())),
            percent("duplicates with the same answer, of these pairs", float(crossing["same_answer"].mean())),
        ),
        cause="The splits came with the data, and the same text (or one quoted whole inside another) is in both. A "
        "system that memorised the training queries scores as well as one that understands them.",
        fix=Fix(
            {},
            "merge qrels/train.tsv, dev.tsv and test.tsv into one qrels file: prepare then splits it itself and keeps "
            "duplicates on one side; or delete the leaked queries listed in metrics/prepare/leaks.csv",
        ),
        reference="mteb#1036; nyu-mll/GLUE-baselines#29",
        weight=100 * share + (CAUSE if severity == "error" else 0.0),
    )


def leaked_queries(data: DataRecords) -> np.ndarray:
    """Ids of the test queries with a duplicate in train."""
    return _in_train(data.tables["leaks"])


def _in_train(crossing: pd.DataFrame) -> np.ndarray:
    is_leak = (crossing["split_left"] == "train") & (crossing["split_right"] == "test")
    return np.asarray(crossing.loc[is_leak, "query_right"].unique())


@probe("thread-across-splits", on="preflight", layer="data")
def thread_across_splits(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Test queries of a user whose other queries training has seen."""
    if not data.metrics.get("queries_of_threads"):
        yield not_applicable("data", "queries that declare their thread (`metadata.thread`)")
        return
    torn = torn_queries(data)
    share = float(data.queries.loc[data.queries["split"] == "test", "query_id"].isin(torn).mean())
    measured = percent("test queries of a thread that training has a query of", share)
    if not len(torn):
        yield passed("data", measured, 0.0)
        return
    yield Finding(
        severity="info",
        system="data",
        sentence=f"{len(torn)} test queries ({100 * share:.1f} %) are of a thread that training has a query of.",
        evidence=(measured.against(0),),
        cause="The splits came with the data, and tear threads apart. What a user says in the one query may help with "
        "the other, which it does for no new user.",
        fix=Fix(
            {},
            "merge qrels/train.tsv, dev.tsv and test.tsv into one qrels file: prepare then splits it itself and keeps "
            "threads on one side; or delete the test queries listed in metrics/prepare/torn_threads.csv",
        ),
        reference="docs/findings.md",
        weight=share,
    )


def torn_queries(data: DataRecords) -> np.ndarray:
    """Ids of the test queries of a thread that train has a query of."""
    return _in_train(data.tables["torn_threads"])


@probe("conflicting-duplicates", on="preflight", layer="labels")
def conflicting_duplicates(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Identical query texts with conflicting relevance labels."""
    conflicts = data.tables["conflicts"]
    if len(conflicts) == 0:
        yield passed("data", percent("duplicate queries with conflicting labels", 0.0), 100 * CONFLICT_WARNING)
        return
    touched = np.union1d(conflicts["query_left"], conflicts["query_right"])
    share = len(touched) / len(data.queries)
    tested = data.queries.loc[data.queries["split"] == "test", "query_id"]
    test_share = float(tested.isin(touched).mean()) if len(tested) else 0.0
    yield Finding(
        severity="warning" if share >= CONFLICT_WARNING else "info",
        system="data",
        sentence=f"{len(touched)} queries ({100 * share:.1f} %) are duplicates with conflicting relevance labels.",
        evidence=(
            Evidence("duplicate queries with conflicting labels", len(touched), "queries"),
            percent("of all queries", share).against(100 * CONFLICT_WARNING),
            percent("of the test queries", test_share),
        ),
        cause="The same text is labelled with answers that have none in common. No ranker can put both first: at most "
        "half of these queries can be answered correctly, and in training they contradict each other.",
        fix=Fix(
            {}, "list all correct answers for each copy in the qrels, or keep one; see metrics/prepare/conflicts.csv"
        ),
        reference="mteb#4626",
        weight=50 * test_share,
    )


@probe("answers-without-queries", on="preflight", layer="data")
def answers_without_queries(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Answers that are relevant to no query."""
    table = data.tables["per_answer"]
    asked = table["question"] + table["conversation"] > 0
    share, without = float((~asked).mean()), int((~asked).sum())
    if share < UNASKED:
        yield passed("data", percent("answers that are relevant to no query", share), 100 * UNASKED)
        return
    untrained = int((asked & (table["train"] == 0)).sum())
    yield Finding(
        severity="info",
        system="data",
        sentence=f"{without} of {len(table)} answers ({100 * share:.0f} %) are relevant to no query of any split.",
        evidence=(
            Evidence("answers without any query", without, "answers"),
            percent("of all answers", share).against(100 * UNASKED),
            Evidence("answers with queries, but none for training", untrained, "answers"),
        ),
        cause="Nobody asked for them, or nobody labelled their queries. They only ever serve as wrong candidates, in "
        "training and in evaluation, even where they would be correct.",
        fix=Fix({}, "label or write queries for them, or take retired answers out of corpus.jsonl"),
        reference="docs/findings.md",
        weight=share,
    )


@probe("type-imbalance", on="preflight", layer="data")
def type_imbalance(data: DataRecords) -> Iterator[Finding | Outcome]:
    """One type of query several times as frequent as the other."""
    lengths, kinds = data.queries["raw_text"].str.len(), data.queries["type"]
    questions, conversations = (sorted(lengths[kinds == kind]) for kind in ("question", "conversation"))
    if not questions or not conversations:
        yield not_applicable("data", "questions and conversations")
        return
    ratio = max(len(questions), len(conversations)) / min(len(questions), len(conversations))
    if ratio < IMBALANCE:
        yield passed("data", Evidence("queries of the common type per query of the rare one", ratio), IMBALANCE)
        return
    rare = "question" if len(questions) < len(conversations) else "conversation"
    yield Finding(
        system="data",
        sentence=f"{rare.capitalize()}s are rare: there are {ratio:.1f} times as many "
        f"{'conversations' if rare == 'question' else 'questions'}.",
        evidence=(
            Evidence("questions", len(questions), "queries"),
            Evidence("conversations", len(conversations), "queries"),
            Evidence("queries of the common type per query of the rare one", ratio).against(IMBALANCE),
        ),
        cause=f"Batches, early stopping and the overall metric follow the common type, so that {rare}s are learned "
        "last.",
        fix=_balance(data, rare),
        reference="a support-search project with ten conversations per question",
        weight=1 - 1 / ratio,
    )


def _balance(data: DataRecords, rare: str) -> Fix:
    """Where no types are declared, count the shortest conversations as questions until the types balance, unless that
    reaches long ones."""
    if rare == "conversation":
        return Fix({}, "add conversations")
    lengths, is_question = data.queries["raw_text"].str.len(), data.queries["type"] == "question"
    if (data.queries["declared_type"] != "").any():
        return WRITE_QUESTIONS
    conversation_lengths, n_questions = sorted(lengths[~is_question]), int(is_question.sum())
    recast = int(np.ceil((len(conversation_lengths) - BALANCED * n_questions) / (1 + BALANCED)))
    # A conversation shorter than the limit is recast: one character above the last of them.
    limit = conversation_lengths[recast - 1] + 1
    if limit > LONGEST_QUESTION:
        return WRITE_QUESTIONS
    return Fix({"prepare.short_conversation": limit})
