"""Rankers that saw no label, beside chance: do labels and texts have anything to do with each other?"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords, rows_of
from whyrank.preflight.probes.label_symptoms import OF_CHANCE, OF_TRAINING

# Share of the way from chance to a perfect ranking below which the upper bound counts as chance.
NEAR = 0.1
# Fewest queries that tell chance from a hard task.
ENOUGH = 40
# Share of the answers below the right one, 0.5 at chance. Healthy rankers: 0.82 and more.
# Labels of neighbours in the corpus reach 0.59. In a large corpus a hard task has a low reciprocal rank, and not this.
BELOW, ABOVE = 0.45, 0.65
NAMES = {"encoder": "the pretrained encoder", "tfidf": "TF-IDF", "bm25": "BM25"}


@probe(
    "labels-at-chance",
    on="preflight",
    layer="labels",
    about="ranking",
    explains=(*OF_TRAINING, *OF_CHANCE, "split-labels-wrong", "type-labels-wrong", "wrong-labels"),
)
def labels_at_chance(data: DataRecords) -> Iterator[Finding | Outcome]:
    """No ranker that saw no label finds the labelled answers, in any split, though rankers agree with each other."""
    rows = overall(data)
    if not rows:
        yield not_applicable("data", "the ranks of labelled answers under untuned rankers")
        return
    best = max(rows, key=lambda row: row.mrr)
    measured = Evidence(f"mean reciprocal rank of {NAMES[best.ranker]}", best.mrr)
    if best.n < ENOUGH:
        yield too_little("data", f"{best.n} queries are too few to tell chance from a hard task", measured)
        return
    if not all(is_at_chance(row) for row in rows):
        yield passed("data", measured, near(best))
        return
    agree = rows[0].meeting >= MEETS
    meeting = Evidence("first answers that encoder and TF-IDF share, times chance", best.meeting)
    yield Finding(
        severity="error" if agree else "warning",
        system="data",
        sentence="The labels have nothing to do with the texts: "
        + ", ".join(f"{NAMES[row.ranker]} {row.mrr:.3f}" for row in rows)
        + f" in mean reciprocal rank over {best.n} queries of all splits, {best.mrr_chance:.3f} at chance.",
        evidence=(*_values(rows), meeting.where_from(MEETS)),
        interval=(best.mrr_low, best.mrr_high),
        cause=f"The encoder and TF-IDF put the same answer first {best.meeting:.0f} times as often as by chance, so "
        "the texts do say what belongs together; the qrels say something else. Ids were joined wrongly, or the qrels "
        "belong to another corpus or other queries."
        if agree
        else "Either query-id and corpus-id in the qrels do not belong to these files, or neither this encoder nor "
        "shared words can say anything of these texts (two languages, for instance).",
        fix=Fix({}, "compare some rows of the qrels with their texts, and join the ids again from the source"),
        reference="mteb#4626; Northcutt et al. 2021",
        weight=2 * CAUSE if agree else 1.0,
    )


# Times chance from which two rankers speak of the same thing, as `figures.rankers.MEETING`.
MEETS = 3.0


@probe("encoder-at-chance", on="preflight", layer="encoder", about="ranking", explains=OF_TRAINING)
def encoder_at_chance(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Shared words find the answers, and the encoder does not."""
    yield from untuned_at_chance(data)


def untuned_at_chance(data: DataRecords) -> Iterator[Finding | Outcome]:
    rows = {row.ranker: row for row in overall(data)}
    if not rows:
        yield not_applicable("prepare", "the ranks of labelled answers under untuned rankers")
        return
    encoder, lexical = rows["encoder"], max((rows["tfidf"], rows["bm25"]), key=lambda row: row.mrr)
    measured = Evidence("mean reciprocal rank of the pretrained encoder", encoder.mrr)
    if encoder.n < ENOUGH or not lexical.mrr_low > encoder.mrr_high:
        few = too_little("prepare", f"{encoder.n} queries", measured)
        yield few if encoder.n < ENOUGH else passed("prepare", measured, near(encoder))
        return
    if not is_at_chance(encoder):
        yield passed("prepare", measured, near(encoder))
        return
    yield Finding(
        system="prepare",
        sentence=f"The encoder ranks like chance before any training ({encoder.mrr:.3f} in mean reciprocal rank, "
        f"{encoder.mrr_chance:.3f} at chance), while {NAMES[lexical.ranker]} finds the answers ({lexical.mrr:.3f}).",
        evidence=_values(rows.values()),
        interval=(encoder.mrr_low, encoder.mrr_high),
        cause="Labels and texts fit, so the fault is the encoder or how it is read: weights that were not loaded or "
        "are damaged, another tokenizer, a wrong pooling, or a model that was never trained for similarity.",
        fix=Fix({}, "check that encoder.source has trained weights, and its tokenizer, pooling and prompts"),
        reference="ST#1270; unsloth#6881",
        weight=100 * (lexical.mrr - encoder.mrr),
    )


@probe("below-chance", on="preflight", layer="evaluation", about="ranking", explains=OF_TRAINING)
def below_chance(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Right answers stand in the worse half: something runs in the wrong order."""
    yield from untuned_below_chance(data)


def untuned_below_chance(data: DataRecords) -> Iterator[Finding | Outcome]:
    rows = overall(data)
    if not rows:
        yield not_applicable("data", "the ranks of labelled answers under untuned rankers")
        return
    row = min(rows, key=lambda one: one.auc_high)
    if not (row.n >= ENOUGH and row.auc_high < BELOW):
        yield passed("data", Evidence(f"share of the answers below the right one, {NAMES[row.ranker]}", row.auc), BELOW)
    else:
        yield Finding(
            severity="error",
            system="data",
            sentence=f"Ranking by {NAMES[row.ranker]} is below chance: {100 * row.auc:.0f} % of the answers stand "
            "below the right one, 50 % at chance.",
            evidence=_values(rows),
            interval=(row.auc_low, row.auc_high),
            cause="A ranking below chance knows the answers and is used in the wrong order: the sign of the scores, or "
            "labels that mark what is not relevant.",
            fix=Fix({}, "check that a higher score in the qrels means more relevant, and the sign of the similarity"),
            reference="docs/findings.md",
            weight=CAUSE,
        )


def overall(data: DataRecords) -> list[Any]:
    """Rows of `untuned` over all splits and types, one per ranker."""
    table = data.table("untuned")
    if table.empty:
        return []
    return rows_of(table[is_blank(table["split"]) & is_blank(table["type"])])


def is_blank(column: pd.Series) -> pd.Series:
    """An empty text comes back from a file as missing."""
    return column.isna() | (column == "")


def near(row: Any) -> float:
    return float(row.mrr_chance + NEAR * (1 - row.mrr_chance))


def is_at_chance(row: Any) -> bool:
    return bool(row.mrr_high < near(row) and BELOW <= row.auc_high < ABOVE)


def _values(rows: Any) -> tuple[Evidence, ...]:
    return tuple(
        evidence
        for row in rows
        for evidence in (
            Evidence(f"mean reciprocal rank of {NAMES[row.ranker]}", row.mrr).where_below(near(row)),
            Evidence(f"share of the answers below the right one, {NAMES[row.ranker]}", row.auc).where_below(BELOW),
            Evidence("mean reciprocal rank at chance", row.mrr_chance),
        )
    )
