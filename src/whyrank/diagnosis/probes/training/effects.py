"""What a fine-tuning did to each of its objectives, by the metric of that objective."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import LEAST_EFFECT, Examination
from whyrank.diagnosis.probes.ratings.courses import TRAINING_ROWS, course
from whyrank.findings.records import TrainingRecord

# Standard errors that a change must exceed.
NOISE = 2.0
# Of accuracy or correlation: an objective that has got so far has learned, however it began.
LEARNT = 0.80
# Share of what there was to learn at the start that training at least takes.
HARDLY_MOVED = 0.10
# Training queries that an evaluation draws at most (training/ranking/task.py).
TRAINING_QUERIES = 200
# Share of the steps at either end that a figure of single batches is averaged over.
END = 0.1

RANK, RATINGS = "rank", "ratings"
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


def objectives(record: TrainingRecord) -> list[str]:
    """Names of the objectives that were on, ranking first; also of one that no batch ever took."""
    found = {match.group(1) for name in record.history if (match := COLUMN.fullmatch(str(name)))}
    return sorted(found, key=lambda name: (name != RANK, name))


def effect(case: Examination, record: TrainingRecord, name: str) -> Effect | None:
    """None where the metric of the objective was not recorded."""
    evaluations, history = record.evaluations, record.history
    if name == RANK:
        accuracy = evaluations["train_accuracy@1"]
        seen = min(TRAINING_QUERIES, int((case.data.queries["split"] == "train").sum()))
        spread = accuracy.iloc[0] * (1 - accuracy.iloc[0])
        return _of_evaluations("accuracy@1 on training queries", accuracy, float(np.sqrt(spread / max(1, seen))))
    if name == "similarity" and "spearman_mean" in evaluations:
        # Of a rank correlation near 0, and so the largest: Kendall and Stuart 1973, section 31.19.
        return _of_evaluations(
            "Spearman of the dev pairs", evaluations["spearman_mean"], 1 / np.sqrt(max(1, _dev_pairs(case) - 1))
        )
    if name == RATINGS:
        # One column has the largest error; that of a mean over columns is smaller.
        return _of_evaluations(
            "mean column Spearman of training rows", course(record)["train"], 1 / np.sqrt(TRAINING_ROWS)
        )
    if f"{name}_accuracy" in history:
        return _of_batches(f"accuracy of {name} in the batches", history[f"{name}_accuracy"].dropna().to_numpy())
    return None


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


def _of_evaluations(metric: str, value: pd.Series, error: float) -> Effect | None:
    known = value.dropna().to_numpy(dtype=float)
    return Effect(metric, float(known[0]), float(known[-1]), error) if len(known) > 1 else None


def _of_batches(metric: str, value_S: np.ndarray) -> Effect | None:
    ends = max(2, round(END * len(value_S)))
    if len(value_S) < 2 * ends:
        return None
    first, last = value_S[:ends], value_S[-ends:]
    error = np.sqrt((first.var(ddof=1) + last.var(ddof=1)) / ends)
    return Effect(metric, float(first.mean()), float(last.mean()), float(error))


def _dev_pairs(case: Examination) -> int:
    counts = case.data.tables.get("pair_counts")
    return 0 if counts is None else int(counts.loc[counts["use"] == "dev", "kept"].sum())
