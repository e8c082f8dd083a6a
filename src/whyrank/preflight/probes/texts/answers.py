"""Answers that cannot be told apart, say nothing, or say it in another language."""

from collections.abc import Iterator

from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.preflight.probes.texts.figure import ALIKE, READ, TRAINING, below, figure, no_texts, rows_file

# Shares of the answers. Three real sets and their subsets have none of these but near-copies, at most 0.4 %.
PLACEHOLDERS, COPIES, LITTLE, FOREIGN = 0.02, 0.02, 0.10, 0.05
# From here on most of what could be found is not there.
MOST = 0.50
# Answers from which a share is more than one odd row.
FEWEST = 3
# Answers held by one, of all.
HELD = 0.20
# Share of the queries for one answer, and how many times its fair share that is at least.
DOMINANT, MOST_DOMINANT, TIMES = 0.20, 0.70, 4.0
FEWEST_QUERIES = 30


@probe(
    "placeholder-answers",
    on="preflight",
    layer="data",
    explains=(*TRAINING, *ALIKE, *READ, "near-copies", "answers-say-little", "overlapping-texts"),
)
def placeholder_answers(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Answers whose text stands for nothing: repeated, a stand-in, or in words that no query has."""
    found = figure(data, "placeholders", "answer")
    if found is None:
        yield no_texts()
        return
    count, share = int(found.value), found.value / max(found.texts, 1)
    if not count:
        yield below("answers with a placeholder for a text", share, PLACEHOLDERS)
        return
    severity = "error" if share >= MOST else "warning" if share >= PLACEHOLDERS else "info"
    yield Finding(
        severity=severity,  # type: ignore[arg-type]
        system="data",
        sentence=f"{count} of {found.texts} answers ({100 * share:.0f} %) have a placeholder for a text, such as "
        f"“{found.example}”.",
        evidence=(
            Evidence("placeholder answers", count, "answers"),
            percent("of all answers", share).against(100 * PLACEHOLDERS),
        ),
        cause="Their text is a stand-in, the same for several answers, or filler in words that no query has. Nothing "
        "ties their queries to them, so that no system can rank them, and training on them teaches noise.",
        fix=Fix({}, "write their texts, or leave these answers out", rows_file(data, "placeholder-answers")),
        reference="vecscope `outliers`; sentence-transformers training guide (empty texts)",
        weight=100 * share,
    )


@probe(
    "near-copies",
    on="preflight",
    layer="data",
    explains=(*TRAINING, *ALIKE, *READ, "splits-differ", "conflicting-duplicates", "overlapping-texts"),
)
def near_copies(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Answers that repeat another one under their own id, or hold many others."""
    found = figure(data, "copies", "answer")
    if found is None:
        yield no_texts()
        return
    count, share = int(found.value), found.value / max(found.texts, 1)
    holder = figure(data, "container", "answer")
    if holder is not None and holder.value >= HELD * holder.texts:
        yield Finding(
            system="data",
            sentence=f"Answer '{holder.example}' holds the texts of {holder.value:.0f} of {holder.texts} answers.",
            evidence=(Evidence("answers inside it", holder.value, "answers").against(HELD * holder.texts),),
            cause="Answers were joined into one. It fits the queries of all that it holds, and is right for few "
            "of them.",
            fix=Fix({}, f"take '{holder.example}' apart, or out of corpus.jsonl"),
            reference="vecscope `collapse`",
            weight=50 * holder.value / holder.texts,
        )
        return
    if not count:
        yield below("answers that are near-copies of another one", share, COPIES)
        return
    yield Finding(
        severity="warning" if share >= COPIES and count >= FEWEST else "info",
        system="data",
        sentence=f"{count} of {found.texts} answers ({100 * share:.1f} %) are near-copies of another answer under "
        "another id.",
        evidence=(Evidence("near-copies", count, "answers").against(1), percent("of all answers", share)),
        cause="A query is labelled with one of the copies, and the others count as wrong, in training and in "
        "evaluation: they fill the first places, and which of them comes first is chance.",
        fix=Fix({}, "merge each copy into the first one", rows_file(data, "near-copies")),
        reference="vecscope `collapse`; mteb#4626",
        weight=50 * share,
    )


@probe("answers-say-little", on="preflight", layer="data", explains=(*TRAINING, *READ))
def answers_say_little(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Answers of a few words that their queries do not have."""
    found = figure(data, "short_answers", "answer")
    if found is None:
        yield no_texts()
        return
    count, share = int(found.value), found.value / max(found.texts, 1)
    if share < LITTLE or count < FEWEST:
        yield below("answers of up to three words, none of them in their queries", share, LITTLE)
        return
    yield Finding(
        system="data",
        sentence=f"{count} of {found.texts} answers ({100 * share:.0f} %) are up to three words long, such as "
        f"“{found.example}”, and share none with their queries.",
        evidence=(
            Evidence("answers of a few words", count, "answers").against(FEWEST),
            percent("of all answers", share).against(100 * LITTLE),
        ),
        cause="So short a text does not say what it answers: neither words nor meaning lead from a query to it.",
        fix=Fix(
            {}, "give these answers their whole text, or the title of their page", rows_file(data, "answers-say-little")
        ),
        reference="vecscope `outliers`",
        weight=50 * share,
    )


@probe(
    "answers-in-another-language",
    on="preflight",
    layer="data",
    explains=(*TRAINING, *READ, "tokenizer-mismatch", "placeholder-answers"),
)
def answers_in_another_language(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Answers in a script or language that hardly a query is in."""
    scripts, languages = figure(data, "other_script", "answer"), figure(data, "other_language", "answer")
    if scripts is None or languages is None:
        yield no_texts()
        return
    worst = max(scripts, languages, key=lambda found: found.value)
    count = round(worst.value * worst.texts)
    if worst.value < FOREIGN or count < FEWEST:
        yield below("answers in another language than the queries", worst.value, FOREIGN)
        return
    named, _, example = worst.example.partition(": ")
    what = "script" if worst is scripts else "language"
    yield Finding(
        system="data",
        sentence=f"{100 * worst.value:.0f} % of the answers are in another {what} than the queries ({named}), such as "
        f"“{example}”.",
        evidence=(
            percent("answers in another language or script", worst.value).against(100 * FOREIGN),
            Evidence("answers that were looked at", worst.texts, "answers"),
        ),
        cause="An encoder of one language puts texts of another one anywhere, and TF-IDF and BM25 find no common word.",
        fix=Fix(
            {},
            "translate these answers or leave them out; where they belong there, start from a multilingual encoder",
            rows_file(data, "answers-in-another-language"),
        ),
        reference="mteb#4335",
        weight=50 * worst.value,
    )


@probe(
    "one-answer-dominates",
    on="preflight",
    layer="data",
    explains=("hub-answers", "collapsed-embeddings", "false-negatives-in-batch", "few-negatives"),
)
def one_answer_dominates(data: DataRecords) -> Iterator[Finding | Outcome]:
    """One answer that is right for a large share of the queries."""
    pairs = data.ranking.relevant if len(data.qrels) else None
    if pairs is None or pairs["query"].nunique() < FEWEST_QUERIES:
        yield not_applicable("data", f"at least {FEWEST_QUERIES} queries with a right answer")
        return
    n = pairs["query"].nunique()
    counts = pairs.groupby("answer")["query"].nunique()
    share, fair = float(counts.max() / n), float(counts.sum() / len(counts) / n)
    if share < DOMINANT or share < TIMES * fair:
        yield passed("data", percent("queries of the most wanted answer", share), 100 * max(DOMINANT, TIMES * fair))
        return
    name = data.answers["answer_id"].iloc[counts.index[int(counts.argmax())]]
    yield Finding(
        severity="error" if share >= MOST_DOMINANT else "warning",
        system="data",
        sentence=f"Answer '{name}' is right for {100 * share:.0f} % of the queries.",
        evidence=(
            percent("queries of the most wanted answer", share).against(100 * max(DOMINANT, TIMES * fair)),
            percent("of an answer on average", fair),
            Evidence("answers that any query wants", len(counts), "answers"),
        ),
        cause=f"Always giving '{name}' scores accuracy@1 = {share:.2f} without reading the query, batches are full of "
        "it, and the metric says little about all other answers.",
        fix=Fix(
            {}, f"check the labels of '{name}'; if they are right, keep a part of its queries, and judge by the others"
        ),
        reference="vecscope `hubs`",
        weight=100 * share,
    )
