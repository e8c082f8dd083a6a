"""Faults of the learning rate: full steps from the first one on, a peak that is too high."""

from collections.abc import Iterator

import numpy as np

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.pretraining.course import BLOWN_UP, too_long_steps
from whyrank.diagnosis.probes.ranking.collapse import is_collapsed
from whyrank.diagnosis.probes.training.effects import LEARNT, NOISE, Effect, cost, effect, objectives
from whyrank.diagnosis.probes.training.steps import (
    LEFT,
    TINY,
    calmer,
    each_training,
    is_never_as_good,
    is_of_heads,
    moved,
    peak_evidence,
    times_as_long,
    too_long,
)
from whyrank.diagnosis.probes.training.warmup import USUAL_WARMUP, WARMUP
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord

# Rate of the first step over the peak: without warm-up it is 1.
AT_ONCE = 0.9
# The first twentieth of the steps, and at least so many.
FIRST, LEAST_FIRST = 0.05, 5
# Largest gradient norm of the first steps over the median of all. On the tiny encoder of the tests healthy runs had 0.6
# to 2.0 with and without warm-up, those that warm-up healed 2.1 to 110.
SPIKE = 3.0
# A loss that rises by less than this share of its start has no spike.
LEAST_RISE = 0.1
# A loss that fell by so much of its start came down, however noisy its batches are.
LEAST_FALL = 0.1
# Standard deviations of the loss of a batch that a rise of single batches must exceed: the highest of a few.
RISE_NOISE = 3.0

# Findings about what a training that went wrong leaves behind.
SPOILT = ("trained-at-chance", "tuning-brought-nothing", "worse-than-zero-shot", "similarity-worse-than-zero-shot",
          "worse-than-lexical", "question-conversation-gap", "constant-predictions", "fold-failed")  # fmt: skip
# The same of pretraining.
PRETRAINED = ("pretraining-hurts", "redundancy-dominates", "agreement-falls", "scale-mismatch-after-pretraining")

ABOVE_PEAK = 1.05  # above the peak no schedule goes

# Movement of a part, as a share of its length. The shipped run moves layers by 0.006; those that fell apart 0.5 to 3.
FAR = 0.02


@probe("no-warmup-spike", on="trained", explains=SPOILT, layer="training", by_outcome=True)
@each_training
def no_warmup_spike(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """Full steps from the first one on, a spike of the loss, and a training that did not recover."""
    main = _main(case, record)
    if main is None or not {"rate_factor", "gradient_norm"} <= set(record.history):
        yield not_applicable("", "a followed objective, and the learning rate and gradient norm of every step")
        return
    if not is_spoilt_at_once(case, record):
        gradient_S = record.history["gradient_norm"]
        ratio = float(gradient_S[: _first(len(gradient_S))].max() / max(gradient_S.median(), TINY))
        yield passed("", Evidence("gradient norm, largest of the first steps over the median", ratio), SPIKE)
        return
    loss_S, gradient = record.history["loss"].to_numpy(), record.history["gradient_norm"]
    first = _first(len(loss_S))
    highest, ratio = float(loss_S[:first].max()), float(gradient[:first].max() / gradient.median())
    yield Finding(
        sentence="Training never recovered from its first steps: without warm-up the loss rose from "
        f"{loss_S[0]:.2f} to {highest:.2f} within {first} steps, with gradients {ratio:.1f} times "
        f"the median, and {main.metric} went from {main.start:.2f} to {main.end:.2f}.",
        evidence=(
            percent("learning rate of the first step, of its peak", float(record.history["rate_factor"].iloc[0])),
            Evidence("gradient norm, largest of the first steps over the median", ratio).against(SPIKE),
            Evidence("loss of the first step", float(loss_S[0])),
            Evidence("highest loss of the first steps", highest),
            *main.evidence,
        ),
        cause="The first steps of AdamW move every weight by the full rate, before it knows how large gradients are.",
        fix=Fix({WARMUP: USUAL_WARMUP}),
        reference="google-research/bert#649, #175; ST#71",
        weight=cost(case, init, main),
    )


def is_spoilt_at_once(case: Examination, record: TrainingRecord) -> bool:
    """A spike in the first steps without warm-up that the training did not make good, though its loss came down."""
    history, main = record.history, _main(case, record)
    if not {"rate_factor", "gradient_norm"} <= set(history) or main is None or main.rose or is_thrown_off(case, record):
        return False
    loss_S, gradient_S = history["loss"].to_numpy(), history["gradient_norm"].to_numpy()
    first = _first(len(loss_S))
    if history["rate_factor"].iloc[0] < AT_ONCE or len(loss_S) < 4 * first:
        return False
    is_high = float(loss_S[:first].max() - loss_S[0]) > max(LEAST_RISE * abs(loss_S[0]), RISE_NOISE * _noise(loss_S))
    return is_high and bool(gradient_S[:first].max() >= SPIKE * np.median(gradient_S))


@probe(
    "learning-rate-too-high",
    on="trained",
    explains=("collapsed-embeddings", "gradient-grows", "gradient-vanishes", "overfitted", "best-not-kept",
              "last-layer-drops-surface", *SPOILT, *PRETRAINED),
    layer="training",
    by_outcome=True,
)  # fmt: skip
def learning_rate_too_high(case: Examination) -> Iterator[Finding | Outcome]:
    """Steps that are too long, in pretraining by its weights, in fine-tuning by what became of its own rows."""
    yield from too_long_steps(case)
    yield from _of_tuning(case)


@each_training
def _of_tuning(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """Training moved its own queries away from their answers, and no loss came down."""
    highest = float(record.history["rate_factor"].max()) if "rate_factor" in record.history else 1.0
    if highest > ABOVE_PEAK:
        yield _above_peak(record, highest)
        return
    main, system = _main(case, record), case.systems.trained_from(init)
    if main is None:
        yield not_applicable("", "an objective whose metric was followed")
        return
    if not (is_thrown_off(case, record) or is_blown_up(record, main)):
        share = Evidence(f"{main.metric}, at the end of that at the start", main.end / max(main.start, TINY))
        unknown = too_little("", "how far the weights moved is not known")
        yield unknown if main.fell and moved(record) is None else passed("", share, LEFT)
        return
    run = case.records.runs.get(system)
    collapsed = run is not None and is_collapsed(run)
    loss_S = record.history["loss"].to_numpy()
    late = float(_tail(loss_S).mean())
    is_never = is_never_as_good(record) or record.metrics.get("best_step") == 0
    # With warm-up the same rates went wrong; without it a tenth of them may still spike.
    warmup = {} if record.history.get("rate_factor", np.zeros(1))[0] < AT_ONCE else {WARMUP: USUAL_WARMUP}
    yield Finding(
        severity="error" if collapsed else "warning",
        system=system,
        sentence=f"Training made {main.metric} worse, from {main.start:.2f} to {main.end:.2f}, while the loss "
        f"went from {loss_S[0]:.2f} to {late:.2f}: its steps are too long."
        if main.fell
        else f"{_length(record)}{main.metric} went from {main.start:.2f} to {main.end:.2f}"
        f"{', dev was never as good as before' if is_never else ''}: the steps are too long.",
        evidence=(
            *main.evidence,
            *_decided(record, main),
            Evidence("loss of the first step", float(loss_S[0])),
            Evidence("mean loss of the last quarter", late),
            percent("largest movement of a part, of its length", moved(record) or 0.0),
            *peak_evidence(record, "at its peak"),
            *([Evidence("mean cosine of different queries", run.metrics["mean_off_pair_cosine"])] if run else []),
        ),
        cause="Such long steps leave the region in which their gradient holds; the vectors collapse, and no "
        "gradient leads back.",
        fix=Fix(calmer(record) | warmup),
        reference="HF#735 (roberta-large: 5e-5 fails, 2e-5 works)",
        # Before the collapse, which is how it shows.
        weight=cost(case, init, main) + (CAUSE if collapsed else 0.0),
    )


def _decided(record: TrainingRecord, main: Effect) -> Iterator[Evidence]:
    """What the check spoke by: how little is left of the metric, or how long the weights became."""
    left, times = main.end / max(main.start, TINY), times_as_long(record)
    if left < LEFT:
        yield Evidence(f"{main.metric}, at the end of that at the start", left).against(LEFT)
    if times > BLOWN_UP:
        yield Evidence("length of the weights at the end", times, "times that at the start").against(BLOWN_UP)


def _length(record: TrainingRecord) -> str:
    """What became of the weights, where they are much longer."""
    times = times_as_long(record)
    return (
        f"The weights are {times:.1f} times as long as before training, and " if times > BLOWN_UP else "At this rate "
    )


def _above_peak(record: TrainingRecord, highest: float) -> Finding:
    return Finding(
        severity="error",
        sentence=f"The schedule multiplied the learning rate by up to {highest:.3g}: steps of that much more than "
        "params.yaml says.",
        evidence=(Evidence("highest factor of all", highest).against(ABOVE_PEAK), *peak_evidence(record, "reached")),
        cause="A schedule rises to the rate that was asked for and falls from there; this one is turned round, or was "
        "made of a factor above 1.",
        fix=Fix({}, "look at the scheduler in src/whyrank/training/engine: its factor lies between 0 and 1"),
        reference="transformers: get_linear_schedule_with_warmup",
        weight=CAUSE,
    )


def is_blown_up(record: TrainingRecord, main: Effect) -> bool:
    """Little is left of what the weights were, and not all was learnt for it, or only by heart at a senseless rate."""
    # Of several objectives another one may be what the dev set falls by.
    if too_long(record) and is_never_as_good(record) and len(objectives(record)) == 1:
        return True
    # Layers on a frozen encoder begin near zero, and grow by learning.
    is_unlearnt = main.end < LEARNT and not (main.rose and is_of_heads(record))
    is_by_heart = bool(too_long(record)) and record.metrics.get("best_step") == 0
    return times_as_long(record) > BLOWN_UP and (is_unlearnt or is_by_heart)


def is_thrown_off(case: Examination, record: TrainingRecord) -> bool:
    main = _main(case, record)
    if main is None or not main.fell or main.end >= LEFT * main.start or (moved(record) or 0.0) < FAR:
        return False
    return not any(_came_down(record, name) for name in objectives(record))


def _main(case: Examination, record: TrainingRecord) -> Effect | None:
    """What happened to the objective that the run is about: ranking where that is one of them."""
    names = objectives(record)
    return effect(case, record, names[0]) if names else None


def _came_down(record: TrainingRecord, name: str) -> bool:
    """The loss of an objective, from its first batch to the last quarter of them: by more than noise, or by a tenth.

    In batches of two queries the noise is as large as the loss; a tenth that may be luck clears the learning rate.
    """
    loss_S = record.history.get(f"{name}_loss", record.history["loss"]).dropna().to_numpy()
    if len(loss_S) == 0:
        return False
    least = min(NOISE * _noise(loss_S), LEAST_FALL * abs(loss_S[0]))
    return bool(_tail(loss_S).mean() < loss_S[0] - least)


def _first(steps: int) -> int:
    return max(LEAST_FIRST, int(np.ceil(FIRST * steps)))


def _tail(loss_S: np.ndarray) -> np.ndarray:
    return loss_S[-max(1, len(loss_S) // 4) :]


def _noise(loss_S: np.ndarray) -> float:
    """Standard deviation of the loss of a batch about its course, by neighbouring steps of the second half."""
    late_S = loss_S[len(loss_S) // 2 :]
    return float(np.sqrt((np.diff(late_S) ** 2).mean() / 2)) if len(late_S) > 1 else TINY
