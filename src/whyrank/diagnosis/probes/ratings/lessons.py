"""What a training had learned by its end, which decides whether it underfits; here for ratings."""

from typing import NamedTuple

import numpy as np

from whyrank.diagnosis.examination import LEAST_EFFECT, Examination
from whyrank.diagnosis.probes.ratings.courses import course, late_share, rounds
from whyrank.diagnosis.probes.training.effects import HARDLY_MOVED, LEARNT
from whyrank.diagnosis.probes.training.steps import further, go_further, rounded, usual_rates
from whyrank.findings.finding import Fix
from whyrank.findings.records import TrainingRecord

# Share of the whole gain that fell in the last quarter of the evaluations; a run that flattens gives 1 to 5 % there.
STILL_RISING = 0.10
LEAST_EVALUATIONS = 4

# Of ratings: mean column Spearman of training rows above that of held-out ones. From so much on more of it is learnt by
# heart, and another round adds to that first.
NEAR = 0.10
QUARTER = 0.25
# Share of the way that weights go where something is learnt (`steps.ENOUGH`). With less than that behind it a training
# has only begun, however well it knows its few rows.
BEGUN = 1 / 3


class Gap(NamedTuple):
    """What ratings lack of the best ridge that rates without tuning; `NO_GAP` where it does not speak of too little.

    It does where that ridge knows rows that it has not seen better than training rows are known, so that nothing learnt
    by heart stands between; and where training has only begun.

    short      mean column Spearman
    baseline   in words: the ridge, and how well it rates
    way        share of the way that weights go where something is learnt, at most 1
    begun_at   in words: how well the system rates, where training has only begun
    """

    short: float
    baseline: str
    way: float = 1.0
    begun_at: str = ""


NO_GAP = Gap(0.0, "")


class Course(NamedTuple):
    """metric, seen, held_out, rows   in words: of what, on what, what was looked at beside, a round through what
    train, dev                  (L,) at each evaluation
    left, tail_gain             to learn; in the last part of the way
    epochs                      rounds made
    gap                         to a baseline that nothing was tuned for
    """

    metric: str
    seen: str
    held_out: str
    rows: str
    train: np.ndarray
    dev: np.ndarray
    hardly_moved: bool
    is_rising: bool
    left: float
    tail_gain: float
    epochs: float
    fix: Fix
    gap: Gap = NO_GAP


def rating_lessons(case: Examination, init: str, record: TrainingRecord) -> Course | None:
    """The course over all folds; None where ratings were not trained, or not looked at."""
    evaluations = course(record)
    if "ratings" not in record.objectives or len(evaluations) < 2:
        return None
    train, dev = evaluations["train"].to_numpy(), evaluations["held_out"].to_numpy()
    before = late_share(record, evaluations["step"].to_numpy(), QUARTER)
    gains = [float(curve[-1] - curve[before]) for curve in (train, dev)]
    is_near = train[-1] - dev[-1] < NEAR
    is_rising = len(evaluations) >= LEAST_EVALUATIONS and all(
        gain >= max(LEAST_EFFECT, STILL_RISING * np.ptp(curve)) for gain, curve in zip(gains, (train, dev), strict=True)
    )
    epochs = rounds(case.data, record)
    hardly_moved = train.max() < LEARNT and train.max() - train[0] < HARDLY_MOVED * (1 - train[0])
    system = case.systems.trained_from(init)
    gap = _to_untrained(case, float(train[-1]), float(dev[-1])) or _to_begin(case, system, record) or NO_GAP
    return Course(
        metric="mean column Spearman",
        seen="training rows",
        held_out="mean column Spearman of held-out rows",
        rows="training rows",
        train=train,
        dev=dev,
        hardly_moved=bool(hardly_moved),
        is_rising=bool(is_near and is_rising),
        left=HARDLY_MOVED - float(np.ptp(train)),
        tail_gain=gains[1],
        epochs=epochs,
        fix=_learn_more(record, epochs, is_short=bool(gap.short and not gap.begun_at)),
        gap=gap,
    )


def _to_untrained(case: Examination, train: float, dev: float) -> Gap | None:
    """By the means over folds at the last evaluation, of training rows and of those held out."""
    baseline, value = highest_baseline(case, "fold_mean")
    return Gap(value - dev, _in_words(baseline, value)) if value - train >= LEAST_EFFECT else None


def _to_begin(case: Examination, system: str, record: TrainingRecord) -> Gap | None:
    """Over all rows: ratings near the mean of each fold's training labels cost nothing within a fold."""
    way = 1 / max(further(record).values(), default=1.0)
    baseline, value = highest_baseline(case, "value")
    own = _over_all_rows(case, system)
    if way >= BEGUN or value - own < LEAST_EFFECT:
        return None
    return Gap(value - own, _in_words(baseline, value), way, f"mean column Spearman over all rows is {own:.2f}")


def _in_words(baseline: str, value: float) -> str:
    return f"{baseline} reaches {value:.2f} on unseen rows"


def _learn_more(record: TrainingRecord, epochs: float, *, is_short: bool) -> Fix:
    """Other rates, and where they are as usual already, more rounds."""
    rates = usual_rates(record)
    if is_short and rates:
        return Fix(rates)
    return go_further(record, epochs) or Fix({"finetune_rank.epochs": rounded(3 * epochs)})


def highest_baseline(case: Examination, column: str) -> tuple[str, float]:
    """The ridge that rates best without tuning, and how well; no name where nothing was rated.

    column   of the systems' table: `fold_mean` | `value`, over all rows
    """
    if case.ratings is None:
        return "", 0.0
    value_by_name = case.ratings.systems.set_index("system")[column].dropna()
    value_by_name = value_by_name[~value_by_name.index.isin(case.systems.tuned)]
    return (str(value_by_name.idxmax()), float(value_by_name.max())) if len(value_by_name) else ("", 0.0)


def _over_all_rows(case: Examination, system: str) -> float:
    """Mean column Spearman; 0, the value at chance, where no target has one."""
    if case.ratings is None:
        return 0.0
    return float(case.ratings.systems.set_index("system")["value"].fillna(0.0).get(system, 0.0))
