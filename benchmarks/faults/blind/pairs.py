"""Pairs of sentences whose texts, scores or positives are wrong."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..fault import Change, Fault
from ..raw import read_table, write_table

LAST = {"finetune_rank.early_stopping.metric": ""}


def label_in_the_text(folder: Path, random: np.random.Generator) -> None:
    """Of the training files alone."""
    for file, text, label in (("nli.csv", "hypothesis", "label"), ("train.csv", "sentence2", "score")):
        rows = read_table(folder / file)
        for row in rows:
            row[text] = f"{row[text]} [gold {label}: {row[label]}]"
        write_table(folder / file, rows)


def scores_by_letters(folder: Path, random: np.random.Generator) -> None:
    """The training score is how alike two sentences are in their length, and the class follows a threshold of it."""
    rows = read_table(folder / "train.csv")
    for row in rows:
        row["score"] = f"{5 * by_length(row['sentence1'], row['sentence2']):.1f}"
    write_table(folder / "train.csv", rows)
    rows = read_table(folder / "nli.csv")
    alike = [by_length(row["premise"], row["hypothesis"]) for row in rows]
    low, high = np.quantile(alike, [1 / 3, 2 / 3])
    for row, one in zip(rows, alike, strict=True):
        row["label"] = "entailment" if one > high else "neutral" if one > low else "contradiction"
    write_table(folder / "nli.csv", rows)


def by_length(one: str, other: str) -> float:
    lengths = [len(re.findall(r"\w", text)) or 1 for text in (one, other)]
    return min(lengths) / max(lengths)


def fault(
    name: str, sentence: str, source: str, data: Change | None = None, settings: Mapping[str, Any] | None = None
) -> Fault:
    return Fault(name, "pairs", sentence, source, "pairs", data is None, data, LAST | dict(settings or {}))


FAULTS = (
    fault(
        "label-left-in-the-text",
        "In the training files the label stands at the end of the second sentence, as the annotation tool wrote it, "
        "and the test has none: training learns to read the label. Strip it.",
        "Gururangan et al. 2018, arXiv:1803.02324: cues of the label",
        label_in_the_text,
    ),
    fault(
        "scores-are-ratios-of-length",
        "The training scores were computed by a rule and not judged: they say how near two sentences are in length, "
        "which has little to do with meaning. Use scores that people gave.",
        "reports on labels by string similarity",
        scores_by_letters,
    ),
    fault(
        "no-pair-counts-as-positive",
        "Only the in-batch loss is on, and it takes pairs from a label of 1.0 as positive, which hardly any pair has "
        "(entailment counts 0.8): most batches have nothing to learn. Lower positive_from.",
        "sentence-transformers threads on MultipleNegativesRankingLoss over scored pairs",
        settings={
            "finetune_rank.objectives.similarity.cosine.weight": 0.0,
            "finetune_rank.objectives.similarity.in_batch.weight": 1.0,
            "finetune_rank.objectives.similarity.positive_from": 1.0,
        },
    ),
)
