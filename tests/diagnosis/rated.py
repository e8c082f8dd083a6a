"""Ratings beside any recorded run, healthy, and the means to spoil them: 300 rows in 5 folds on 4 targets."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd

from whyrank.findings.records import Records, RunRecord, TrainingRecord

ROWS, FOLDS, STEPS = 300, 5, 400
# Two rows of each group, whole groups in a fold.
GROUP = np.arange(ROWS) // 2
FOLD = GROUP % FOLDS
TARGETS = ["clear", "helpful", "rare", "kind|<b>"]
# Noise of a system's ratings, in standard deviations of the label.
NOISE = {"tfidf": 2.6, "base": 2.4, "barlow": 2.39, "base-tuned": 1.6, "barlow-tuned": 1.59}
BLOCKS_NOISE = 2.4
LAYOUT_NOISE = {"joint": 2.4, "separate": 2.4}


@cache
def labels() -> np.ndarray:
    """(N, T): even, on a grid of thirds, nine tenths of it zero, and skewed."""
    random = np.random.default_rng(5)
    even, grid = random.random(ROWS), random.integers(0, 4, ROWS) / 3
    rare = np.where(random.random(ROWS) < 0.1, random.random(ROWS), 0.0)
    return np.stack([even, grid, rare, random.beta(2, 6, ROWS)], axis=1)


def predictions(noise: float) -> np.ndarray:
    """(N, T): the same luck for every system, so that less noise is better."""
    label_NT = labels()
    return label_NT + noise * label_NT.std(axis=0) * np.random.default_rng(6).standard_normal(label_NT.shape)


def long(prediction_NT: np.ndarray) -> pd.DataFrame:
    n = len(TARGETS)
    table = pd.DataFrame({"rating_id": np.repeat([f"r{i:03}" for i in range(ROWS)], n), "fold": np.repeat(FOLD, n)})
    table = table.assign(group=np.repeat(GROUP, n), target=TARGETS * ROWS, label=labels().ravel())
    return table.assign(prediction=prediction_NT.ravel(), snapped=prediction_NT.clip(0, 1).ravel())


@cache
def sound(noise: float) -> pd.DataFrame:
    return long(predictions(noise))


@cache
def layouts(**noise: float) -> pd.DataFrame:
    parts = [sound(value).assign(layout=name) for name, value in (LAYOUT_NOISE | noise).items()]
    return pd.concat(parts, ignore_index=True)


def prepared(*, is_separate: bool = False) -> pd.DataFrame:
    table = pd.DataFrame({"rating_id": [f"r{i:03}" for i in range(ROWS)], "use": "train", "group": GROUP, "fold": FOLD})
    table = table.assign(title="a title", body="a body", answer="an answer", first=np.arange(ROWS))
    table["second"] = np.arange(ROWS) + ROWS if is_separate else -1
    return table.join(pd.DataFrame(labels(), columns=TARGETS))


def training(held_out: float = 0.35, train: float = 0.6, curve: np.ndarray | None = None) -> TrainingRecord:
    """Of ratings alone, at full rate from the first step and decayed to zero: rising from 0, and then flat."""
    done = np.arange(1, STEPS + 1) / STEPS
    history = pd.DataFrame({"step": np.arange(1, STEPS + 1), "rate_factor": (1 + np.cos(np.pi * done)) / 2})
    history["rate_factor"] = history["rate_factor"].where(history["step"] > 1, 1.0)
    history = history.assign(learning_rate=1e-3 * history["rate_factor"], progress=done, gradient_norm=2.0)
    history = history.assign(encoder_learning_rate=1e-4 * history["rate_factor"], moved_block_5=0.02 * done)
    history = history.assign(ratings_loss=0.7 - 0.3 * done, loss=0.7 - 0.3 * done, ratings_rows=16)
    step = np.arange(0, STEPS + 1, STEPS // 8)
    risen = 1 - np.exp(-8 * step / STEPS) if curve is None else curve
    looks = pd.DataFrame({"step": step, "accuracy@1_all": 0.6, "train_accuracy@1": 0.6})
    looks = looks.assign(ratings_spearman=held_out * risen, train_ratings_spearman=train * risen)
    columns = ["step", "ratings_spearman", "train_ratings_spearman"]
    folds = pd.concat([looks[columns].assign(fold=fold) for fold in range(FOLDS)], ignore_index=True)
    return TrainingRecord({"steps_run": STEPS, "best_step": STEPS}, history, looks, folds)


def with_ratings(records: Records, *, noise: dict[str, float] | None = None, is_separate: bool = False) -> Records:
    """`records` of a run that was trained for ratings alone; other noise by system."""
    noises = NOISE | (noise or {})
    runs = {name: _rating(run, name, noises) for name, run in records.runs.items()}
    fields = pd.DataFrame({"field": ["title", "body", "answer"], "tokens_mean": [12.0, 150.0, 140.0]})
    fields = fields.assign(tokens_kept_mean=[12.0, 140.0, 133.0], share_lost=[0.0, 0.07, 0.05], rows_cut=[0, 0.1, 0.1])
    fields = fields.assign(
        column=fields["field"],
        share_lost_adaptive=fields["share_lost"],
        share_lost_fixed=[0.1, 0.1, 0.1],
        budget=[26, 260, 210],
        one_text_takes=509,
    )
    tables = records.data.tables | {"rating_fields": fields}
    data = replace(records.data, ratings=prepared(is_separate=is_separate), tables=tables)
    return replace(records, data=data, runs=runs, finetune={init: training() for init in records.finetune})


def rated_otherwise(records: Records, *systems: str, rows: np.ndarray, columns: np.ndarray | slice, to: float | str):
    """Other predictions in some rows and columns: a number, or `noise`."""
    changed = {}
    for system in systems:
        prediction_NT = predictions(NOISE[system])
        luck_NT = np.random.default_rng(7).standard_normal(prediction_NT.shape)
        prediction_NT[rows, columns] = luck_NT[rows, columns] if to == "noise" else to
        changed[system] = replace(records.runs[system], ratings=long(prediction_NT))
    return replace(records, runs=records.runs | changed)


def _rating(run: RunRecord, name: str, noises: dict[str, float]) -> RunRecord:
    if name not in noises:
        return run
    is_frozen = name in ("base", "barlow")
    return replace(
        run,
        ratings=sound(noises[name]),
        rating_layouts=layouts() if is_frozen else None,
        rating_blocks=sound(BLOCKS_NOISE) if is_frozen else None,
    )
