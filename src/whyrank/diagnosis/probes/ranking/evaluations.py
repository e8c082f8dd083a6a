"""Evaluations on the dev set: whether the best was kept, and whether they could tell when training was over."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import LEAST_EFFECT, Examination
from whyrank.diagnosis.probes.ranking.gain import DEV, NOTHING_LEARNT
from whyrank.diagnosis.probes.ranking.training import epochs_run
from whyrank.diagnosis.probes.training.effects import LEAST_EVALUATIONS
from whyrank.diagnosis.probes.training.steps import each_training, evaluated, judged_at
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord

# Rounds through the training pairs: a training that patience ended before one, and that it waited for less than.
WHOLE, WAITED = 1.0, 0.5
# A number of steps between two evaluations would win over how many there are.
EVALUATE = {f"finetune_rank.early_stopping.{key}": value
            for key, value in (("eval_steps", 0), ("evaluations", 8), ("patience", 3))}  # fmt: skip


@probe("best-not-kept", on="trained", explains=("tuning-brought-nothing", "worse-than-zero-shot", "worse-than-lexical"))
@each_training
@evaluated
def best_not_kept(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """The kept weights are not those of the best evaluation, by the metric that chooses or, without one, by any."""
    looks, kept = record.evaluations, int(record.metrics["best_step"])
    names = [str(name) for name in looks if not str(name).startswith("train_") and name not in ("step", "choice")]
    dev = [name for name in names if name.endswith(DEV)]
    # Some metric of one type of queries is best at any step.
    whole = [name for name in names if name in dev or f"{name.rpartition('_')[0]}{DEV}" not in looks]
    chosen_by = ["choice"] if "choice" in looks else whole
    if len(looks) < 2 or not dev or kept not in looks["step"].to_numpy():
        yield not_applicable("", "several evaluations on the dev set")
        return
    row = looks[looks["step"] == kept].iloc[0]
    asked = f"{case.metric}{DEV}" if f"{case.metric}{DEV}" in dev else dev[0]
    best = int(looks[asked].to_numpy().argmax())
    lost = float(looks[asked].iloc[best] - row[asked])
    if any(row[name] >= looks[name].max() for name in chosen_by) or lost < LEAST_EFFECT:
        yield passed("", Evidence(f"dev {asked}, best minus kept", 100 * lost, "points"), 100 * LEAST_EFFECT)
        return
    yield Finding(
        sentence=f"The kept weights, of step {kept}, are not the best evaluation: dev {asked} is "
        f"{row[asked]:.3f}, at step {int(looks['step'].iloc[best])} it was {looks[asked].iloc[best]:.3f}.",
        evidence=(
            Evidence("kept", kept, "step"),
            Evidence("best evaluation", int(looks["step"].iloc[best]), "step"),
            Evidence(f"dev {asked}, best minus kept", 100 * lost, "points").against(100 * LEAST_EFFECT),
        ),
        cause="The last step was kept whatever the dev set said, or the comparison of evaluations is turned round.",
        fix=Fix({"finetune_rank.early_stopping.metric": asked}),
        reference="transformers#31450; ST#2749",
        weight=100 * lost,
    )


@probe("few-evaluations", on="trained", explains=("tuning-brought-nothing", "underfitted", "worse-than-zero-shot"))
@each_training
@evaluated
def few_evaluations(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """Too few evaluations to see where the dev set was best, and the last one is the best."""
    looks = record.evaluations
    name = f"{case.metric}{DEV}"
    if name not in looks or len(looks) < 2:
        yield not_applicable("", "evaluations on the dev set")
        return
    if (made := _cut_short(case, record)) is not None:
        yield _stopped(record, made)
        return
    rise = _last_rise(looks[name])
    is_last_kept = int(record.metrics["best_step"]) == looks["step"].iloc[-1]
    if len(looks) >= LEAST_EVALUATIONS or rise < LEAST_EFFECT or not is_last_kept:
        yield passed("", Evidence("evaluations", len(looks), "evaluations"), LEAST_EVALUATIONS)
        return
    yield Finding(
        severity="info",
        sentence=f"{len(looks) - 1} evaluations while training cannot tell whether it was over: the last is the best, "
        f"{100 * rise:.1f} points of dev {name} above the one before.",
        evidence=(
            Evidence("evaluations, the one before the first step included", len(looks), "evaluations").against(
                LEAST_EVALUATIONS
            ),
            Evidence(f"dev {name}, last minus the one before", 100 * rise, "points").against(100 * LEAST_EFFECT),
        ),
        cause="A curve of so few points shows neither a rise that goes on nor a fall that began.",
        fix=Fix(EVALUATE),
        reference="Prechelt 1998, Early stopping, but when?",
        weight=1.0,
    )


def _cut_short(case: Examination, record: TrainingRecord) -> float | None:
    """Rounds through the training pairs that were made, where patience ended it all within a fraction of one; else
    None. Not where training queries got worse: then patience was right."""
    steps, history = record.evaluations["step"].to_numpy(), record.history
    start, end = judged_at(record, 0), judged_at(record, -1)
    if "progress" not in history or history["progress"].iloc[-1] >= 1 or start is None or end is None:
        return None
    made = epochs_run(case, record)
    waited = made * len(waited_for(record)) * float(np.diff(steps).max()) / len(history)
    is_worse = end < start - NOTHING_LEARNT
    return made if made < WHOLE and waited < WAITED and not is_worse else None


def waited_for(record: TrainingRecord) -> pd.DataFrame:
    """The evaluations that patience waited for."""
    return record.evaluations[record.evaluations["step"] > record.metrics["best_step"]]


def _stopped(record: TrainingRecord, made: float) -> Finding:
    steps, share = len(record.history), float(record.history["progress"].iloc[-1])
    return Finding(
        sentence=f"Patience ended training after {steps} of {steps / share:.0f} steps, {made:.2f} rounds through the "
        f"training pairs: so few evaluations ({len(waited_for(record))}) without a better value cannot tell "
        "that it was over.",
        evidence=(
            Evidence("steps made", steps, "steps"),
            percent("steps made, of those planned", share),
            Evidence("rounds through the training pairs", made).against(WHOLE),
            Evidence("steps between two evaluations", float(record.evaluations["step"].diff().max()), "steps"),
        ),
        cause="The dev set is evaluated so often, and so little patience is had, that the noise of single steps ends "
        "training.",
        fix=Fix(EVALUATE),
        reference="Prechelt 1998, Early stopping, but when?",
        weight=5.0,
    )


def _last_rise(curve: pd.Series) -> float:
    value = curve.to_numpy(dtype=np.float64)
    return float(value[-1] - value[-2])
