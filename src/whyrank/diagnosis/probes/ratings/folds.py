"""A fold of ratings whose training failed while that of the others did not."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from whyrank.diagnosis.compare.ratings import Rated, by_fold, wide
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.ratings.ratings import steadier
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.records import TrainingRecord
from whyrank.measure.metrics.ratings import mean_column_spearman
from whyrank.measure.significance.resampling import Interval
from whyrank.measure.significance.statistics import resample_spearman

# A fold below this share of the middle of the others; with nothing to lose below so much, nothing is said.
FAR = 0.5
LEAST_MIDDLE = 0.05


class Fold(NamedTuple):
    """value    mean column Spearman; 0 where no target is defined
    low, high   its bounds
    middle      of the other folds
    """

    number: int
    value: float
    low: float
    high: float
    middle: float


def fold_failed(case: Examination) -> Iterator[Finding]:
    """The training of one fold ended far below that of the others, on rows that a lexical floor rates like others."""
    for system in case.systems.tuned:
        run, record = case.records.runs.get(system), case.records.training_of(system)
        if run is None or run.ratings is None or record is None:
            continue
        failed = [fold for fold in far_folds(case, wide(run.ratings)) if not _is_hard(case, fold.number)]
        if not failed:
            continue
        worst = min(failed, key=lambda fold: fold.value - fold.middle)
        folds = run.ratings["fold"].nunique()
        yield Finding(
            code="fold-failed",
            severity="error" if worst.low <= 0 else "warning",
            system=system,
            sentence=f"Fold {worst.number} of {system} has a mean column Spearman of {worst.value:.3f}, the others of "
            f"{worst.middle:.3f}.",
            evidence=(
                Evidence("mean column Spearman of the fold", worst.value),
                Evidence("middle of the other folds", worst.middle),
                Evidence("folds that failed", len(failed), f"of {folds}"),
                *_floor_evidence(case, worst.number),
                *_schedule_evidence(record),
            ),
            cause="The same data and parameters taught the other folds: this training was thrown off, by its first "
            "steps or by too long ones, and a mean over folds hides it.",
            fix=Fix(steadier(record)),
            reference="Devlin et al. 2019 and Mosbach et al. 2021, arXiv:2006.04884 (failed runs of fine-tuning)",
            interval=(100 * worst.low, 100 * worst.high),
            weight=100 * sum(fold.middle - fold.value for fold in failed) / folds,
        )


def far_folds(case: Examination, one: Rated) -> list[Fold]:
    """Those below the middle of the others by more than half of it and more than the luck of the worst of F folds."""
    parts = dict(by_fold(one))
    level = 1 - (1 - case.level) / len(parts)
    found = {fold: _interval(case, part, level) for fold, part in parts.items()}
    value = {fold: one.mean for fold, one in found.items()}
    far = []
    for fold, (_, low, high) in found.items():
        middle = float(np.median([value[other] for other in value if other != fold])) if len(value) > 2 else 0.0
        if middle >= LEAST_MIDDLE and value[fold] < FAR * middle and high < middle:
            far.append(Fold(fold, value[fold], low, high, middle))
    return far


def _interval(case: Examination, part: Rated, level: float) -> Interval:
    """Of the mean column Spearman, which is at chance where no column has a correlation."""
    draw = {"resamples": case.resamples, "seed": case.seed}
    found = resample_spearman({"": part.prediction_NT}, part.label_NT, part.group_N, **draw).interval("", level)
    return Interval(*(float(number) for number in np.nan_to_num(found)))


def _is_hard(case: Examination, number: int) -> bool:
    """The floor falls as deep on the same fold: its rows are why."""
    own, middle = _floor(case, number)
    return own is not None and own < FAR * middle


def _floor(case: Examination, number: int) -> tuple[float | None, float]:
    """Mean column Spearman of the lexical floor on a fold, and the middle of its others; None without a floor."""
    run = case.records.runs.get(case.systems.rating_baseline)
    if run is None or run.ratings is None:
        return None, 0.0
    parts = {fold: mean_column_spearman(part.prediction_NT, part.label_NT, part.targets).value or 0.0
             for fold, part in by_fold(wide(run.ratings))}  # fmt: skip
    return parts[number], float(np.median([value for fold, value in parts.items() if fold != number]))


def _floor_evidence(case: Examination, number: int) -> Iterator[Evidence]:
    own, middle = _floor(case, number)
    if own is not None:
        yield Evidence("mean column Spearman of the lexical floor on the fold", own)
        yield Evidence("middle of its other folds", middle)


def _schedule_evidence(record: TrainingRecord) -> Iterator[Evidence]:
    if "rate_factor" in record.history:
        yield Evidence("rate of the first step over its peak", float(record.history["rate_factor"].iloc[0]), "share")
