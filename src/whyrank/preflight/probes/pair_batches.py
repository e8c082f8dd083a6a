"""Batches of sentence pairs that teach nothing, seen from the labels in them."""

from collections.abc import Iterator

import pandas as pd

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.records import DataRecords

OBJECTIVE = "finetune_rank.objectives.similarity"

# Share of the batches without a positive from which the losses that need one rest more often than they work.
WITHOUT = 0.5
# The least label that can mean "alike"; below it there is no positive to be had by another threshold.
ALIKE = 0.5

# Share of the batches with one label. An order loss is zero there; our own batches mix labels from two pairs on.
CONSTANT = 0.05
USUAL_BATCH = 32


def fractional_labels_truncated(data: DataRecords) -> Iterator[Finding]:
    """A loss takes positives alone, and most batches have none."""
    drawn = batches(data)
    if drawn.empty or not drawn["takes_positives"].all():
        return
    without, threshold = float((drawn["positives"] == 0).mean()), float(drawn["positive_from"].iloc[0])
    if without < WITHOUT:
        return
    labels = data.tables["pair_labels"]
    train = labels[labels["use"] == "train"]
    fractional = float((train["fractional"] * train["pairs"]).sum() / train["pairs"].sum())
    yield Finding(
        code="fractional-labels-truncated",
        severity="warning",
        system="finetune_rank",
        sentence=f"{without:.0%} of the batches have no positive: no label in them reaches {threshold:g}.",
        evidence=(
            Evidence("batches without a positive", without, "share"),
            Evidence("positives per batch", float(drawn["positives"].mean()), "pairs"),
            Evidence("label from which a pair is a positive", threshold),
            Evidence("training pairs with a label between 0 and 1", fractional, "share"),
            Evidence("highest training label", float(train["highest"].max())),
        ),
        cause="`in_batch` and `contrastive` take the pairs from `positive_from` on for positives and leave out the "
        "rest. Without any they are zero, and so is their gradient.",
        fix=_reachable(float(train["upper_quartile"].max())),
        reference="angle_emb 0.6.1 cuts labels to whole numbers: 0.9 is 0",
        weight=10 * without,
    )


def _reachable(upper_quartile: float) -> Fix:
    """A threshold that a quarter of the pairs reaches; losses that need none where labels are low altogether."""
    if upper_quartile >= ALIKE:
        # Rounded down, or the pairs at the quartile itself would miss it.
        return Fix({f"{OBJECTIVE}.positive_from": int(upper_quartile * 1000) / 1000})
    return Fix({f"{OBJECTIVE}.{name}.weight": weight for name, weight in
                {"in_batch": 0.0, "contrastive": 0.0, "cosine": 1.0}.items()})  # fmt: skip


def constant_label_batches(data: DataRecords) -> Iterator[Finding]:
    """Order losses on batches whose labels have no order."""
    drawn = batches(data)
    if drawn.empty or not drawn["compares_labels"].all():
        return
    share = float((drawn["distinct_labels"] < 2).mean())
    if share < CONSTANT:
        return
    yield Finding(
        code="constant-label-batches",
        severity="error" if share >= 0.5 else "warning",
        system="finetune_rank",
        sentence=f"{share:.0%} of the batches of pairs have one label only, so that a loss of their order is zero.",
        evidence=(
            Evidence("batches with one label", share, "share"),
            Evidence("pairs in a batch", float(drawn["rows"].mean()), "pairs"),
            Evidence("different labels in a batch", float(drawn["distinct_labels"].mean()), "labels"),
        ),
        cause="`cosine`, `angle` and `angle_signed` compare pairs of different labels. Where all are the same there is "
        "nothing to compare, and the step changes nothing.",
        fix=Fix({f"{OBJECTIVE}.batch_size": USUAL_BATCH}),
        reference="equal labels give angle_emb 0.6.1 a loss and a gradient of 0",
        weight=10 * share + (CAUSE if share >= 0.5 else 0.0),
    )


def batches(data: DataRecords) -> pd.DataFrame:
    return data.tables.get("pair_batches", pd.DataFrame())
