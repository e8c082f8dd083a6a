"""Trainings that ended before they had learned what they could."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import LEAST_EFFECT, Examination
from whyrank.diagnosis.probes.training.balance import holds_back
from whyrank.diagnosis.probes.training.effects import LEAST_EVALUATIONS, Course, leads, objectives, tasks
from whyrank.diagnosis.probes.training.learning_rate import is_spoilt_at_once, is_thrown_off
from whyrank.diagnosis.probes.training.steps import (
    FAR,
    TINY,
    USUAL,
    each_training,
    go_further,
    measure_of,
    peak_evidence,
    peak_rates,
)
from whyrank.diagnosis.probes.training.warmup import is_short_of_peak
from whyrank.findings.finding import Evidence, Finding, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord
from whyrank.preflight.probes.learning import contradicted


@probe(
    "underfitted",
    on="trained",
    explains=("worse-than-lexical", "question-conversation-gap", "tuning-brought-nothing"),
    layer="symptom",
)
@each_training
def underfitted(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """Training ended early: it learned little, was still rising, or is below a baseline on its own rows."""
    courses = (task.course(case, init, record) for task in tasks() if task.name in record.objectives)
    course = next((found for found in courses if found), None)
    if course is None:
        yield not_applicable("", "an objective whose metric was followed")
        return
    if not (is_short(course, record) or course.is_rising or course.gap.short):
        end = Evidence(f"{course.metric} on {course.seen}, at the end", float(course.train[-1]))
        told = f"{len(course.train)} evaluations; {LEAST_EVALUATIONS} would tell whether it was still rising"
        is_little = len(course.train) < LEAST_EVALUATIONS
        yield too_little("", told, end) if is_little else passed("", end, float(course.train[0]))
        return
    if contradicted(case.data):
        yield not_applicable("", "training labels that agree with those of dev")
        return
    if is_explained(case, record):
        yield not_applicable("", "steps of a usual length: another check says why so little was learned")
        return
    steps = int(record.metrics["steps_run"])
    yield Finding(
        sentence=f"Training ended too early: after {steps} steps {_how_far(course)}"
        + (f", while {course.gap.baseline}." if course.gap.short else "."),
        evidence=(
            Evidence(f"train {course.metric} before the first step", float(course.train[0])),
            Evidence(f"train {course.metric} at the end", float(course.train[-1])),
            Evidence(f"{course.held_out} at the end", float(course.dev[-1])),
            Evidence("steps", steps, "steps"),
            *_way_evidence(course),
            Evidence(f"epochs over the {course.rows}", course.epochs, "epochs"),
            *peak_evidence(record, "at its peak"),
        ),
        cause=_why(record),
        fix=course.fix,
        reference="ST#1700",
        weight=100 * missing(course),
    )


def _why(record: TrainingRecord) -> str:
    """The rate where it is far below those at which anything learns, else all that may be."""
    peaks = peak_rates(record)
    low = max(peaks, key=lambda name: peaks[name] / measure_of(USUAL, name), default="")
    if not low or peaks[low] * FAR > measure_of(USUAL, low):
        return "There were too few steps, or their learning rate was wrong."
    usual = measure_of(USUAL, low)
    return (
        f"The learning rate is too low: {low} was at most {peaks[low]:.1g}, {usual / max(peaks[low], TINY):.0f} times "
        f"less than the {usual:.1g} at which such weights learn."
    )


def is_short(course: Course, record: TrainingRecord) -> bool:
    """Hardly anything was learnt, and more would be: what little there is helps dev, or weights went nowhere yet."""
    helps = course.train[-1] >= course.train[0] and course.dev[-1] - course.dev[0] >= LEAST_EFFECT
    return course.hardly_moved and (helps or go_further(record, course.epochs) is not None)


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


def is_explained(case: Examination, record: TrainingRecord) -> bool:
    """A probe of a single cause says why so little was learned; more of the same steps would not help."""
    main = objectives(record)[0]
    is_held_back = leads(main) and holds_back(case, record, main)
    return is_short_of_peak(record) or is_held_back or is_thrown_off(case, record) or is_spoilt_at_once(case, record)
