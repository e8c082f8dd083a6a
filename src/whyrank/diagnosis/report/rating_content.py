"""What the report says of ratings, gathered once: the tables of `compare_ratings`, and what its figures draw."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.diagnosis.compare.ratings import Rated, Ratings, wide
from whyrank.findings.records import Records
from whyrank.findings.systems import Systems

BINS = 20
HISTOGRAM_COLUMNS = ["target", "left", "right", "share"]
FOLD_COLUMNS = ["init", "fold", "step", "held_out", "train"]
PREDICTED_COLUMNS = ["place", "target", "label", "prediction"]


class RatingSection(NamedTuple):
    """rated       the tables
    histograms  target, left, right, share: labels in bins of 0.05
    folds       init, fold, step, held_out, train: mean column Spearman at each evaluation of each fold
    shown       the system that `predicted` is of: the best tuned one, or the best of all
    predicted   place (best | worst), target, label, prediction: of its best and its worst target
    fields      field, tokens_mean, tokens_kept_mean, share_lost, rows_cut: what of the texts was read; may be empty
    """

    rated: Ratings
    histograms: pd.DataFrame
    folds: pd.DataFrame
    shown: str
    predicted: pd.DataFrame
    fields: pd.DataFrame


def rating_section(records: Records, rated: Ratings) -> RatingSection:
    shown = best_rated(rated, records.systems)
    tables = {name: wide(run.ratings) for name, run in records.runs.items() if run.ratings is not None}
    return RatingSection(
        rated,
        _histograms(next(iter(tables.values()))),
        _folds(records),
        shown,
        _predicted(rated, shown, tables[shown]),
        records.data.tables.get("rating_fields", pd.DataFrame()),
    )


def best_rated(rated: Ratings, systems: Systems) -> str:
    """The tuned system, or where none was tuned any, with the highest mean column Spearman; the first of equals."""
    rows = rated.systems[rated.systems["system"].isin(systems.tuned)]
    rows = rows if len(rows) else rated.systems
    return str(rows["system"].iloc[int(rows["value"].fillna(-np.inf).to_numpy().argmax())])


def _histograms(one: Rated) -> pd.DataFrame:
    edges = np.linspace(0, 1, BINS + 1)
    parts = [
        (name, left, right, share)
        for name, label_N in zip(one.targets, one.label_NT.T, strict=True)
        for left, right, share in zip(
            edges[:-1], edges[1:], np.histogram(label_N, edges)[0] / len(label_N), strict=True
        )
    ]
    return pd.DataFrame(parts, columns=HISTOGRAM_COLUMNS)


def _folds(records: Records) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                "init": init,
                "fold": record.rating_folds["fold"],
                "step": record.rating_folds["step"],
                "held_out": record.rating_folds["ratings_spearman"],
                "train": record.rating_folds.get("train_ratings_spearman", np.nan),
            }
        )
        for init, record in records.finetune.items()
        if len(record.rating_folds)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=FOLD_COLUMNS)


def _predicted(rated: Ratings, shown: str, one: Rated) -> pd.DataFrame:
    """Empty where no target of the system is defined; only the best where a single one is."""
    values = rated.columns[rated.columns["system"] == shown].set_index("target")["value"].dropna()
    if values.empty:
        return pd.DataFrame(columns=PREDICTED_COLUMNS)
    places = {str(values.idxmin()): "worst", str(values.idxmax()): "best"}
    parts = []
    for target, place in reversed(places.items()):
        t = one.targets.index(target)
        part = {"place": place, "target": target, "label": one.label_NT[:, t], "prediction": one.prediction_NT[:, t]}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)
