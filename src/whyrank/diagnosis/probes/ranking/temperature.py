"""A temperature that is not of these scores: the softmax has chosen before training, or never chooses."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.learning_rate import SPOILT
from whyrank.diagnosis.probes.training.steps import each_training
from whyrank.diagnosis.usual import USUAL
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord

SCALE = "finetune_rank.similarity.scale"
# Of the default, which is that of sentence-transformers.
USUAL_SCALE = USUAL["finetune_rank.similarity.scale"].value
# Times the usual scale, or less than one in so many of it.
FAR = 1.5
# Mean entropy of the softmax in the first steps, as a share of its largest value. Healthy runs begin at 0.3 to 0.9.
SATURATED, FLAT = 0.05, 0.97
FIRST_STEPS, FEWEST_CANDIDATES = 3, 8
# Where nearly all rows are right a sharp softmax is right, too.
SOLVED = 0.9
# Times chance from which scores tell answers apart, so that a flat softmax hides something.
TELLS = 5.0
ABOVE_GUESSING = 1.2
# Standard deviation of the scores. Cosines at the usual scale have 2 to 3; so wrong labels are not taken for this.
WIDE = 5.0

# Lengths of vectors that were made so differ by less from 1.
UNIT = 1e-3

LITTLE = ("underfitted", "tuning-brought-nothing", "gradient-vanishes", *SPOILT)


@probe("temperature-saturates", on="trained", explains=LITTLE, about="ranking")
@each_training
def temperature_saturates(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """The softmax gives one answer everything from the first step on, and it is often the wrong one."""
    if not _is_recorded(record):
        yield not_applicable("", "a softmax over at least eight candidates")
        return
    first = _ranked(record).head(FIRST_STEPS)
    entropy, accuracy, scale = (float(first[name].mean()) for name in ("rank_entropy", "rank_accuracy", "scale"))
    loss, chance = float(first["rank_loss"].mean()), float(first["rank_chance"].mean())
    # Scores that rank far better than guessing and cost more than it: the wrong ones among them are too sure.
    too_sure = loss > ABOVE_GUESSING * chance and accuracy >= TELLS * np.exp(-chance)
    too_sure &= bool(first["logit_std"].mean() >= WIDE)
    if (entropy >= SATURATED and not too_sure) or accuracy >= SOLVED or _is_usual(record):
        yield passed("", percent("entropy of the softmax in the first steps", entropy), 100 * SATURATED)
        return
    yield Finding(
        sentence=f"The softmax is saturated from the first step on: its entropy is {100 * entropy:.1f} % of the "
        f"largest, "
        f"though {100 * (1 - accuracy):.0f} % of the rows choose a wrong answer; the loss starts at {loss:.2f}, "
        f"guessing at "
        f"{chance:.2f}.",
        evidence=(
            percent("entropy of the softmax in the first steps, of its largest value", entropy).against(
                100 * SATURATED
            ),
            percent("accuracy in the first batches", accuracy),
            Evidence("scale (inverse temperature)", scale),
            Evidence("standard deviation of the scores", float(first["logit_std"].mean())),
            Evidence("loss of the first steps", loss),
        ),
        cause="The scores times the scale are so far apart that only the worst rows have a gradient; training follows "
        "single wrong or mislabelled pairs.",
        fix=Fix(
            {
                SCALE: USUAL_SCALE
                if scale > FAR * USUAL_SCALE
                else _rounded(scale / max(first["logit_std"].mean() / 2, 1))
            }
        ),
        reference="Wang and Liu 2021, arXiv:2012.09740; sentence-transformers: scale 20 for cosines",
        weight=10.0,
    )


@probe("temperature-flattens", on="trained", explains=LITTLE, about="ranking")
@each_training
def temperature_flattens(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """The softmax gives all answers nearly the same from first to last, though their scores tell them apart."""
    if not _is_recorded(record):
        yield not_applicable("", "a softmax over at least eight candidates")
        return
    history = _ranked(record)
    if len(history) < 2 * FIRST_STEPS:
        yield too_little("", f"{len(history)} steps")
        return
    first, last = history.head(FIRST_STEPS), history.tail(max(FIRST_STEPS, len(history) // 4))
    entropy, late = float(first["rank_entropy"].mean()), float(last["rank_entropy"].mean())
    accuracy, chance = float(first["rank_accuracy"].mean()), float(np.exp(-first["rank_chance"]).mean())
    if min(entropy, late) < FLAT or accuracy < TELLS * chance or _is_usual(record):
        yield passed("", percent("entropy of the softmax at the end", late), 100 * FLAT)
        return
    scale, spread = float(first["scale"].mean()), float(first["logit_std"].mean())
    yield Finding(
        sentence=f"The softmax stays flat: its entropy is {100 * late:.1f} % of the largest at the end, though the "
        f"scores put "
        f"the right answer first in {100 * accuracy:.0f} % of the rows; the loss stays near guessing.",
        evidence=(
            percent("entropy of the softmax in the first steps, of its largest value", entropy),
            percent("entropy of the softmax at the end", late).against(100 * FLAT),
            percent("accuracy in the first batches", accuracy),
            Evidence("scale (inverse temperature)", scale),
            Evidence("standard deviation of the scores", spread),
            Evidence("loss at the end", float(last["rank_loss"].mean())),
            Evidence("loss of guessing", float(last["rank_chance"].mean())),
        ),
        cause="The scores times the scale hardly differ: all wrong answers, easy and hard, are pushed alike.",
        # Cosines of an encoder that tells answers apart have a spread of 2 at the usual scale.
        fix=Fix({SCALE: USUAL_SCALE if scale < USUAL_SCALE / FAR else _rounded(2 * scale / max(spread, 1e-3))}),
        reference="Wang and Liu 2021, arXiv:2012.09740; ST#3054",
        weight=10.0,
    )


def _is_recorded(record: TrainingRecord) -> bool:
    return "rank_entropy" in record.history and float(record.history["candidates"].mean()) >= FEWEST_CANDIDATES


def _ranked(record: TrainingRecord) -> pd.DataFrame:
    """The steps that trained ranking: where one objective is drawn for each, others have no figures of it."""
    return record.history[record.history["rank_entropy"].notna()]


def _is_usual(record: TrainingRecord) -> bool:
    """Cosines at about the usual scale: where their softmax is sharp or flat, the vectors are the matter."""
    first = _ranked(record).head(FIRST_STEPS)
    factor = float(first["scale"].mean()) / USUAL_SCALE
    is_cosine = "query_norm" in first and bool((first["query_norm"] - 1).abs().max() < UNIT)
    return is_cosine and 1 / FAR <= factor <= FAR


def _rounded(value: float) -> float:
    return float(f"{value:.1g}")
