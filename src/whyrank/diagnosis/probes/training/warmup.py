"""A warm-up that is longer than the training, so that the learning rate never reaches its peak."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.steps import each_training, peak_evidence
from whyrank.diagnosis.usual import OPTIMISATION
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord

WARMUP = "finetune_rank.warmup_ratio"
USUAL_WARMUP = OPTIMISATION["warmup_ratio"].value
# Share of the planned steps. From half on it is the warm-up that keeps the rate from its peak; a shorter one that a run
# does not live to see the end of was cut by patience.
LONG = 0.5
# A warm-up that ended below this share of the peak left the weights less than half as far as asked for.
SHORT_OF_PEAK = 0.5


@probe(
    "warmup-longer-than-training",
    on="trained",
    explains=("worse-than-lexical", "question-conversation-gap", "tuning-brought-nothing"),
    layer="training",
)
@each_training
def warmup_longer_than_training(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """The learning rate was still rising at the last step, in a warm-up of at least half of the run."""
    if "rate_factor" not in record.history:
        yield not_applicable("", "the learning rate of every step")
        return
    if not is_in_warmup(record):
        highest = float(record.history["rate_factor"].max())
        yield passed("", percent("highest learning rate, of its peak", highest), 100.0)
        return
    reached, steps = float(record.history["rate_factor"].iloc[-1]), len(record.history)
    yield Finding(
        sentence=f"The learning rate never reached its peak: at the last of {steps} steps it was still rising, at "
        f"{100 * reached:.0f} % of it.",
        evidence=(
            percent("learning rate of the last step, of its peak", reached),
            Evidence("warm-up", _warmup_steps(record), "steps").against(steps),
            Evidence("steps made", steps, "steps"),
            *peak_evidence(record, "reached"),
        ),
        cause="The warm-up is longer than the training: the rate never reaches its peak, and never decays.",
        fix=Fix({WARMUP: USUAL_WARMUP}),
        reference="angle_emb 0.6.1 (1,000 steps of warm-up whatever the length of the training)",
        weight=100 * (1 - reached),
    )


def is_in_warmup(record: TrainingRecord) -> bool:
    history = record.history
    if "rate_factor" not in history or len(history) < 2:
        return False
    factor_S = history["rate_factor"].to_numpy()
    planned = len(history) / float(history["progress"].iloc[-1])
    is_rising = factor_S[-1] < 1 and factor_S[-1] > factor_S[-2] and factor_S[-1] == factor_S.max()
    return bool(is_rising) and _warmup_steps(record) >= LONG * planned


def _warmup_steps(record: TrainingRecord) -> float:
    """A warm-up of w steps gives the first one 1 / (w + 1) of the peak."""
    return round(1 / float(record.history["rate_factor"].iloc[0]) - 1)


def is_short_of_peak(record: TrainingRecord) -> bool:
    """By a warm-up that was too long, and by so much that it explains a training that hardly learned."""
    return is_in_warmup(record) and bool(record.history["rate_factor"].max() < SHORT_OF_PEAK)
