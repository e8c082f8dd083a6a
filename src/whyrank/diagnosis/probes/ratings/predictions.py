"""Faults that predicted ratings show: equal ones, and a fold that failed.

Shapes: N rows · T targets
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.diagnosis.compare.ratings import Rated, by_fold, wide
from whyrank.diagnosis.examination import LEAST_EFFECT, Examination, points
from whyrank.diagnosis.probes.ratings.imbalance import CLASS_AWARE
from whyrank.diagnosis.probes.training.learning_rate import AT_ONCE
from whyrank.diagnosis.probes.training.steps import scaled_rates, too_long, usual_rates
from whyrank.diagnosis.probes.training.warmup import USUAL_WARMUP, WARMUP
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord
from whyrank.measure.significance.resampling import Interval
from whyrank.measure.significance.statistics import resample_spearman
from whyrank.preflight.probes.rating_labels import excluding

# Labels are between 0 and 1: what spans less than this is one value and rounding.
ONE_VALUE = 1e-6

# A fold below this share of the median of the others; where that is lower than the second, nothing can be lost.
FAR = 0.5
LEAST_MIDDLE = 0.05
ON_FOLDS = (
    "mean column Spearman of the lexical baseline on the fold",
    "median of the lexical baseline on the other folds",
)


@probe("constant-predictions", on="trained", explains=("worse-than-lexical",), about="ratings", layer="symptom")
def constant_predictions(case: Examination) -> Iterator[Finding | Outcome]:
    """A system gives all rows of a fold the same rating in a target whose labels differ."""
    for system, run in case.records.runs.items():
        one = None if run.ratings is None else wide(run.ratings)
        cells = [] if one is None else constant_cells(one)
        if one is None:
            yield not_applicable(system, "rated texts")
            continue
        if not cells:
            yield passed(system, Evidence("fold columns without a correlation", 0), 1)
            continue
        folds, targets = len(np.unique(one.fold_N)), len(one.targets)
        touched = sorted({target for _, target in cells})
        whole = whole_folds(one, cells)
        why = (
            "Every target of a fold is constant: its training broke down."
            if whole
            else "The loss is lowest at the mean of a target that has nearly always the same value."
        )
        yield Finding(
            severity="error" if whole or len(cells) >= folds else "warning",
            system=system,
            sentence=f"{system} gives all rows of a fold the same rating in {_some(touched)}: {len(cells)} of "
            f"{folds * targets} fold columns have no correlation.",
            evidence=(
                Evidence("targets with a constant fold", len(touched), f"of {targets}"),
                Evidence("folds with a constant target", len({fold for fold, _ in cells}), f"of {folds}"),
                Evidence("folds in which every target is constant", len(whole), f"of {folds}"),
                Evidence("fold columns without a correlation", len(cells), f"of {folds * targets}").against(1),
            ),
            cause=f"Equal ratings have no rank correlation; a tool that averages NaN loses the whole fold. {why}",
            fix=_constant_fix(case, system, one, touched, is_whole=bool(whole)),
            reference="ST#2702, #829",
            weight=100 * max(abs(one.value), LEAST_EFFECT) * len(cells) / (folds * targets),
        )


def constant_cells(one: Rated) -> list[tuple[int, str]]:
    """(fold, target) where predictions are equal, or no numbers, while the labels that were trained on differ."""
    return [
        (fold, target)
        for fold, part in by_fold(one)
        for t, target in enumerate(one.targets)
        if _is_one_value(part.prediction_NT[:, t]) and not _is_one_value(one.label_NT[one.fold_N != fold, t])
    ]


def whole_folds(one: Rated, cells: list[tuple[int, str]]) -> set[int]:
    """Folds in which that holds for every target."""
    folds = [fold for fold, _ in cells]
    return {fold for fold in folds if folds.count(fold) == len(one.targets)}


def _is_one_value(value_N: np.ndarray) -> bool:
    return not np.isfinite(value_N).all() or bool(np.ptp(value_N) < ONE_VALUE)


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more targets"


def _constant_fix(case: Examination, system: str, one: Rated, touched: list[str], *, is_whole: bool) -> Fix:
    """Where the loss weighs sides already, such targets are left out: nothing that can be set orders their rows."""
    record = case.records.training_of(system)
    if record is None or record.history.empty:
        return Fix({}, "look at the texts of these rows: the system reads nothing in which they differ")
    if is_whole:
        return Fix(steadier(record))
    weighs_sides = "ratings_weighted_bce_loss" in record.history
    has_others = any(f"ratings_{name}_loss" in record.history for name in ("bce", "focal", "mse"))
    if not weighs_sides or has_others:
        return Fix(dict(CLASS_AWARE))
    leaves_none = len(touched) == len(one.targets)
    return Fix(steadier(record)) if leaves_none else excluding(case.data, touched)


def steadier(record: TrainingRecord) -> dict[str, object]:
    """A warm-up where there was none, and usual rates for those far above them; else a third of the rates."""
    factor = record.history.get("rate_factor")
    is_cold = factor is not None and factor.iloc[0] >= AT_ONCE
    calm = usual_rates(record) if too_long(record) else {}
    return (calm | ({WARMUP: USUAL_WARMUP} if is_cold else {})) or scaled_rates(record, 1 / 3)


class Fold(NamedTuple):
    """found    mean column Spearman; 0 where no target is defined
    middle   of the other folds
    """

    number: int
    found: Interval
    middle: float


@probe("fold-failed", on="trained", explains=("worse-than-lexical",), about="ratings", layer="symptom")
def fold_failed(case: Examination) -> Iterator[Finding | Outcome]:
    """The training of one fold ended far below the others, on rows that a lexical baseline rates like the rest."""
    baseline = _baseline(case)
    # Where the baseline is as bad on the same fold its rows are hard.
    hard = {fold for fold, (own, middle) in baseline.items() if own < FAR * middle}
    for system in case.systems.tuned:
        run, record = case.records.runs.get(system), case.records.training_of(system)
        if run is None or run.ratings is None or record is None:
            yield not_applicable(system, "rated texts, and their training")
            continue
        failed = [fold for fold in far_folds(case, wide(run.ratings)) if fold.number not in hard]
        if not failed:
            yield passed(system, Evidence("folds that failed", 0, f"of {run.ratings['fold'].nunique()}"), 1)
            continue
        factor = record.history.get("rate_factor", pd.Series(dtype=float)).head(1)
        worst = min(failed, key=lambda fold: fold.found.mean - fold.middle)
        folds = run.ratings["fold"].nunique()
        yield Finding(
            severity="error" if worst.found.low <= 0 else "warning",
            system=system,
            sentence=f"Training failed on fold {worst.number} of {system}: its mean column Spearman is "
            f"{worst.found.mean:.3f}, the median of the others {worst.middle:.3f}.",
            evidence=(
                Evidence("mean column Spearman of the fold", worst.found.mean),
                Evidence("median of the other folds", worst.middle),
                Evidence("folds that failed", len(failed), f"of {folds}").against(1),
                *(Evidence(*of) for of in zip(ON_FOLDS, baseline.get(worst.number, ()), strict=False)),
                *(percent("learning rate of the first step, of its peak", float(first)) for first in factor),
            ),
            cause="With the same parameters the other folds learned: the first steps, or steps that were too long, "
            "broke this training, and a mean over folds hides it.",
            fix=Fix(steadier(record)),
            reference="Devlin et al. 2019 and Mosbach et al. 2021, arXiv:2006.04884 (failed runs of fine-tuning)",
            interval=points(worst.found),
            weight=100 * sum(fold.middle - fold.found.mean for fold in failed) / folds,
        )


def far_folds(case: Examination, one: Rated) -> list[Fold]:
    """Those below the median of the others by more than half of it and more than chance gives the worst of F folds."""
    parts = dict(by_fold(one))
    level = 1 - (1 - case.level) / len(parts)
    found = {number: _interval(case, part, level) for number, part in parts.items()}
    value = {number: one.mean for number, one in found.items()}
    folds = [Fold(number, one, _middle(value, number)) for number, one in found.items()]
    return [
        fold
        for fold in folds
        if fold.middle >= LEAST_MIDDLE and fold.found.mean < FAR * fold.middle and fold.found.high < fold.middle
    ]


def _interval(case: Examination, part: Rated, level: float) -> Interval:
    """Of the mean column Spearman, which is at chance where no column has a correlation."""
    draw = {"resamples": case.resamples, "seed": case.seed}
    found = resample_spearman({"": part.prediction_NT}, part.label_NT, part.group_N, **draw).interval("", level)
    return Interval(*(float(number) for number in np.nan_to_num(found)))


def _middle(value_by_fold: dict[int, float], number: int) -> float:
    """Median of the other folds; 0 with fewer than two."""
    others = [value for fold, value in value_by_fold.items() if fold != number]
    return float(np.median(others)) if len(others) > 1 else 0.0


def _baseline(case: Examination) -> dict[int, tuple[float, float]]:
    """Mean column Spearman of the lexical baseline on each fold, and the median of its others; empty without one."""
    run = case.records.runs.get(case.systems.rating_baseline)
    rows = None if run is None else run.ratings
    value = {} if rows is None else {fold: part.value for fold, part in by_fold(wide(rows))}
    return {fold: (own, _middle(value, fold)) for fold, own in value.items()}
