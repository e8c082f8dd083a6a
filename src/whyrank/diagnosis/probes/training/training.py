"""Faults of fine-tuning that its history shows: underfitting, overfitting, false negatives."""

from collections.abc import Iterator

import numpy as np

from whyrank.diagnosis.compare.ranking import TYPES
from whyrank.diagnosis.examination import LEAST_EFFECT, Examination
from whyrank.diagnosis.probes.ratings.lessons import LEAST_EVALUATIONS, STILL_RISING, Course, rating_lessons
from whyrank.diagnosis.probes.training.balance import holds_ranking_back
from whyrank.diagnosis.probes.training.effects import HARDLY_MOVED, LEARNT
from whyrank.diagnosis.probes.training.learning_rate import is_short_of_peak, is_spoilt_at_once, is_thrown_off
from whyrank.diagnosis.probes.training.steps import (
    epochs_run,
    peak_rates,
    ranked,
    train_less,
    train_more,
    train_on,
    trained,
)
from whyrank.findings.finding import Evidence, Finding, percent
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord
from whyrank.preflight.probes.batches import false_negative_findings

# A run that reached its best so late was stopped by its number of steps, not by its patience.
LATE = 0.9

# An early best: in the first 30 % of the run.
EARLY = 0.3
# Standard errors of the dev metric that a fall must exceed; dev queries are few, and the best evaluation was picked.
NOISE = 2.0
LAST_EVALUATIONS = 3


@probe("false-negatives-in-batch", on="trained")
def false_negatives_in_batch(case: Examination) -> Iterator[Finding]:
    """The batches that fine-tuning saw, whichever encoder it started from."""
    seen = [record.history["rows_with_false_negatives"].mean() for record in ranked(case).values()]
    if seen:
        yield from false_negative_findings(case.data, float(max(seen)))


@probe("underfitted", on="trained", explains=("worse-than-lexical", "question-conversation-gap"))
def underfitted(case: Examination) -> Iterator[Finding]:
    """Training ended early: it learned little, was still rising, or is below a baseline on its own rows."""
    for init, record in trained(case).items():
        course = _ranking(case, record) if "rank" in record.objectives else rating_lessons(case, init, record)
        if course is None or is_explained(case, record):
            continue
        if not (course.hardly_moved or course.is_rising or course.gap.short):
            continue
        steps = int(record.metrics["steps_run"])
        yield Finding(
            system=case.systems.trained_from(init),
            sentence=f"Training ended too early: after {steps} steps {_how_far(course)}"
            + (f", while {course.gap.baseline}." if course.gap.short else "."),
            evidence=(
                Evidence(f"train {course.metric} before the first step", float(course.train[0])),
                Evidence(f"train {course.metric} at the end", float(course.train[-1])),
                Evidence(f"{course.held_out} at the end", float(course.dev[-1])),
                Evidence("steps", steps, "steps"),
                *_way_evidence(course),
                Evidence(f"epochs over the {course.rows}", course.epochs, "epochs"),
                *(Evidence(f"{name.replace('_', ' ')} at its peak", rate) for name, rate in peak_rates(record).items()),
            ),
            cause="There were too few steps, or their learning rate was wrong.",
            fix=course.fix,
            reference="ST#1700",
            weight=100 * missing(course),
        )


def _how_far(course: Course) -> str:
    ends = f"{course.train[0]:.2f} at the start, {course.train[-1]:.2f} at the end"
    if course.hardly_moved:
        return f"{course.metric} on {course.seen} had hardly risen ({ends})"
    if course.is_rising:
        return f"{course.metric} on {course.seen} was still rising ({ends})"
    if course.gap.begun_at:
        return f"it had only begun: {course.gap.begun_at}"
    return f"{course.metric} on {course.seen} was still low ({ends})"


def _way_evidence(course: Course) -> Iterator[Evidence]:
    if course.gap.begun_at:
        yield percent("sum of the learning rates, of what learning takes", course.gap.way)


def missing(course: Course) -> float:
    """What training left unlearnt, at least: what it is short of a baseline, what there was to move, or what the last
    quarter still brought, as the next one brings no more."""
    return max(course.gap.short, course.left if course.hardly_moved else course.tail_gain)


def _ranking(case: Examination, record: TrainingRecord) -> Course:
    train = record.evaluations["train_accuracy@1"].to_numpy()
    dev = record.evaluations[f"{case.metric}_{TYPES[0]}"].to_numpy()
    hardly_moved = train.max() < LEARNT and train.max() - train[0] < HARDLY_MOVED * (1 - train[0])
    return Course(
        metric="accuracy@1",
        seen="training queries",
        held_out=f"dev {case.metric}",
        rows="training pairs",
        train=train,
        dev=dev,
        hardly_moved=hardly_moved,
        is_rising=_still_rising(record, train, dev),
        left=float(LEARNT - train.max()),
        tail_gain=tail_gain(dev),
        epochs=epochs_run(case, record),
        fix=train_more(case, record) if hardly_moved else train_on(case, record),
    )


def is_explained(case: Examination, record: TrainingRecord) -> bool:
    """A probe of a single cause says why so little was learned; more of the same steps would not help."""
    if is_short_of_peak(record) or holds_ranking_back(case, record):
        return True
    return is_thrown_off(case, record) or is_spoilt_at_once(case, record)


def _still_rising(record: TrainingRecord, train: np.ndarray, dev: np.ndarray) -> bool:
    if len(dev) < LEAST_EVALUATIONS or record.metrics["best_step"] < LATE * record.metrics["steps_run"]:
        return False
    is_rising = [tail_gain(curve) >= max(LEAST_EFFECT, STILL_RISING * np.ptp(curve)) for curve in (train, dev)]
    return all(is_rising)


def tail_gain(curve: np.ndarray) -> float:
    """What the last quarter of the evaluations brought."""
    return float(curve[-1] - curve[-1 - max(1, len(curve) // 4)])


@probe("overfitted", on="trained")
def overfitted(case: Examination) -> Iterator[Finding]:
    """The dev metric falls after an early best while the training metric goes on rising."""
    n_dev = int((case.data.queries["split"] == "dev").sum())
    for init, record in ranked(case).items():
        evaluations = record.evaluations
        step, train = evaluations["step"].to_numpy(), evaluations["train_accuracy@1"].to_numpy()
        dev = evaluations[f"{case.metric}_{TYPES[0]}"].to_numpy()
        best = int(dev.argmax())
        fall = float(dev[best] - dev[-LAST_EVALUATIONS:].mean())
        noise = NOISE * float(np.sqrt(dev[best] * (1 - dev[best]) / n_dev))
        is_early = step[best] < EARLY * record.metrics["steps_run"]
        if not is_early or fall < max(noise, LEAST_EFFECT) or train[-1] - train[best] < LEAST_EFFECT:
            continue
        # Early stopping keeps the best evaluation by its own metric, which need not be the one that is asked for.
        lost = float(dev[best] - dev[step == record.metrics["best_step"]][0])
        yield Finding(
            severity="warning" if lost >= LEAST_EFFECT else "info",
            system=case.systems.trained_from(init),
            sentence=f"Training overfits: dev {case.metric} was best at step {step[best]} and fell by "
            f"{100 * fall:.1f} points while training queries still improved; the kept model is {100 * lost:.1f} "
            "points below the best.",
            evidence=(
                Evidence("best evaluation", int(step[best]), "step"),
                Evidence("last evaluation", int(step[-1]), "step"),
                Evidence(f"dev {case.metric}, best minus last", 100 * fall, "points"),
                Evidence(f"dev {case.metric}, best minus kept", 100 * lost, "points"),
                Evidence(
                    "train accuracy@1, last minus best evaluation", 100 * float(train[-1] - train[best]), "points"
                ),
            ),
            cause="Training memorises its queries: there are too few of them for so many, or so long, steps.",
            fix=train_less(case, record, best, lost),
            reference="ST#2646; setfit#365",
            weight=100 * lost,
        )
