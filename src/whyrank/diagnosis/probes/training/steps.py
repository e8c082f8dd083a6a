"""How many and how long steps a fine-tuning should take, from those that it took."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.usual import OPTIMISATION
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable
from whyrank.findings.records import ELSEWHERE, Records, TrainingRecord

# Of the heads and, where it was trained, of the encoder; parameters and columns of the history have the same names.
# `<task>_learning_rate` is of what a task has for itself, where it has a rate of its own.
RATES = ("learning_rate", "encoder_learning_rate")
OWN = "_learning_rate"
# Adam moves a weight by about the learning rate in a step (Kingma and Ba 2015, section 2.1), so the sum of the rates
# bounds how far weights went. Heads on the sample learned as much for the same sum, in 30 steps or in 3000: training
# accuracy 0.40 -> 0.42 at 0.0015, 0.85 at 0.015. Pretrained layers need a tenth of it.
ENOUGH = {"learning_rate": 0.015, "encoder_learning_rate": 0.0015}
# Rates at which they learned there; what is missing beyond them takes more steps.
USUAL: dict[str, float] = {name: OPTIMISATION[name].value for name in RATES}
# Times the usual rate.
FAR = 30.0
# Share of the usual rate from which weights stand still beside what learning takes.
SLOW = 1e-3
# A rate of zero is a rate.
TINY = 1e-12

# A training that leaves this share of what it had on training rows, or less, took steps in the wrong direction.
LEFT = 0.8
# Of the dev set, the first that was evaluated.
DEV = ("mrr_all", "spearman_mean", "ratings_spearman")
# What the best of the later evaluations is below the first, where the rate is to blame and not the dev set's noise.
FELL = 0.05


class Ends(NamedTuple):
    start: float
    end: float
    error: float  # standard error of the difference


def ends(value: pd.Series) -> Ends | None:
    """Means over the first tenth of the steps, two at least, and the last quarter; None with fewer than eight steps."""
    # A step that drew another objective has no figure.
    value = value.dropna()
    if len(value) < 8:
        return None
    first, last = value.to_numpy()[: max(2, len(value) // 10)], value.to_numpy()[-(len(value) // 4) :]
    # Both by the noise of the last quarter: two values tell no noise.
    noise = last.std(ddof=1) if len(last) > 1 else 0.0
    return Ends(float(first.mean()), float(last.mean()), float(noise * np.sqrt(1 / len(first) + 1 / len(last))))


def judged_at(record: TrainingRecord, row: int) -> float | None:
    """accuracy@1 on training queries at an evaluation: 0, before the first step; -1, the last. None without ranking."""
    if "rank_loss" not in record.history or "train_accuracy@1" not in record.evaluations:
        return None
    return float(record.evaluations["train_accuracy@1"].iloc[row])


def trained(case: Examination) -> dict[str, TrainingRecord]:
    """Fine-tunings with at least one step, by initial encoder."""
    return {init: record for init, record in case.records.finetune.items() if len(record.history)}


def each_training(
    find: Callable[[Examination, str, TrainingRecord], Iterator[Finding | Outcome]],
) -> Callable[[Examination], Iterator[Finding | Outcome]]:
    """A check of every fine-tuning by itself, given the encoder that it started from; it is about what was trained."""

    def find_in_all(case: Examination) -> Iterator[Finding | Outcome]:
        if not trained(case):
            yield not_applicable("finetune_rank", "a fine-tuning with at least one step")
        for init, record in trained(case).items():
            system = case.systems.trained_from(init)
            yield from (replace(finding, system=system) for finding in find(case, init, record))

    return find_in_all


def evaluated(
    find: Callable[[Examination, str, TrainingRecord], Iterator[Finding | Outcome]],
) -> Callable[[Examination, str, TrainingRecord], Iterator[Finding | Outcome]]:
    """A check of a training by its evaluations on the dev set while it went on; one elsewhere has none that we know."""

    def find_in(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
        if ELSEWHERE in record.metrics:
            yield not_applicable("", "evaluations on the dev set while it was trained")
        else:
            yield from find(case, init, record)

    return find_in


def peak_rates(record: TrainingRecord) -> dict[str, float]:
    """By column of the history."""
    own = [name for name in map(str, record.history) if name.endswith(OWN) and name not in RATES]
    return {name: float(record.history[name].max()) for name in (*RATES, *own) if name in record.history}


def are_slow(record: TrainingRecord) -> bool:
    """Whether no rate ever came near one at which anything learns."""
    return all(peak < SLOW * measure_of(USUAL, name) for name, peak in peak_rates(record).items())


def peak_evidence(record: TrainingRecord, reached: str) -> Iterator[Evidence]:
    return (Evidence(f"{name.replace('_', ' ')} {reached}", rate) for name, rate in peak_rates(record).items())


def moved(record: TrainingRecord) -> float | None:
    """Largest movement of a part by the last step, as a share of its length; None where it was not recorded."""
    parts = [name for name in record.history if str(name).startswith("moved_")]
    return float(record.history[parts].iloc[-1].max()) if parts else None


def parameter(rate: str, section: str = "finetune_rank") -> str:
    """Of a learning rate, by its column."""
    return f"{section}.{rate}" if rate in RATES else f"{section}.objectives.{rate.removesuffix(OWN)}.learning_rate"


def measure_of(table: dict[str, float], rate: str) -> float:
    """Of `ENOUGH` or `USUAL`: what a task has for itself is a head."""
    return table.get(rate, table["learning_rate"])


def scaled_rates(record: TrainingRecord, factor: float, section: str = "finetune_rank") -> dict[str, object]:
    """Overrides that multiply the learning rate of whatever was trained."""
    return {parameter(name, section): rounded(factor * rate) for name, rate in peak_rates(record).items()}


def calmer(record: TrainingRecord, section: str = "finetune_rank") -> dict[str, object]:
    """A tenth of the rates, at most the usual ones: one step from a senseless rate to one at which layers learn."""
    return {
        parameter(name, section): rounded(min(peak / 10, measure_of(USUAL, name)))
        for name, peak in peak_rates(record).items()
    }


def gentler(record: TrainingRecord, section: str = "finetune_rank") -> dict[str, object]:
    """Rates that bring weights as far as learning takes, at most a third of those that there were."""
    far = [record.history[name].sum() / measure_of(ENOUGH, name) for name in peak_rates(record)]
    return scaled_rates(record, 1 / max([3.0, *far]), section)


def further(record: TrainingRecord) -> dict[str, float]:
    """How many times as far as they went the weights have to go, by what was trained; 1 where they went far enough."""
    return {
        name: max(1.0, measure_of(ENOUGH, name) / max(record.history[name].sum(), TINY)) for name in peak_rates(record)
    }


def go_further(record: TrainingRecord, epochs: float) -> Fix | None:
    """Longer steps up to the usual rates, then more of them; None where the weights went far enough."""
    far = further(record)
    if max(far.values(), default=1.0) <= 1:
        return None
    peaks = {name: max(peak, TINY) for name, peak in peak_rates(record).items()}
    longer = {name: min(far[name], max(1.0, measure_of(USUAL, name) / peak)) for name, peak in peaks.items()}
    more = max(far[name] / longer[name] for name in peaks)
    rates = {parameter(name): rounded(longer[name] * peak) for name, peak in peaks.items()}
    return Fix(train_for(more * epochs) | rates)


def usual_rates(record: TrainingRecord) -> dict[str, object]:
    """The rates at which pretrained layers and new heads learn, for those that are lower, or far higher."""
    far = too_long(record)
    wrong = [name for name, peak in peak_rates(record).items() if peak < measure_of(USUAL, name) or name in far]
    return {parameter(name): measure_of(USUAL, name) for name in wrong}


def too_long(record: TrainingRecord) -> set[str]:
    """Rates that no pretrained encoder, and no layer on it, stands."""
    return {name for name, peak in peak_rates(record).items() if peak > FAR * measure_of(USUAL, name)}


def is_of_heads(record: TrainingRecord) -> bool:
    """Whether nothing of the encoder was trained."""
    return not any(str(name).startswith(("moved_block_", "moved_embeddings")) for name in record.history)


def is_never_as_good(record: TrainingRecord) -> bool:
    """Whether the dev set was ranked, or its pairs or ratings ordered, best before the first step, by points."""
    looks = record.evaluations
    value = next((looks[name].dropna() for name in DEV if name in looks), None)
    return value is not None and len(value) > 1 and bool(value.iloc[0] - value.iloc[1:].max() >= FELL)


def rows_seen(records: Records, record: TrainingRecord, objective: str, column: str) -> float:
    """Rows of an objective in all batches: a step records the mean of those that it summed and that took it."""
    batches = records.params.get("finetune_rank", {}).get("gradient_accumulation_steps", 1)
    share_S = record.history.get(f"{objective}_batches", 1.0)
    return float((batches * share_S * record.history[column]).sum())


def train_for(epochs: float) -> dict[str, object]:
    """Overrides for so many rounds through the training rows, which no number of steps cuts off."""
    return {"finetune_rank.epochs": rounded(epochs), "finetune_rank.max_steps": 0}


def rounded(value: float) -> float:
    return float(f"{value:.2g}")


def times_as_long(record: TrainingRecord) -> float:
    """How long the weights are, of what they were; histories from before it was recorded say nothing."""
    return float(record.history["weight_norm"].iloc[-1]) if "weight_norm" in record.history else 1.0
