"""Batches of pairs that gave a loss nothing to learn from."""

from collections.abc import Iterator

import pandas as pd

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.steps import trained
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.probe import probe

SIMILARITY = "finetune_rank.objectives.similarity"
# Columns of losses that take positive pairs alone.
TAKE_POSITIVES = ("similarity_in_batch_loss", "similarity_contrastive_loss")
# Share of the batches without a positive from which the losses that need one rest more often than they work.
WITHOUT = 0.5
# The least label that can mean "alike"; below it no other threshold gives a positive.
ALIKE = 0.5


@probe("fractional-labels-truncated", on="trained", explains=("similarity-worse-than-zero-shot",), about="pairs")
def fractional_labels_truncated(case: Examination) -> Iterator[Finding]:
    """A loss that takes positives alone was trained, and most batches have none."""
    drawn = case.data.tables.get("pair_batches", pd.DataFrame())
    if drawn.empty or not any(set(TAKE_POSITIVES) & set(record.history) for record in trained(case).values()):
        return
    without, threshold = float((drawn["positives"] == 0).mean()), float(drawn["positive_from"].iloc[0])
    if without < WITHOUT:
        return
    labels = case.data.tables["pair_labels"]
    train = labels[labels["use"] == "train"]
    yield Finding(
        system="finetune_rank",
        sentence=f"{100 * without:.0f} % of the batches of pairs have no positive pair: no label reaches "
        f"{threshold:g}.",
        evidence=(
            percent("batches without a positive pair", without),
            Evidence("positive pairs per batch", float(drawn["positives"].mean()), "pairs"),
            Evidence("least label of a positive pair", threshold),
            percent(
                "training pairs with a label between 0 and 1",
                float((train["fractional"] * train["pairs"]).sum() / train["pairs"].sum()),
            ),
            Evidence("highest training label", float(train["highest"].max())),
        ),
        cause="The losses `in_batch` and `contrastive` use only pairs labelled `positive_from` or higher. In a batch "
        "without any, both losses and their gradients are zero.",
        fix=_reachable(float(train["upper_quartile"].max())),
        reference="angle_emb 0.6.1 cuts labels to whole numbers: 0.9 is 0",
        weight=10 * without,
    )


def _reachable(upper_quartile: float) -> Fix:
    """A threshold that a quarter of the pairs reaches; losses that need none where labels are low altogether."""
    if upper_quartile >= ALIKE:
        # Rounded down, or the pairs at the quartile itself would miss it.
        return Fix({f"{SIMILARITY}.positive_from": int(upper_quartile * 1000) / 1000})
    weights = {"in_batch": 0.0, "contrastive": 0.0, "cosine": 1.0}
    return Fix({f"{SIMILARITY}.{name}.weight": weight for name, weight in weights.items()})
