"""What a training had learned by its end, as the probe of underfitting reads it; and so for ratings."""

from typing import NamedTuple

import numpy as np

from whyrank.diagnosis.compare import LEXICAL
from whyrank.diagnosis.examination import LEAST_EFFECT, UNTUNED, Examination
from whyrank.diagnosis.finding import Fix
from whyrank.diagnosis.probes.effects import HARDLY_MOVED, LEARNT
from whyrank.diagnosis.probes.rating_courses import course, late_share, rounds
from whyrank.diagnosis.probes.steps import further, go_further, rounded, usual_rates
from whyrank.diagnosis.records import TrainingRecord

# Share of the whole gain that fell in the last quarter of the looks; a run that flattens gives 1 to 5 % there.
STILL_RISING = 0.10
LEAST_LOOKS = 4

# Of ratings: mean column Spearman of training rows above that of held-out ones. From so much on more of it is learnt by
# heart, and another round adds to that first.
NEAR = 0.10
QUARTER = 0.25
# Share of the way that weights go where something is learnt (`steps.ENOUGH`). With less than that behind it a training
# has only begun, however well it knows its few rows.
BEGUN = 1 / 3


class Course(NamedTuple):
    """metric, seen, held_out, rows   in words: of what, on what, what was looked at beside, a round through what
    train, dev                  (L,) at each look
    left, tail_gain             to learn; in the last part of the way
    epochs                      rounds made
    short                       what held-out rows lack of a floor, where it rates rows it has not seen better than
                                training rows are known (nothing that was learnt by heart stands between), or where
                                training has only begun
    floor                       in words: that floor, and how well it rates
    way                         share of the way that weights go where something is learnt, at most 1
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
    short: float = 0.0
    floor: str = ""
    way: float = 1.0


def rating_lessons(case: Examination, record: TrainingRecord) -> Course | None:
    """The course over all folds; None where ratings were not trained, or not looked at."""
    looks = course(record)
    if "ratings" not in record.objectives or len(looks) < 2:
        return None
    train, dev = looks["train"].to_numpy(), looks["held_out"].to_numpy()
    before = late_share(record, looks["step"].to_numpy(), QUARTER)
    gains = [float(curve[-1] - curve[before]) for curve in (train, dev)]
    is_near = train[-1] - dev[-1] < NEAR
    is_rising = len(looks) >= LEAST_LOOKS and all(
        gain >= max(LEAST_EFFECT, STILL_RISING * np.ptp(curve)) for gain, curve in zip(gains, (train, dev), strict=True)
    )
    epochs = rounds(case.data, record)
    hardly_moved = train.max() < LEARNT and train.max() - train[0] < HARDLY_MOVED * (1 - train[0])
    floor, value = highest_floor(case)
    is_short = value - train[-1] >= LEAST_EFFECT
    way = 1 / max(further(record).values(), default=1.0)
    has_only_begun = way < BEGUN and value - dev[-1] >= LEAST_EFFECT
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
        fix=_learn_more(record, epochs, bool(is_short)),
        short=value - float(dev[-1]) if is_short or has_only_begun else 0.0,
        floor=f"{floor} rates rows that it has not seen at {value:.2f}" if floor else "",
        way=way,
    )


def _learn_more(record: TrainingRecord, epochs: float, is_short: bool) -> Fix:
    """Other rates, and where they are as usual already, more rounds."""
    rates = usual_rates(record)
    if is_short and rates:
        return Fix(rates)
    return go_further(record, epochs) or Fix({"finetune_rank.epochs": rounded(3 * epochs)})


def highest_floor(case: Examination) -> tuple[str, float]:
    """The ridge that rates best without tuning, and its mean over folds; no name where nothing was rated."""
    if case.ratings is None:
        return "", 0.0
    table = case.ratings.systems
    mean_by_floor = table.set_index("system")["fold_mean"].dropna()
    mean_by_floor = mean_by_floor[mean_by_floor.index.isin([*LEXICAL, *UNTUNED.values()])]
    return (str(mean_by_floor.idxmax()), float(mean_by_floor.max())) if len(mean_by_floor) else ("", 0.0)
