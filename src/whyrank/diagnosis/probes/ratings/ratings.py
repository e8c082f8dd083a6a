"""Faults of ratings that predictions show: equal ones, and those from a question and an answer that never met.

Shapes: N rows · T targets
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from whyrank.diagnosis.compare.ratings import Rated, by_fold, wide
from whyrank.diagnosis.examination import LEAST_EFFECT, Examination, is_higher, points, spoken
from whyrank.diagnosis.probes.training.schedule import AT_ONCE, USUAL_WARMUP, WARMUP
from whyrank.diagnosis.probes.training.steps import scaled_rates, too_long, usual_rates
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.records import TrainingRecord
from whyrank.measure.metrics.ratings import mean_column_spearman
from whyrank.measure.significance.resampling import Interval
from whyrank.preflight.probes.rating_columns import excluding
from whyrank.preflight.probes.rating_labels import CLASS_AWARE

# Labels are between 0 and 1: what spans less than this is one value and rounding.
ONE_VALUE = 1e-6

OBJECTIVE = "finetune_rank.objectives.ratings"


def constant_predictions(case: Examination) -> Iterator[Finding]:
    """A system rates all rows of a fold alike in a target whose labels differ."""
    for system, run in case.records.runs.items():
        one = None if run.ratings is None else wide(run.ratings)
        cells = [] if one is None else constant_cells(one)
        if one is None or not cells:
            continue
        folds, targets = len(np.unique(one.fold_N)), len(one.targets)
        touched = sorted({target for _, target in cells})
        whole = whole_folds(one, cells)
        mean = mean_column_spearman(one.prediction_NT, one.label_NT, one.targets).value or 0.0
        yield Finding(
            code="constant-predictions",
            severity="error" if whole or len(cells) >= folds else "warning",
            system=system,
            sentence=f"{system} gives all rows of a fold the same rating in {_some(touched)}: "
            f"{len(cells)} of {folds * targets} columns of folds order nothing.",
            evidence=(
                Evidence("targets with a constant fold", len(touched), f"of {targets}"),
                Evidence("folds with a constant target", len({fold for fold, _ in cells}), f"of {folds}"),
                Evidence("folds in which every target is constant", len(whole), f"of {folds}"),
                Evidence("columns of folds without a correlation", len(cells), f"of {folds * targets}"),
            ),
            cause="No rank correlation exists for equal ratings; a tool that averages it as NaN loses the whole fold. "
            + (
                "Every target of a fold is constant: its training broke down."
                if whole
                else "The loss is lowest at the mean of a target that is nearly always the same."
            ),
            fix=_constant_fix(case, system, one, touched, is_whole=bool(whole)),
            reference="ST#2702, #829",
            weight=100 * max(abs(mean), LEAST_EFFECT) * len(cells) / (folds * targets),
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
        return Fix({}, "look at the texts of these rows: nothing that was read of them differs")
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


def separate_encoders_lose_interaction(case: Examination) -> Iterator[Finding]:
    """Question and answer were read apart, and the same encoder rates better where it reads them as one text."""
    rows = case.data.ratings
    if rows.empty or not (rows["second"] >= 0).any():
        return
    for system, init in case.systems.untuned.items():
        found = None if system not in case.records.runs else layouts(case, init)
        if found is None or not is_higher(found.gain):
            continue
        yield Finding(
            code="separate-encoders-lose-interaction",
            severity="warning",
            system=system,
            sentence=f"Question and answer are read apart; read as one text by {init}, with a ridge on top, they are "
            f"rated {spoken(found.gain)} of mean column Spearman better.",
            evidence=(
                Evidence("mean column Spearman, read as one text", found.joint),
                Evidence("the same, read apart", found.separate),
                Evidence("difference", 100 * found.gain.mean, "points"),
            ),
            cause="Two vectors meet only in the head: no token of the answer attends to a token of the question, so "
            "whether the one answers the other has to be guessed from what each says alone.",
            fix=Fix({"prepare.ratings.layout": "joint", f"{OBJECTIVE}.encoders": "one"} | fitting(case)),
            reference="Humeau et al. 2020, arXiv:1905.01969 (cross-encoders and bi-encoders)",
            interval=points(found.gain),
            weight=100 * found.gain.mean,
        )


def fitting(case: Examination) -> dict[str, object]:
    """Token budgets of all fields in their old proportions, where one text has no room for their sum."""
    table = case.data.tables["rating_fields"]
    total, room = int(table["budget"].sum()), int(table["one_text_takes"].iloc[0])
    if total <= room:
        return {}
    parts = zip(table["field"], table["budget"], strict=True)
    return {f"prepare.ratings.tokens.{name}": int(budget) * room // total for name, budget in parts}


class Layouts(NamedTuple):
    """Mean column Spearman of ridge on the frozen encoder, by layout, and joint minus separate on the same rows."""

    joint: float
    separate: float
    gain: Interval


def layouts(case: Examination, init: str) -> Layouts | None:
    """None where the two were not recorded, or one of them orders nothing."""
    run = case.records.runs.get(init)
    if run is None or run.rating_layouts is None:
        return None
    parts = {str(name): wide(rows) for name, rows in run.rating_layouts.groupby("layout")}
    if set(parts) != {"joint", "separate"}:
        return None
    joint, separate = parts["joint"], parts["separate"]
    gain = case.rating_gain(joint, separate)
    one, other = (mean_column_spearman(part.prediction_NT, part.label_NT, part.targets).value
                  for part in (joint, separate))  # fmt: skip
    return None if one is None or other is None or gain is None else Layouts(one, other, gain)
