"""What the plots show, as tidy tables; the same tables are written for `dvc plots`. Of ratings, all in one value."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.diagnosis.compare.ratings import Rated, Ratings, wide
from whyrank.findings.records import Records
from whyrank.findings.systems import Systems
from whyrank.measure.metrics.geometry import project_2d, unit_rows
from whyrank.measure.metrics.separation import centroid_distances

BARLOW_COLUMNS = ["step", "mean_diagonal", "off_diagonal_rms", "noise_floor"]
HISTOGRAM_COLUMNS = ["target", "left", "right", "share"]
FOLD_COLUMNS = ["init", "fold", "step", "held_out", "train"]
PREDICTED_COLUMNS = ["place", "target", "label", "prediction"]
BINS = 20  # of labels


def learning(records: Records, metric: str) -> pd.DataFrame:
    """init, step, dev, train: the metric at each evaluation; train is missing where it was not recorded."""
    parts = [
        pd.DataFrame(
            {
                "init": init,
                "step": record.evaluations["step"],
                "dev": record.evaluations[f"{metric}_all"],
                "train": record.evaluations.get(f"train_{metric}", np.nan),
            }
        )
        for init, record in records.finetune.items()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["init", "step", "dev", "train"])


def barlow(records: Records) -> pd.DataFrame:
    """step, mean_diagonal, off_diagonal_rms, noise_floor; no rows where pretraining was off."""
    if records.barlow is None or records.barlow.history.empty:
        return pd.DataFrame(columns=BARLOW_COLUMNS)
    return records.barlow.history[BARLOW_COLUMNS].reset_index(drop=True)


def projected(systems: Systems) -> dict[str, str]:
    """The systems whose centroids are shown, from the encoder through pretraining to tuning, and their titles."""
    after = dict.fromkeys(filter(systems.is_after_pretraining, systems.tuned), "after tuning")
    before = dict.fromkeys(systems.zero_shot, "before projection")
    return before | dict.fromkeys(systems.with_role("pretrained"), "after pretraining") | after


def centroids(records: Records) -> pd.DataFrame:
    """Question and conversation centroid of each answer, over the queries of all splits.

    Columns: system, answer_id, kind, x, y, distance, spread.
    x, y       on the first two principal axes of that system's own centroids
    distance   from the answer's question centroid to its conversation centroid, in all dimensions
    spread     mean distance between the middles of two different answers; distance / spread compares systems
    Rows are scaled to unit length where the system ranks by cosine.
    """
    pairs = records.data.qrels[records.data.qrels["score"] > 0].drop_duplicates("query_id")
    queries = records.data.queries.merge(pairs[["query_id", "answer_id"]], on="query_id", how="left")
    parts = [_centroids(system, records, queries) for system in projected(records.systems) if system in records.runs]
    drawn = [part for part in parts if len(part)]
    columns = ["system", "answer_id", "kind", "x", "y", "distance", "spread"]
    return pd.concat(drawn, ignore_index=True) if drawn else pd.DataFrame(columns=columns)


def _centroids(system: str, records: Records, queries: pd.DataFrame) -> pd.DataFrame:
    run = records.runs[system]
    assert run.query_vectors is not None and len(run.query_vectors) == len(queries), system
    vectors = unit_rows(run.query_vectors) if run.metrics["score_kind_cosine"] else run.query_vectors
    judged = queries["answer_id"].notna().to_numpy()
    found = centroid_distances(
        vectors[judged], queries["answer_id"][judged].to_numpy(str), (queries["type"] == "question")[judged]
    )
    n = len(found.answer_A)
    if n < 2:
        return pd.DataFrame()
    xy = project_2d(np.concatenate([found.question_AD, found.conversation_AD]))
    return pd.DataFrame(
        {
            "system": system,
            "answer_id": np.tile(found.answer_A, 2),
            "kind": np.repeat(["question", "conversation"], n),
            "x": xy[:, 0],
            "y": xy[:, 1],
            "distance": np.tile(found.distance_A, 2),
            "spread": mean_distance((found.question_AD + found.conversation_AD) / 2),
        }
    )


def mean_distance(rows_AD: np.ndarray, most: int = 1000) -> float:
    """Mean distance of two different rows, of at most so many evenly picked ones: A x A distances are kept."""
    rows_AD = rows_AD[:: -(-len(rows_AD) // most)]
    square_A = np.square(rows_AD).sum(axis=1)
    square_AA = np.maximum(square_A[:, None] + square_A - 2 * rows_AD @ rows_AD.T, 0.0)
    np.fill_diagonal(square_AA, 0.0)
    return float(np.sqrt(square_AA).sum() / (len(rows_AD) * (len(rows_AD) - 1)))


def gap(systems: pd.DataFrame, metric: str) -> pd.DataFrame:
    """system, question, conversation, gap (question - conversation) of a `system_table`; empty without both."""
    chosen = systems[(systems["metric"] == metric) & (systems["type"] != "all")]
    order = chosen["system"].drop_duplicates()
    wide = chosen.pivot_table(index="system", columns="type", values="value").reindex(order)
    if not {"question", "conversation"} <= set(wide.columns):
        return pd.DataFrame(columns=["system", "question", "conversation", "gap"])
    wide["gap"] = wide["question"] - wide["conversation"]
    return wide[["question", "conversation", "gap"]].reset_index().rename_axis(None, axis=1)


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
        _rating_folds(records),
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


def _rating_folds(records: Records) -> pd.DataFrame:
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
