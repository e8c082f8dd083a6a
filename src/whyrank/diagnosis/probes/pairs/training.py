"""Trainings on sentence pairs: what they did, batches without a positive pair, and angles that turned vectors round."""

from collections.abc import Iterator

import numpy as np

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training import effects
from whyrank.diagnosis.probes.training.effects import Effect, Task
from whyrank.diagnosis.probes.training.steps import each_training, trained
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord
from whyrank.measure.significance.resampling import Interval

SIMILARITY = "finetune_rank.objectives.similarity"
# Columns of losses that take positive pairs alone.
TAKE_POSITIVES = ("similarity_in_batch_loss", "similarity_contrastive_loss")
# Share of the batches without a positive from which the losses that need one rest more often than they work.
WITHOUT = 0.5
# The least label that can mean "alike"; below it no other threshold gives a positive.
ALIKE = 0.5

ANGLE, OPPOSED = "similarity_angle_loss", "similarity_opposed_positives"
# Share of the positive pairs, over the last tenth of the steps. On the tiny encoder of the tests it was 0.00 under the
# signed angle, and 0.05 to 0.24 under the absolute one from a head that centres its vectors.
ANTIPODAL, TAIL = 0.05, 0.1


def _effect(case: Examination, record: TrainingRecord) -> Effect | None:
    if "spearman_mean" not in record.evaluations:
        return None
    counts = case.data.tables.get("pair_counts")
    dev = 0 if counts is None else int(counts.loc[counts["use"] == "dev", "kept"].sum())
    # Of a rank correlation near 0, and so the largest: Kendall and Stuart 1973, section 31.19.
    error = 1 / np.sqrt(max(1, dev - 1))
    return effects.of_evaluations("Spearman of the dev pairs", record.evaluations["spearman_mean"], error)


def _candidates(case: Examination, record: TrainingRecord) -> tuple[float, Fix] | None:
    if "similarity_in_batch_loss" not in record.history:
        return None
    counts = case.data.tables.get("pair_counts")
    few = counts is not None and counts.loc[counts["use"] == "train", "kept"].sum() < effects.MORE
    fix = Fix({}, "bring more training pairs") if few else Fix({f"{SIMILARITY}.batch_size": effects.MORE})
    return float(record.history["similarity_rows"].mean()), fix


def _gain(case: Examination, one: str, other: str) -> tuple[Interval | None, str]:
    return case.similarity_difference(one, other), "Spearman"


SIDES = ("first sentences", "second sentences")
effects.register(Task("similarity", _effect, candidates=_candidates, gain=_gain, sides=SIDES))


@probe(
    "fractional-labels-truncated",
    on="trained",
    explains=("similarity-worse-than-zero-shot",),
    about="pairs",
    layer="batches",
)
def fractional_labels_truncated(case: Examination) -> Iterator[Finding | Outcome]:
    """A loss that takes positives alone was trained, and most batches have none."""
    drawn = case.data.table("pair_batches")
    if drawn.empty or not any(set(TAKE_POSITIVES) & set(record.history) for record in trained(case).values()):
        yield not_applicable("finetune_rank", "a loss over positive pairs")
        return
    without, threshold = float((drawn["positives"] == 0).mean()), float(drawn["positive_from"].iloc[0])
    if without < WITHOUT:
        yield passed("finetune_rank", percent("batches without a positive pair", without), 100 * WITHOUT)
        return
    labels = case.data.tables["pair_labels"]
    train = labels[labels["use"] == "train"]
    yield Finding(
        system="finetune_rank",
        sentence=f"{100 * without:.0f} % of the batches of pairs have no positive pair: no label reaches "
        f"{threshold:g}.",
        evidence=(
            percent("batches without a positive pair", without).against(100 * WITHOUT),
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


@probe("antipodal-angle", on="trained", explains=("similarity-worse-than-zero-shot",), layer="training")
@each_training
def antipodal_angle(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """Under AnglE's absolute angle difference, the vectors of positive pairs came to point in opposite directions."""
    if not {ANGLE, OPPOSED} <= set(record.history):
        yield not_applicable("", "the loss `angle`")
        return
    opposed_S = record.history[OPPOSED].dropna()
    share = float(opposed_S.tail(max(1, round(TAIL * len(opposed_S)))).mean())
    if not share >= ANTIPODAL:
        yield passed("", percent("positive pairs with a cosine below -0.5, at the end", share), 100 * ANTIPODAL)
        return
    yield Finding(
        sentence=f"The vectors of {100 * share:.0f} % of the positive pairs end up in opposite directions.",
        evidence=(
            percent("positive pairs with a cosine below -0.5, at the end", share).against(100 * ANTIPODAL),
            percent("positive pairs with a cosine below -0.5, first batch", float(opposed_S.iloc[0])),
            Evidence("loss `angle` at the end", float(record.history[ANGLE].dropna().iloc[-1])),
        ),
        cause="`angle` is the absolute value of the angle difference: opposite vectors score as equal ones do, and "
        "a pair that begins apart may be pushed into opposite directions.",
        fix=Fix({f"{SIMILARITY}.angle.weight": 0.0, f"{SIMILARITY}.angle_signed.weight": 1.0}),
        reference="Li and Li 2023, arXiv:2309.12871; github.com/SeanLee97/AnglE/issues/55",
        weight=100 * share,
    )
