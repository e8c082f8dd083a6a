"""What a fine-tuning did to each of its objectives. How that is read off a record, the room of a task says: `Task`."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import LEAST_EFFECT, Examination
from whyrank.findings.finding import Evidence, Fix
from whyrank.findings.records import TrainingRecord
from whyrank.measure.significance.resampling import Interval

# Standard errors that a change must exceed.
NOISE = 2.0
# Of accuracy or correlation: an objective that has got so far has learned, however it began.
LEARNT = 0.80
# Share of what there was to learn at the start that training at least takes.
HARDLY_MOVED = 0.10
# Share of the steps at either end that a figure of single batches is averaged over.
END = 0.1
# Share of the whole gain that fell in the last quarter of the evaluations; a run that flattens gives 1 to 5 % there.
STILL_RISING = 0.10
LEAST_EVALUATIONS = 4
# Rows of a batch whose negatives are many enough to include hard ones.
MORE = 64

COLUMN = re.compile(r"([a-z]+)_(?:loss|gradient_share|batches)")


@dataclass(frozen=True)
class Effect:
    """metric       what was measured; 1 is perfect
    start, end   before the first step, and at the last evaluation or over the last tenth of the steps
    error        standard error of one of them
    """

    metric: str
    start: float
    end: float
    error: float

    @property
    def fell(self) -> bool:
        return self.start - self.end > max(NOISE * self.error, LEAST_EFFECT)

    @property
    def rose(self) -> bool:
        return self.end - self.start > max(NOISE * self.error, LEAST_EFFECT)

    @property
    def hardly_moved(self) -> bool:
        return self.end < LEARNT and self.end - self.start < HARDLY_MOVED * (1 - self.start)

    @property
    def evidence(self) -> tuple[Evidence, Evidence]:
        return Evidence(f"{self.metric} at the start", self.start), Evidence(f"{self.metric} at the end", self.end)


class Gap(NamedTuple):
    """What a training lacks of the best baseline that nothing was tuned for; `NO_GAP` where none speaks of too little.

    short      in the metric of the course
    baseline   in words: which one, and how good it is
    way        share of the way that weights go where something is learnt, at most 1
    begun_at   in words: how good the system is, where training has only begun
    """

    short: float
    baseline: str
    way: float = 1.0
    begun_at: str = ""


NO_GAP = Gap(0.0, "")


class Course(NamedTuple):
    """How the objective that a run is about was learned, which decides whether the training underfits.

    metric, seen, held_out, rows   in words: of what, on what, what was looked at beside, a round through what
    train, dev                  (L,) at each evaluation
    left, tail_gain             to learn; in the last part of the way
    epochs                      rounds made
    """

    metric: str
    seen: str
    held_out: str
    rows: str
    train: np.ndarray
    dev: np.ndarray
    is_rising: bool
    left: float
    tail_gain: float
    epochs: float
    fix: Fix
    gap: Gap = NO_GAP

    @property
    def hardly_moved(self) -> bool:
        return hardly_moved(self.train)


@dataclass(frozen=True)
class Task:
    """What checks of a training ask about one of its objectives.

    name         in columns of the history, such as `<name>_loss`
    effect       of a training; None where the metric was not recorded
    course       of the training from the encoder that is named; None where it was not trained, or not looked at
    candidates   texts in a batch that each is compared with, and what gives it more; None where none is
    gain         of one system over another in what the objective is for, and what it is measured by
    leads        a run with several objectives is about this one
    sides        what its loss compares, in words, in the order of `<name>_side_<n>_gradient`
    """

    name: str
    effect: Callable[[Examination, TrainingRecord], Effect | None]
    course: Callable[[Examination, str, TrainingRecord], Course | None] = lambda case, init, record: None
    candidates: Callable[[Examination, TrainingRecord], tuple[float, Fix] | None] = lambda case, record: None
    gain: Callable[[Examination, str, str], tuple[Interval | None, str]] = lambda case, one, other: (None, "")
    leads: bool = False
    sides: tuple[str, ...] = ()


_REGISTERED: dict[str, Task] = {}


def register(task: Task) -> None:
    _REGISTERED[task.name] = task


def leads(name: str) -> bool:
    return name in _REGISTERED and _REGISTERED[name].leads


def tasks() -> list[Task]:
    """What leads comes first."""
    return sorted(_REGISTERED.values(), key=lambda task: (not task.leads, task.name))


def objectives(record: TrainingRecord) -> list[str]:
    """Names of the objectives that were on, what leads first; also of one that no batch ever took."""
    found = {match.group(1) for name in record.history if (match := COLUMN.fullmatch(str(name)))}
    return sorted(found, key=lambda name: (not leads(name), name))


def effect(case: Examination, record: TrainingRecord, name: str) -> Effect | None:
    """None where the metric of the objective was not recorded; of one without a room, its accuracy in the batches."""
    if name in _REGISTERED:
        return _REGISTERED[name].effect(case, record)
    accuracy = record.history.get(f"{name}_accuracy")
    return None if accuracy is None else _of_batches(f"accuracy of {name} in the batches", accuracy.dropna().to_numpy())


def cost(case: Examination, init: str, found: Effect) -> float:
    """Points, of its own metric or of what was tested, whichever lost more; and one, to stand before mere symptoms."""
    return 1 + 100 * max(0.0, found.start - found.end, _lost(case, init))


def _lost(case: Examination, init: str) -> float:
    """By tuning: of the metric of test queries, or of ratings where those alone were trained."""
    after = case.systems.trained_from(init)
    before = case.systems.start.get(after, init)
    if case.records.finetune[init].is_for_ratings:
        difference = case.rating_difference(after, before)
        return 0.0 if difference is None else -difference.mean
    return case.mean(before) - case.mean(after) if {before, after} <= set(case.records.runs) else 0.0


def of_evaluations(metric: str, value: pd.Series, error: float) -> Effect | None:
    """From the first evaluation to the last; None with fewer than two that are defined."""
    known = value.dropna().to_numpy(dtype=float)
    return Effect(metric, float(known[0]), float(known[-1]), error) if len(known) > 1 else None


def _of_batches(metric: str, value_S: np.ndarray) -> Effect | None:
    ends = max(2, round(END * len(value_S)))
    if len(value_S) < 2 * ends:
        return None
    first, last = value_S[:ends], value_S[-ends:]
    error = np.sqrt((first.var(ddof=1) + last.var(ddof=1)) / ends)
    return Effect(metric, float(first.mean()), float(last.mean()), float(error))


def hardly_moved(train_L: np.ndarray) -> bool:
    """Little of what there was to learn of training rows was learned at the best evaluation."""
    return bool(train_L.max() < LEARNT and train_L.max() - train_L[0] < HARDLY_MOVED * (1 - train_L[0]))


def is_rising(gain: float, curve_L: np.ndarray) -> bool:
    """Whether a curve gained much of its whole gain in its last part."""
    return bool(len(curve_L) >= LEAST_EVALUATIONS and gain >= max(LEAST_EFFECT, STILL_RISING * np.ptp(curve_L)))
