"""Faults in the labels of sentence pairs, seen by similarities that never saw them: encoder and shared words."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from whyrank.core.options.overrides import is_plain
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords, rows_of
from whyrank.preflight.probes.label_agreement import (
    ENOUGH,
    REVERSED,
    Agreement,
    agreements,
    evidence,
    interval,
    is_reversed,
    is_unrelated,
    misplaced,
)

_ID = re.compile(r"\d+")
DECIMALS = 3


# Findings about labels whose order is wrong; they explain those about their values.
LATER = ("labels-out-of-range", "unlabelled-rows-trained-on", "gradient-conflict", "similarity-worse-than-zero-shot")
NLI = "sentence-transformers and GLUE order the NLI classes differently"


@probe("labels-reversed", on="preflight", explains=LATER, about="pairs", layer="labels")
def labels_reversed(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The more similar two texts are, the lower is their label."""
    yield from _without_pairs(data)
    for found in agreements(data):
        if not is_reversed(found):
            correlation = Evidence("rank correlation of labels and cosine", found.encoder.spearman)
            yield passed(about(found.source), correlation, REVERSED)
            continue
        yield _finding(
            found,
            f"The labels of '{found.source}' are reversed: their rank correlation with the cosine of the pretrained "
            f"encoder is {found.encoder.spearman:.2f}.",
            "The highest label marks the least similar texts: class ids were read as labels, the map of classes is "
            f"upside down, or the scores are distances. {consequence(found)}",
            by_similarity(data, found.source, found.levels)
            if found.has_classes
            else Fix({}, f"turn the scores of '{found.source}' round: lowest plus highest score, minus the score"),
            weight=CAUSE - 100 * found.encoder.spearman,
        )


@probe("labels-unordered", on="preflight", explains=LATER, about="pairs", layer="labels")
def labels_unordered(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The labels do not follow the similarity of the texts, or the most similar class has a label in the middle."""
    yield from _without_pairs(data)
    for found in agreements(data):
        if is_reversed(found):
            continue
        middle = misplaced(found)
        correlation = Evidence("rank correlation of labels and cosine", found.encoder.spearman)
        if middle is None and found.encoder.n < ENOUGH:
            yield too_little(about(found.source), f"{found.encoder.n} pairs; {ENOUGH} would tell", correlation)
        elif middle is None and not is_unrelated(found):
            yield passed(about(found.source), correlation, found.encoder.floor_high)
        if middle is not None:
            yield _finding(
                found,
                f"The texts of class '{middle.level}' of '{found.source}' are the most similar, but its label "
                f"{middle.label:g} is not the highest.",
                f"The labels of two classes are exchanged. {consequence(found)}",
                by_similarity(data, found.source, found.levels),
                f"{NLI}; Marelli et al. 2014 (SICK)",
            )
        elif is_unrelated(found):
            yield _finding(
                found,
                f"The labels of '{found.source}' have nothing to do with the similarity of its texts: their rank "
                f"correlation is {found.encoder.spearman:.2f} with the pretrained encoder and "
                f"{found.tfidf.spearman:.2f} with TF-IDF.",
                "Texts and labels do not belong together: rows were shuffled, joined by the wrong key, or shifted by "
                "a line. Training on them teaches noise.",
                Fix({}, f"join texts and labels of '{found.source}' again, row by row"),
                f"{NLI}; Marelli et al. 2014 (SICK)",
            )


def _without_pairs(data: DataRecords) -> Iterator[Outcome]:
    if not any(agreements(data)):
        yield not_applicable("data", "pairs with labels that differ")


def _finding(
    found: Agreement, sentence: str, cause: str, fix: Fix, reference: str = NLI, weight: float = CAUSE + 50
) -> Finding:
    return Finding(
        severity="error",
        system=about(found.source),
        sentence=sentence,
        evidence=evidence(found),
        cause=cause,
        fix=fix,
        reference=reference,
        interval=interval(found.encoder.spearman, found.encoder.n),
        weight=weight,
    )


@probe(
    "labels-out-of-range", on="preflight", explains=("similarity-worse-than-zero-shot",), about="pairs", layer="labels"
)
def labels_out_of_range(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Training labels below 0 or above 1."""
    yield from _within(data, "outside", "training pairs with a label outside of 0 to 1")
    for row in label_rows(data, "outside"):
        yield Finding(
            system=about(row.source),
            sentence=f"{100 * row.outside:.0f} % of the pairs of '{row.source}' have a label outside of 0 to 1: the "
            f"labels run from {row.lowest:g} to {row.highest:g}.",
            evidence=(
                Evidence("lowest label", row.lowest).where_below(0),
                Evidence("highest label", row.highest, threshold=1 if row.highest > 1 else None),
                percent("pairs with a label outside of 0 to 1", row.outside),
            ),
            cause="Losses read labels as similarities: a cosine never reaches 2, and every pair labelled "
            "`positive_from` or higher is a positive pair, whatever the label means.",
            fix=in_range(data, row.source),
            reference="ST#3382, #3838, #326; angle_emb 0.6.1 takes ids 0/1/2 for targets",
            weight=10 * row.outside,
        )


@probe(
    "unlabelled-rows-trained-on",
    on="preflight",
    explains=("similarity-worse-than-zero-shot",),
    about="pairs",
    layer="labels",
)
def unlabelled_rows_trained_on(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Pairs without a class, whose mark -1 is read as a label."""
    yield from _within(data, "unlabelled", "training pairs with the label -1")
    for row in label_rows(data, "unlabelled"):
        yield Finding(
            system=about(row.source),
            sentence=f"{100 * row.unlabelled:.1f} % of the training pairs of '{row.source}' have no class, and are "
            "trained on as the least similar of all.",
            evidence=(
                percent("pairs with the label -1", row.unlabelled).against(0),
                Evidence("training pairs", row.pairs, "pairs"),
            ),
            cause="-1 marks a pair on which the annotators did not agree; `labels: raw` reads it as a label.",
            fix=in_range(data, row.source),
            reference="SNLI's own gold label `-`; angle_emb 0.6.1 counts -1 as a positive",
            weight=10 * row.unlabelled,
        )


def _within(data: DataRecords, share: str, name: str) -> Iterator[Outcome]:
    """Of each source that is trained on without a fault, or that there is none."""
    table = data.table("pair_labels")
    trained = table if table.empty else table[table["use"] == "train"]
    if trained.empty:
        yield not_applicable("data", "training pairs")
    for row in rows_of(trained):
        if not getattr(row, share) > 0:
            yield passed(about(row.source), percent(name, 0.0), 0.0)


def label_rows(data: DataRecords, share: str) -> list[Any]:
    """Rows of `pair_labels` of the sources that are trained on, where a share of the pairs is above zero."""
    table = data.table("pair_labels")
    found = table if table.empty else table[(table["use"] == "train") & (table[share] > 0)]
    return rows_of(found)


def in_range(data: DataRecords, source: str) -> Fix:
    """A map by name: in the order of the labels, unless that order is the fault."""
    found = next((one for one in agreements(data) if one.source == source), None)
    if found is None:
        return Fix({}, f"give each class of '{source}' a label from 0 to 1 in `labels`")
    is_wrong = is_reversed(found) or misplaced(found) is not None
    return (by_similarity if is_wrong else rescaled)(data, source, found.levels)


def about(source: str) -> str:
    return f"pairs of {source}"


def consequence(found: Agreement) -> str:
    if found.use == "train":
        return "Training pulls similar texts apart, while its loss falls as it should."
    return "The better a system is, the lower it scores."


def by_similarity(data: DataRecords, source: str, levels: pd.DataFrame) -> Fix:
    """The same labels in another order: the class with the highest cosine gets the highest label.

    levels   rows of `pair_levels` of the source. Labels outside [0, 1] give way to equal steps from 1 to 0.
    By cosine beyond shared words: contradictions of SICK have a higher cosine than its neutral pairs, and are in the
    right place by this order.
    """
    ordered = levels.sort_values("beyond_mean", ascending=False)
    labels = np.sort(levels["label"].to_numpy())[::-1]
    if not ((labels >= 0) & (labels <= 1)).all():
        labels = np.linspace(1, 0, len(ordered))
    ranks = ", ".join(f"{row.level} {row.beyond_mean:+.2f}" for row in ordered.itertuples())
    note = f"check this order of the classes, which is that of their cosine beyond shared words ({ranks})"
    return _fix(data, source, ordered["level"].tolist(), labels.tolist(), note)


def rescaled(data: DataRecords, source: str, levels: pd.DataFrame) -> Fix:
    """The same order, brought to 0 to 1."""
    ordered = levels.sort_values("label", ascending=False)
    low, high = ordered["label"].min(), ordered["label"].max()
    labels = (ordered["label"] - low) / (high - low) if high > low else ordered["label"].clip(0, 1)
    return _fix(data, source, ordered["level"].tolist(), labels.tolist(), "the classes keep their order")


def _fix(data: DataRecords, source: str, names: Sequence[str], labels: Sequence[float], note: str) -> Fix:
    bare = all(_ID.fullmatch(name) for name in names)
    if bare:
        # Ids have to be named before a label can be given by name, all of them from 0.
        named = {int(name): f"class_{name}" for name in names}
        whole = sorted(named) == list(range(len(named)))
        names = list(named.values())
        note += "; class_0, class_1, … stand for the ids: give them their own names if you know them"
    values = {name: round(float(label), DECIMALS) for name, label in zip(names, labels, strict=True)}
    if (bare and not whole) or not all(is_plain(name) for name in names):
        wanted = ", ".join(f"{name}: {value:g}" for name, value in values.items())
        return Fix({}, f"set `labels` of source '{source}' in params.yaml to {wanted}; {note}")
    key = f"prepare.pairs.sources.{list(data.tables['pair_counts']['source']).index(source)}"
    classes = {f"{key}.classes": sorted(names, key=lambda name: int(name.removeprefix("class_")))} if bare else {}
    return Fix(classes | {f"{key}.labels": values}, note)
