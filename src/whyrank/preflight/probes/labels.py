"""Faults in the labels of sentence pairs, seen by similarities that never saw them: encoder and shared words."""

from collections.abc import Iterator
from typing import Any

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.records import DataRecords
from whyrank.preflight.probes import relabel
from whyrank.preflight.probes.label_agreement import (
    Agreement,
    agreements,
    evidence,
    interval,
    is_reversed,
    is_unrelated,
    misplaced,
    rows_of,
)


def labels_reversed(data: DataRecords) -> Iterator[Finding]:
    """The more alike two texts are, the lower is their label."""
    for found in agreements(data):
        if not is_reversed(found):
            continue
        yield Finding(
            code="labels-reversed",
            severity="error",
            system=about(found.source),
            sentence=f"The labels of '{found.source}' run against the similarity of its texts: their rank correlation "
            f"with the untrained encoder is {found.encoder.spearman:.2f}.",
            evidence=evidence(found),
            cause="The highest label stands for what is least alike: class ids were taken for labels, the map of "
            f"classes is upside down, or the scores are distances. {consequence(found)}",
            fix=relabel.by_similarity(data, found.source, found.levels)
            if found.has_classes
            else Fix({}, f"turn the scores of '{found.source}' round: lowest plus highest less the score"),
            reference="sentence-transformers and GLUE order the NLI classes differently",
            interval=interval(found.encoder.spearman, found.encoder.n),
            weight=CAUSE - 100 * found.encoder.spearman,
        )


def labels_unordered(data: DataRecords) -> Iterator[Finding]:
    """The labels say nothing of the similarity of the texts, or put the most alike class in the middle."""
    for found in agreements(data):
        if is_reversed(found):
            continue
        middle = misplaced(found)
        if middle is not None:
            yield _unordered(
                found,
                f"The texts of class '{middle.level}' of '{found.source}' are the most alike, but its label is "
                f"{middle.label:g}, below the highest.",
                f"The labels of two classes are exchanged. {consequence(found)}",
                relabel.by_similarity(data, found.source, found.levels),
            )
        elif is_unrelated(found):
            yield _unordered(
                found,
                f"The labels of '{found.source}' have nothing to do with the similarity of its texts: their rank "
                f"correlation is {found.encoder.spearman:.2f} with the untrained encoder, {found.tfidf.spearman:.2f} "
                "with shared words.",
                "Texts and labels went out of step: rows shuffled, joined by the wrong key, or shifted by a line. "
                "Training on them teaches noise.",
                Fix({}, f"join texts and labels of '{found.source}' anew, row by row"),
            )


def _unordered(found: Agreement, sentence: str, cause: str, fix: Fix) -> Finding:
    return Finding(
        code="labels-unordered",
        severity="error",
        system=about(found.source),
        sentence=sentence,
        evidence=evidence(found),
        cause=cause,
        fix=fix,
        reference="sentence-transformers and GLUE order the NLI classes differently; Marelli et al. 2014 (SICK)",
        interval=interval(found.encoder.spearman, found.encoder.n),
        weight=CAUSE + 50,
    )


def labels_out_of_range(data: DataRecords) -> Iterator[Finding]:
    """Training labels that are no similarities."""
    for row in label_rows(data):
        if not row.outside > 0:
            continue
        yield Finding(
            code="labels-out-of-range",
            severity="warning",
            system=about(row.source),
            sentence=f"{row.outside:.0%} of the pairs of '{row.source}' have a label outside of 0 to 1: the labels run "
            f"from {row.lowest:g} to {row.highest:g}.",
            evidence=(
                Evidence("lowest label", row.lowest),
                Evidence("highest label", row.highest),
                Evidence("pairs outside of 0 to 1", row.outside, "share"),
            ),
            cause="Losses take labels for similarities: a cosine never reaches 2, and all from `positive_from` on "
            "are positives, whatever they mean.",
            fix=in_range(data, row.source),
            reference="ST#3382, #3838, #326; angle_emb 0.6.1 takes ids 0/1/2 for targets",
            weight=10 * row.outside,
        )


def unlabelled_rows_trained_on(data: DataRecords) -> Iterator[Finding]:
    """Pairs without a class, whose mark -1 passes for a label."""
    for row in label_rows(data):
        if not row.unlabelled > 0:
            continue
        yield Finding(
            code="unlabelled-rows-trained-on",
            severity="warning",
            system=about(row.source),
            sentence=f"{row.unlabelled:.1%} of the training pairs of '{row.source}' have no class, and are trained on "
            "as if they were the least alike of all.",
            evidence=(
                Evidence("pairs with the label -1", row.unlabelled, "share"),
                Evidence("training pairs", row.pairs, "pairs"),
            ),
            cause="-1 marks a pair on which the annotators did not agree; `labels: raw` takes it for a label.",
            fix=in_range(data, row.source),
            reference="SNLI's own gold label `-`; angle_emb 0.6.1 counts -1 as a positive",
            weight=10 * row.unlabelled,
        )


def label_rows(data: DataRecords) -> Iterator[Any]:
    """Rows of `pair_labels` of the sources that are trained on."""
    if "pair_labels" in data.tables:
        table = data.tables["pair_labels"].astype({"source": str})
        yield from rows_of(table[table["use"] == "train"])


def in_range(data: DataRecords, source: str) -> Fix:
    """A map by name: in the order of the labels, unless that order is the fault."""
    found = next((one for one in agreements(data) if one.source == source), None)
    if found is None:
        return Fix({}, f"give each class of '{source}' a label from 0 to 1 in `labels`")
    is_wrong = is_reversed(found) or misplaced(found) is not None
    return (relabel.by_similarity if is_wrong else relabel.in_range)(data, source, found.levels)


def about(source: str) -> str:
    return f"pairs of {source}"


def consequence(found: Agreement) -> str:
    if found.use == "train":
        return "Training pulls apart what is alike, and its loss falls as if all were well."
    return "A system is measured by how badly it does."
