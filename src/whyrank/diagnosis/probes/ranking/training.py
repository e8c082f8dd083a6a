"""Trainings of ranking: what they did, whether they overfit, and how long the next one should be."""

from collections.abc import Iterator
from typing import TypeGuard

import numpy as np

from whyrank.diagnosis.compare.ranking import TYPES
from whyrank.diagnosis.examination import LEAST_EFFECT, Examination
from whyrank.diagnosis.probes.training import effects
from whyrank.diagnosis.probes.training.effects import LEARNT, MORE, Course, Effect, Task, hardly_moved
from whyrank.diagnosis.probes.training.steps import (
    LEFT,
    calmer,
    each_training,
    evaluated,
    go_further,
    rows_seen,
    scaled_rates,
    train_for,
    trained,
)
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import ELSEWHERE, TrainingRecord
from whyrank.measure.significance.resampling import Interval
from whyrank.preflight.probes.batches import false_negative_findings

# Training queries that an evaluation draws at most (training/ranking/task.py).
TRAINING_QUERIES = 200
# A run that reached its best so late was stopped by its number of steps, not by its patience.
LATE = 0.9
FEW_STEPS = 100
# An early best: in the first 30 % of the run.
EARLY = 0.3
# Standard errors that a fall of the dev metric, or a rise of the loss, must exceed; dev queries are few, and the best
# evaluation was picked.
NOISE = 2.0
LAST_EVALUATIONS = 3


def ranks(record: TrainingRecord | None) -> TypeGuard[TrainingRecord]:
    """Whether there was a training, with ranking among its objectives."""
    return record is not None and "rank" in record.objectives


def ranked(case: Examination) -> dict[str, TrainingRecord]:
    """Such fine-tunings, by initial encoder; not one elsewhere, whose batches and evaluations nobody recorded."""
    return {init: record for init, record in trained(case).items() if ranks(record) and ELSEWHERE not in record.metrics}


def is_of_ranking(case: Examination, system: str) -> bool:
    """Whether the training of a system had ranking among its objectives; where none is recorded, that is assumed."""
    record = case.records.training_of(system)
    return record is None or not record.objectives or ranks(record)


def _effect(case: Examination, record: TrainingRecord) -> Effect | None:
    accuracy = record.evaluations["train_accuracy@1"]
    seen = min(TRAINING_QUERIES, int((case.data.queries["split"] == "train").sum()))
    error = np.sqrt(accuracy.iloc[0] * (1 - accuracy.iloc[0]) / max(1, seen))
    return effects.of_evaluations("accuracy@1 on training queries", accuracy, float(error))


def _course(case: Examination, _: str, record: TrainingRecord) -> Course | None:
    if ELSEWHERE in record.metrics:
        return None
    train = record.evaluations["train_accuracy@1"].to_numpy()
    dev = record.evaluations[f"{case.metric}_{TYPES[0]}"].to_numpy()
    is_late = record.metrics["best_step"] >= LATE * record.metrics["steps_run"]
    return Course(
        metric="accuracy@1",
        seen="training queries",
        held_out=f"dev {case.metric}",
        rows="training pairs",
        train=train,
        dev=dev,
        is_rising=is_late and all(effects.is_rising(_tail_gain(curve), curve) for curve in (train, dev)),
        left=float(LEARNT - train.max()),
        tail_gain=_tail_gain(dev),
        epochs=epochs_run(case, record),
        fix=_train_more(case, record) if hardly_moved(train) else Fix(train_for(3 * epochs_run(case, record))),
    )


def _tail_gain(curve: np.ndarray) -> float:
    """What the last quarter of the evaluations brought."""
    return float(curve[-1] - curve[-1 - max(1, len(curve) // 4)])


def against_all(case: Examination) -> dict[str, object]:
    """Every answer a candidate of every query, as a corpus of this size allows; none is left to mine then."""
    most = case.records.params.get("finetune_rank", {}).get("max_candidates", np.inf)
    candidates = "all" if len(case.data.answers) <= most else "kept"
    return {"finetune_rank.candidates": candidates, "finetune_rank.hard_negatives.count": 0}


def _candidates(case: Examination, record: TrainingRecord) -> tuple[float, Fix] | None:
    """All answers of a small corpus are as many as there are: then none."""
    candidates = record.history.get("candidates")
    if candidates is None or candidates.mean() >= len(case.data.answers):
        return None
    is_enough = len(case.data.ranking.relevant_in("train")) >= MORE
    return float(candidates.mean()), Fix({"finetune_rank.batch_size": MORE} if is_enough else against_all(case))


def _gain(case: Examination, one: str, other: str) -> tuple[Interval | None, str]:
    return case.difference(one, other), case.metric


effects.register(Task("rank", _effect, _course, _candidates, _gain, leads=True, sides=("queries", "answers")))


def epochs_run(case: Examination, record: TrainingRecord) -> float:
    """Rounds through the training pairs that training saw."""
    return rows_seen(case.records, record, "rank", "rows") / len(case.data.ranking.relevant_in("train"))


def _train_more(case: Examination, record: TrainingRecord) -> Fix:
    """For a training that hardly learned anything: shorter steps where it went astray, else longer and more of them."""
    steps, epochs = int(record.metrics["steps_run"]), epochs_run(case, record)
    accuracy = record.evaluations["train_accuracy@1"].to_numpy()
    longer = go_further(record, epochs)
    if accuracy[-1] >= LEFT * accuracy[0] and longer is not None:
        return longer
    if accuracy[-1] < LEFT * accuracy[0] or _loss_rose(record.history["rank_loss"].dropna().to_numpy()):
        return Fix(calmer(record))
    if steps < FEW_STEPS:
        return Fix(train_for(epochs * 10 * FEW_STEPS / steps) | scaled_rates(record, 1))
    return Fix(train_for(3 * epochs) | scaled_rates(record, 10))


def _loss_rose(loss: np.ndarray) -> bool:
    """From the first half of the steps to the second, by more than two standard errors."""
    first, second = loss[: len(loss) // 2], loss[len(loss) // 2 :]
    error = np.sqrt(first.var() / max(1, len(first)) + second.var() / len(second))
    return len(first) > 0 and bool(second.mean() - first.mean() > NOISE * error)


@probe("false-negatives-in-batch", on="trained", layer="batches")
def false_negatives_in_batch(case: Examination) -> Iterator[Finding | Outcome]:
    """The batches that fine-tuning saw, whichever encoder it started from."""
    seen = [record.history["rows_with_false_negatives"].mean() for record in ranked(case).values()]
    if not seen:
        yield not_applicable("finetune_rank", "training of ranking")
    else:
        yield from false_negative_findings(case.data, float(max(seen)))


def allowed_fall(best: float, n_dev: int) -> float:
    """How far below the best evaluation the last ones may be, by chance."""
    return max(NOISE * float(np.sqrt(best * (1 - best) / n_dev)), LEAST_EFFECT)


@probe("overfitted", on="trained", explains=("tuning-brought-nothing",), layer="training", by_outcome=True)
@each_training
@evaluated
def overfitted(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """The dev metric falls after an early best while the training metric goes on rising."""
    if not ranks(record):
        yield not_applicable("", "ranking among the objectives")
        return
    evaluations, n_dev = record.evaluations, int((case.data.queries["split"] == "dev").sum())
    step, train = evaluations["step"].to_numpy(), evaluations["train_accuracy@1"].to_numpy()
    dev = evaluations[f"{case.metric}_{TYPES[0]}"].to_numpy()
    best = int(dev.argmax())
    fall, still = float(dev[best] - dev[-LAST_EVALUATIONS:].mean()), float(train[-1] - train[best])
    least = allowed_fall(dev[best], n_dev)
    is_early = step[best] < EARLY * record.metrics["steps_run"]
    if not is_early or fall < least or still < LEAST_EFFECT:
        measured = Evidence(f"dev {case.metric}, best minus last evaluations", 100 * fall, "points")
        yield passed("", measured, 100 * least)
        return
    # Early stopping keeps the best evaluation by its own metric, which need not be the one that is asked for.
    lost = float(dev[best] - dev[step == record.metrics["best_step"]][0])
    yield Finding(
        severity="warning" if lost >= LEAST_EFFECT else "info",
        sentence=f"Training overfits: dev {case.metric} was best at step {step[best]} and fell by {100 * fall:.1f} "
        f"points while training queries still improved; the kept model is {100 * lost:.1f} points below the best.",
        evidence=(
            Evidence("best evaluation", int(step[best]), "step"),
            Evidence("last evaluation", int(step[-1]), "step"),
            Evidence(f"dev {case.metric}, best minus last", 100 * fall, "points").against(100 * least),
            Evidence(f"dev {case.metric}, best minus kept", 100 * lost, "points"),
            Evidence("train accuracy@1, last minus best evaluation", 100 * still, "points"),
        ),
        cause="Training memorises its queries: there are too few of them for so many, or so long, steps.",
        fix=_train_less(case, record, best, lost),
        reference="ST#2646; setfit#365",
        weight=100 * lost,
    )


def _train_less(case: Examination, record: TrainingRecord, best: int, lost: float) -> Fix:
    """Shorter steps, decayed to zero about where the best evaluation was; keep the best by the metric asked for.

    Where nothing was better than the start, the first evaluation came too late: much shorter steps, and about as
    many as it took.
    """
    share = record.evaluations["step"].to_numpy()[max(best, 1)] / record.metrics["steps_run"]
    params = scaled_rates(record, 1 / 3 if best else 0.1) | train_for(3 * epochs_run(case, record) * share)
    if lost >= LEAST_EFFECT:
        params["finetune_rank.early_stopping.metric"] = f"{case.metric}_all"
    return Fix(params)
