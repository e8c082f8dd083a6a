"""Faults that the prepared tables show: leaks, contradictions, answers nobody asks for, one type swamping another."""

from collections.abc import Iterator

import numpy as np

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, Severity
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
# After the mend: conversations at most twice as many as questions.
BALANCED = 2.0
# Characters. A longer conversation reads like a conversation, whatever it is called (the seed project used 100).
LONGEST_QUESTION = 400


def duplicate_across_splits(data: DataRecords) -> Iterator[Finding]:
    """Test queries that training has seen, word for word or nearly."""
    leaks = data.tables["leaks"]
    leaked = leaked_queries(data)
    n_test = int((data.queries["split"] == "test").sum())
    if len(leaked) == 0:
        return
    share = len(leaked) / n_test
    crossing = leaks[leaks["query_right"].isin(leaked)]
    severity: Severity = "error" if share >= LEAK_ERROR else "warning" if share >= LEAK_WARNING else "info"
    yield Finding(
        code="duplicate-across-splits",
        severity=severity,
        system="data",
        sentence=f"{len(leaked)} of {n_test} test queries ({share:.1%}) have a duplicate among the training queries.",
        evidence=(
            Evidence("test queries with a duplicate in train", len(leaked), "queries"),
            Evidence("share of the test queries", share),
            Evidence("of these pairs, exact", float((crossing["kind"] == "exact").mean()), "share"),
            Evidence("of these pairs, with the same answer", float(crossing["same_answer"].mean()), "share"),
        ),
        cause="The splits came with the data, and a text (or one quoted whole inside another) stands on both sides. "
        "A system that remembers is then measured as one that understands.",
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
    leaks = data.tables["leaks"]
    is_leak = (leaks["split_left"] == "train") & (leaks["split_right"] == "test")
    return leaks.loc[is_leak, "query_right"].unique()


def conflicting_duplicates(data: DataRecords) -> Iterator[Finding]:
    """Equal texts that want different answers."""
    conflicts = data.tables["conflicts"]
    if len(conflicts) == 0:
        return
    touched = np.union1d(conflicts["query_left"], conflicts["query_right"])
    share = len(touched) / len(data.queries)
    tested = data.queries.loc[data.queries["split"] == "test", "query_id"]
    test_share = float(tested.isin(touched).mean()) if len(tested) else 0.0
    yield Finding(
        code="conflicting-duplicates",
        severity="warning" if share >= CONFLICT_WARNING else "info",
        system="data",
        sentence=f"{len(touched)} queries ({share:.1%}) repeat another query's text but want a different answer.",
        evidence=(
            Evidence("queries in contradiction", len(touched), "queries"),
            Evidence("share of all queries", share),
            Evidence("share of the test queries", test_share),
        ),
        cause="The same text is labelled with answers that have none in common. No ranker can put both first: at most "
        "half of such queries can be right, and in training they pull against each other.",
        fix=Fix(
            {}, "list all right answers for each copy in the qrels, or keep one; see metrics/prepare/conflicts.csv"
        ),
        reference="mteb#4626",
        weight=50 * test_share,
    )


def answers_without_queries(data: DataRecords) -> Iterator[Finding]:
    """Answers that no query wants: they are only ever wrong."""
    table = data.tables["per_answer"]
    asked = table["question"] + table["conversation"] > 0
    share = float((~asked).mean())
    if share < UNASKED:
        return
    yield Finding(
        code="answers-without-queries",
        severity="info",
        system="data",
        sentence=f"{(~asked).sum()} of {len(table)} answers ({share:.0%}) have no query in any split.",
        evidence=(
            Evidence("answers without any query", int((~asked).sum()), "answers"),
            Evidence("share of the answers", share),
            Evidence("asked, but in no training query", int((asked & (table["train"] == 0)).sum()), "answers"),
        ),
        cause="Nobody asked for them, or their queries were not labelled. They take part as wrong candidates only: no "
        "training query draws anything to them, and if they were right all the same, it would count as an error.",
        fix=Fix({}, "label or write queries for them, or take retired answers out of corpus.jsonl"),
        reference="docs/findings.md",
        weight=share,
    )


def type_imbalance(data: DataRecords) -> Iterator[Finding]:
    """One type of query several times as frequent as the other."""
    lengths, kinds = data.queries["raw_text"].str.len(), data.queries["type"]
    questions, conversations = (sorted(lengths[kinds == kind]) for kind in ("question", "conversation"))
    if not questions or not conversations:
        return
    ratio = max(len(questions), len(conversations)) / min(len(questions), len(conversations))
    if ratio < IMBALANCE:
        return
    rare = "question" if len(questions) < len(conversations) else "conversation"
    yield Finding(
        code="type-imbalance",
        severity="warning",
        system="data",
        sentence=f"There are {ratio:.1f} times as many {'conversations' if rare == 'question' else 'questions'} as "
        f"{rare}s.",
        evidence=(
            Evidence("questions", len(questions), "queries"),
            Evidence("conversations", len(conversations), "queries"),
            Evidence("larger over smaller type", ratio),
        ),
        cause=f"Batches, early stopping and the overall metric follow the common type; {rare}s are learned last.",
        fix=_balance(len(questions), conversations) if rare == "question" else Fix({}, "add conversations"),
        reference="a support-search project with ten conversations per question",
        weight=1 - 1 / ratio,
    )


def _balance(n_questions: int, conversation_lengths: list[int]) -> Fix:
    """Count the shortest conversations as questions until the types balance, unless that reaches long ones."""
    recast = int(np.ceil((len(conversation_lengths) - BALANCED * n_questions) / (1 + BALANCED)))
    # A conversation shorter than the limit is recast: one character above the last of them.
    limit = conversation_lengths[recast - 1] + 1
    if limit > LONGEST_QUESTION:
        return Fix({}, "write or generate questions for the answers (one short question per conversation is a start)")
    return Fix({"prepare.short_conversation": limit})
