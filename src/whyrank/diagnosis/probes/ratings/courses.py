"""How ratings went while training: mean column Spearman at every evaluation, over the folds."""

import numpy as np
import pandas as pd

from whyrank.findings.records import DataRecords, TrainingRecord

HELD_OUT, TRAIN = "ratings_spearman", "train_ratings_spearman"
# Rows that were trained on, of which an evaluation draws at most so many.
TRAINING_ROWS = 500


def course(record: TrainingRecord) -> pd.DataFrame:
    """step, held_out, train at each evaluation that every fold had, mean over folds; no rows where none was recorded.

    An undefined mean (all predictions equal, as from a new head) counts as 0: it orders nothing.
    """
    evaluations = record.rating_folds if len(record.rating_folds) else record.evaluations.assign(fold=0)
    if not {"step", HELD_OUT, TRAIN} <= set(evaluations):
        return pd.DataFrame(columns=["step", "held_out", "train"], dtype=float)
    evaluations = evaluations.sort_values(["fold", "step"], kind="stable")
    number = evaluations.groupby("fold").cumcount()
    known = evaluations[["step", HELD_OUT, TRAIN]].fillna(0.0).groupby(number)
    shared = known.size() == evaluations["fold"].nunique()
    means = known.mean()[shared]
    return means.set_axis(["step", "held_out", "train"], axis=1).reset_index(drop=True)


def late_share(record: TrainingRecord, step_L: np.ndarray, share: float) -> int:
    """Number of the last evaluation before the last `share` of the way, as learning rates measure it.

    Under a decay to zero the last quarter of the steps goes almost nowhere, whatever is left to learn.
    """
    factor_S = record.history.get("rate_factor", pd.Series(np.ones(len(record.history)))).to_numpy(dtype=float)
    way_S = np.concatenate([[0.0], np.cumsum(factor_S)]) / max(factor_S.sum(), 1e-12)
    done_L = way_S[np.clip(np.round(step_L).astype(int), 0, len(factor_S))]
    before = np.flatnonzero(done_L <= 1 - share + 1e-9)
    return int(before[-1]) if len(before) else 0


def rounds(data: DataRecords, record: TrainingRecord) -> float:
    """Rounds through the rows that the recorded fold was trained on, those with a model's labels among them."""
    rows = data.ratings
    trained_on = int(((rows["use"] == "train") & (rows["fold"] != 0)).sum()) if len(rows) else 0
    if "ratings_pseudo_rows" in record.history:
        trained_on += int((rows["use"] != "train").sum())
    return float(record.history["ratings_rows"].sum()) / max(1, trained_on)
