"""What Barlow Twins pretraining did: whether it helps, and why where it does not."""

from collections.abc import Iterator
from dataclasses import replace

from whyrank.diagnosis.examination import Examination, is_higher, is_lower, points, spoken
from whyrank.diagnosis.probes.pretraining.agreement import VIEWS, agreement
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.records import TrainingRecord
from whyrank.measure.significance.resampling import Interval
from whyrank.preflight.probes import batches
from whyrank.preflight.probes.batches import SAFE_PRETRAINING

# The end of a history: its last tenth, as in metrics/pretrain_barlow.json.
TAIL = 0.1

# Ratio of the spread of logits at the first steps. A softmax has a useful range of one decade (scale 5 to 50 with the
# cosine, ST#2815, #3054); a factor of 5 either way leaves it.
SCALE_FACTOR = 5.0
# First loss over that of a random choice: twice means that the model is sure and wrong before it has learned anything.
SATURATED = 2.0
FIRST_STEPS = 5
COSINE_SCALE = 20.0

# Rise of the mean diagonal on training texts. The default pretraining raises it by a few hundredths.
LEARNT = 0.10


def barlow_single_answer_batches(case: Examination) -> Iterator[Finding]:
    """Batches of one answer, and a cross-correlation whose diagonal stayed at chance."""
    record = case.records.barlow
    if record is None:
        yield from batches.barlow_single_answer_batches(case.data)
        return
    history = record.history
    if len(history) == 0 or history["distinct_answers"].mean() > batches.SINGLE_ANSWER:
        return
    tail = history.tail(max(1, round(TAIL * len(history))))
    diagonal, floor = float(tail["mean_diagonal"].mean()), float(tail["noise_floor"].mean())
    # The mean over many features lies well inside the noise of one: a diagonal beyond it found something shared.
    if diagonal > floor:
        return
    finding = batches.single_answer_finding(float(history["distinct_answers"].mean()), float(history["rows"].mean()))
    yield replace(
        finding,
        evidence=(
            *finding.evidence,
            Evidence("mean diagonal of the cross-correlation at the end", diagonal, "0 at chance, 1 perfect"),
            Evidence("noise floor of one feature", floor, "1 / sqrt(rows)"),
            Evidence("invariance per feature at the end", float(tail["invariance"].mean()), "about 1 at chance"),
        ),
        weight=CAUSE + _cost(case),
    )


def _cost(case: Examination) -> float:
    """Points that the pretrained systems lose, at most of the two pairs."""
    differences = [case.difference(a, b) for a, b in case.systems.pretraining]
    return max((-100 * d.mean for d in differences if is_lower(d) and d is not None), default=0.0)


def pretraining_fix(case: Examination) -> Fix:
    """Mend the cause where it is known, else leave pretraining out."""
    for probe in (barlow_single_answer_batches, pretraining_overfits):
        for known in probe(case):
            return known.fix
    return Fix({"pretrain_barlow.steps": 0})


def pretraining_overfits(case: Examination) -> Iterator[Finding]:
    """Two texts of an answer agree more than before where pretraining saw them, and less where it did not."""
    if case.records.barlow is None or len(case.records.barlow.history) == 0:
        return
    measured = [found for view in VIEWS if (found := agreement(case, view))]
    if not measured:
        return
    learnt = max(measured, key=lambda one: one.train_after - one.train_before)
    if learnt.train_after - learnt.train_before < LEARNT or learnt.test_after >= learnt.test_before:
        return
    yield Finding(
        code="pretraining-overfits",
        severity="warning",
        system="pretrain_barlow",
        sentence=f"Pretraining raised the agreement of {learnt.view} of one answer from {learnt.train_before:.2f} to "
        f"{learnt.train_after:.2f} on its training texts, and lowered it from {learnt.test_before:.2f} to "
        f"{learnt.test_after:.2f} on test texts.",
        evidence=(
            Evidence("mean diagonal on training texts, before", learnt.train_before, "0 at chance, 1 perfect"),
            Evidence("mean diagonal on training texts, after", learnt.train_after, "0 at chance, 1 perfect"),
            Evidence("mean diagonal on test texts, before", learnt.test_before, "0 at chance, 1 perfect"),
            Evidence("mean diagonal on test texts, after", learnt.test_after, "0 at chance, 1 perfect"),
            Evidence("steps", len(case.records.barlow.history), "steps"),
        ),
        cause="A free head and many steps learn by heart which training texts belong together; what the encoder knew "
        "of other texts is overwritten.",
        fix=Fix(SAFE_PRETRAINING),
        reference="Zbontar et al. 2021, arXiv:2103.03230",
        weight=CAUSE + _cost(case),
    )


def pretraining_hurts(case: Examination) -> Iterator[Finding]:
    """The pretrained system is below the other one: a warning once tuned, for information before."""
    for a, b in case.systems.pretraining:
        difference = case.difference(a, b)
        if difference is not None and is_lower(difference):
            sentence = f"Barlow pretraining costs {a} {spoken(difference)} of {case.metric} against {b}."
            finding = _comparison("pretraining-hurts", case, a, b, difference, sentence)
            is_tuned = a in case.systems.tuned
            yield replace(
                finding,
                severity="warning" if is_tuned else "info",
                cause="Pretraining moved the vectors to where ranking is harder."
                if is_tuned
                else "Pretraining alone moved queries away from their answers; see whether tuning brings them back.",
                fix=pretraining_fix(case),
            )


def pretraining_helps(case: Examination) -> Iterator[Finding]:
    """The pretrained system is above the other one."""
    for a, b in case.systems.pretraining:
        difference = case.difference(a, b)
        if difference is not None and is_higher(difference):
            sentence = f"Barlow pretraining brings {a} {spoken(difference)} of {case.metric} over {b}."
            yield _comparison("pretraining-helps", case, a, b, difference, sentence)


def _comparison(code: str, case: Examination, a: str, b: str, difference: Interval, sentence: str) -> Finding:
    return Finding(
        code=code,
        severity="info",
        system=a,
        sentence=sentence,
        evidence=(
            Evidence(f"{case.metric} of {a}", case.mean(a)),
            Evidence(f"{case.metric} of {b}", case.mean(b)),
            Evidence("difference", 100 * difference.mean, "points"),
        ),
        cause="Texts of one answer were pulled together before ranking began.",
        fix=Fix({}, "none needed"),
        reference="Zbontar et al. 2021, arXiv:2103.03230",
        interval=points(difference),
        weight=abs(100 * difference.mean),
    )


def scale_mismatch_after_pretraining(case: Examination) -> Iterator[Finding]:
    """With a dot product, pretraining changed the size of the logits that fine-tuning starts from."""
    system, other = next((pair for pair in case.systems.pretraining if pair[0] in case.systems.tuned), ("", ""))
    before, after = case.records.training_of(other), case.records.training_of(system)
    run = case.records.runs.get(system)
    if before is None or after is None or run is None or run.metrics["score_kind_cosine"] == 1:
        return
    if "rank" not in before.objectives & after.objectives:
        return
    spread, loss = _first(before, after, "logit_std"), _first(before, after, "rank_loss")
    chance = _first(before, after, "rank_chance")
    ratio = spread[1] / max(spread[0], 1e-12)
    saturates = loss[1] > SATURATED * chance[1] and loss[0] <= SATURATED * chance[0]
    if 1 / SCALE_FACTOR < ratio < SCALE_FACTOR and not saturates:
        return
    starts = [case.systems.start[name] for name in (other, system)]
    norms = [
        Evidence(f"vector norm of {name}", case.records.runs[name].metrics["vector_norm"])
        for name in starts
        if name in case.records.runs
    ]
    yield Finding(
        code="scale-mismatch-after-pretraining",
        severity="warning",
        system=system,
        sentence=f"Fine-tuning starts with logits {ratio:.2g} times as spread as without pretraining, and a loss of "
        f"{loss[1]:.1f} nats where chance is {chance[1]:.1f}.",
        evidence=(
            Evidence(f"logit standard deviation, from {starts[0]}", spread[0]),
            Evidence(f"logit standard deviation, from {starts[1]}", spread[1]),
            Evidence(f"first loss, from {starts[0]}", loss[0], "nats"),
            Evidence(f"first loss, from {starts[1]}", loss[1], "nats"),
            *norms,
        ),
        cause="A dot product scales with both vectors' lengths, and the pretrained head gives vectors of another "
        "length: the softmax is saturated (or flat), and its gradient tells little until the scale is unlearned.",
        fix=Fix({"finetune_rank.similarity.kind": "cosine", "finetune_rank.similarity.scale": COSINE_SCALE}),
        reference="barlowtwins#9; setfit#135; ST#2815",
        weight=_cost(case),
    )


def _first(before: TrainingRecord, after: TrainingRecord, column: str) -> tuple[float, float]:
    """Mean over the first steps of both trainings; warm-up keeps the weights about where they were."""
    return (
        float(before.history[column].head(FIRST_STEPS).mean()),
        float(after.history[column].head(FIRST_STEPS).mean()),
    )
