"""How ratings went while training, and what had been learned by its end, which decides whether it underfits."""

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import LEAST_EFFECT, Examination
from whyrank.diagnosis.probes.training import effects
from whyrank.diagnosis.probes.training.effects import HARDLY_MOVED, NO_GAP, Course, Effect, Gap, Task
from whyrank.diagnosis.probes.training.steps import further, go_further, rows_seen, train_for, usual_rates
from whyrank.findings.finding import Fix
from whyrank.findings.records import Records, TrainingRecord
from whyrank.measure.significance.resampling import Interval

HELD_OUT, TRAIN = "ratings_spearman", "train_ratings_spearman"
# Rows that were trained on, of which an evaluation draws at most so many.
TRAINING_ROWS = 500

# Mean column Spearman of training rows above that of held-out ones. From so much on more of it is learnt by heart, and
# another round adds to that first.
NEAR = 0.10
QUARTER = 0.25
# Share of the way that weights go where something is learnt (`steps.ENOUGH`). With less than that behind it a training
# has only begun, however well it knows its few rows.
BEGUN = 1 / 3


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


def rounds(records: Records, record: TrainingRecord) -> float:
    """Rounds through the rows that the recorded fold was trained on, those with a model's labels among them."""
    rows = records.data.ratings
    trained_on = int(((rows["use"] == "train") & (rows["fold"] != 0)).sum()) if len(rows) else 0
    if "ratings_pseudo_rows" in record.history:
        trained_on += int((rows["use"] != "train").sum())
    return rows_seen(records, record, "ratings", "ratings_rows") / max(1, trained_on)


def _effect(case: Examination, record: TrainingRecord) -> Effect | None:
    # One column has the largest error; that of a mean over columns is smaller.
    error = 1 / np.sqrt(TRAINING_ROWS)
    return effects.of_evaluations("mean column Spearman of training rows", course(record)["train"], error)


def _course(case: Examination, init: str, record: TrainingRecord) -> Course | None:
    """Over all folds."""
    evaluations = course(record)
    if len(evaluations) < 2:
        return None
    train, dev = evaluations["train"].to_numpy(), evaluations["held_out"].to_numpy()
    before = late_share(record, evaluations["step"].to_numpy(), QUARTER)
    gains = [float(curve[-1] - curve[before]) for curve in (train, dev)]
    is_rising = all(effects.is_rising(gain, curve) for gain, curve in zip(gains, (train, dev), strict=True))
    epochs = rounds(case.records, record)
    gap = _to_untrained(case, float(train[-1]), float(dev[-1])) or _to_begin(case, init, record) or NO_GAP
    return Course(
        metric="mean column Spearman",
        seen="training rows",
        held_out="mean column Spearman of held-out rows",
        rows="training rows",
        train=train,
        dev=dev,
        is_rising=is_rising and bool(train[-1] - dev[-1] < NEAR),
        left=HARDLY_MOVED - float(np.ptp(train)),
        tail_gain=gains[1],
        epochs=epochs,
        fix=_learn_more(record, epochs, is_short=bool(gap.short and not gap.begun_at)),
        gap=gap,
    )


def _gain(case: Examination, one: str, other: str) -> tuple[Interval | None, str]:
    return case.rating_difference(one, other), "mean column Spearman"


effects.register(Task("ratings", _effect, _course, gain=_gain))


def _to_untrained(case: Examination, train: float, dev: float) -> Gap | None:
    """By the means over folds at the last evaluation: the best ridge that rates without tuning knows rows that it has
    not seen better than training rows are known, so that nothing learnt by heart stands between."""
    baseline, value = highest_baseline(case, "fold_mean")
    return Gap(value - dev, _in_words(baseline, value)) if value - train >= LEAST_EFFECT else None


def _to_begin(case: Examination, init: str, record: TrainingRecord) -> Gap | None:
    """Over all rows: ratings near the mean of each fold's training labels cost nothing within a fold."""
    way = 1 / max(further(record).values(), default=1.0)
    if way >= BEGUN or case.ratings is None:
        return None
    baseline, value = highest_baseline(case, "value")
    system = case.systems.trained_from(init)
    # 0, the value at chance, where no target has one.
    own = float(case.ratings.systems.set_index("system")["value"].fillna(0.0).get(system, 0.0))
    if value - own < LEAST_EFFECT:
        return None
    return Gap(value - own, _in_words(baseline, value), way, f"mean column Spearman over all rows is {own:.2f}")


def _in_words(baseline: str, value: float) -> str:
    return f"{baseline} reaches {value:.2f} on unseen rows"


def _learn_more(record: TrainingRecord, epochs: float, *, is_short: bool) -> Fix:
    """Other rates, and where they are as usual already, more rounds."""
    rates = usual_rates(record)
    if is_short and rates:
        return Fix(rates)
    return go_further(record, epochs) or Fix(train_for(3 * epochs))


def highest_baseline(case: Examination, column: str) -> tuple[str, float]:
    """The ridge that rates best without tuning, and how well; no name where nothing was rated.

    column   of the systems' table: `fold_mean` | `value`, over all rows
    """
    if case.ratings is None:
        return "", 0.0
    value_by_name = case.ratings.systems.set_index("system")[column].dropna()
    value_by_name = value_by_name[~value_by_name.index.isin(case.systems.tuned)]
    return (str(value_by_name.idxmax()), float(value_by_name.max())) if len(value_by_name) else ("", 0.0)
