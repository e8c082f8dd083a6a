"""What the labels of training pairs ask for, beside those of the test pairs.

Shapes: N training pairs · K bins of test pairs
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import Examination
from whyrank.measure.metrics.correlation import mean_defined, spearman

# Labels of more levels than this are scores, of which no level has a meaning of its own.
MOST_LEVELS = 5
# Test pairs of about equal cosine whose labels are averaged.
BINS, PAIRS_IN_BIN = 20, 10

# Of TF-IDF's agreement with labels, over 1,000 training pairs known to 0.03; and of its agreement with cosines, over
# thousands of test pairs known to 0.01.
LESS, UNLEARNED = 0.1, 0.03


class Learnt(NamedTuple):
    """Spearman's correlation of cosine and label over recorded training pairs, -1 to 1, 0 at chance."""

    before: float
    after: float


class Words(NamedTuple):
    """Spearman's correlations of a lexical baseline, which only counts shared words, with labels and with a system.

    Over test pairs it is the mean over the sources.
    """

    baseline: str
    in_training: float
    in_test: float
    before: float
    after: float

    @property
    def are_unlearned(self) -> bool:
        """Training labels follow words less than test labels do, and so do the cosines after training."""
        return self.in_test - self.in_training >= LESS and self.before - self.after >= UNLEARNED


class Level(NamedTuple):
    """scored   mean label of the test pairs that have the cosine of training pairs of `label` in the pretrained "
    "encoder"""

    label: float
    scored: float


def learnt(case: Examination, untuned: str, system: str) -> Learnt | None:
    """Agreement with the training labels before and after; None where it was not recorded or is undefined."""
    tables = [case.records.runs[name].training_pairs for name in (untuned, system)]
    found = [spearman(table["prediction"], table["label"]).value for table in tables if table is not None]
    if len(found) < 2 or found[0] is None or found[1] is None:
        return None
    return Learnt(found[0], found[1])


def asked(case: Examination, untuned: str) -> list[Level]:
    """Of each label of training pairs, highest first; none for scores, and without recorded pairs.

    The pretrained encoder is the yardstick: the mean test label is read off its cosine, bin by bin.
    """
    run = case.records.runs[untuned]
    if run.pairs is None or run.training_pairs is None or run.training_pairs["label"].nunique() > MOST_LEVELS:
        return []
    by_cosine = run.pairs.sort_values("prediction", kind="stable")
    bins = np.array_split(np.arange(len(by_cosine)), max(2, min(BINS, len(by_cosine) // PAIRS_IN_BIN)))
    cosine_K, label_K = (
        np.array([by_cosine[name].to_numpy()[rows].mean() for rows in bins]) for name in ("prediction", "label")
    )
    scored_N = np.interp(run.training_pairs["prediction"], cosine_K, label_K)
    levels = run.training_pairs.assign(scored=scored_N).groupby("label")["scored"].mean()
    return [Level(float(label), float(levels[label])) for label in sorted(levels.index, reverse=True)]


def words(case: Examination, untuned: str, system: str) -> Words | None:
    """None where no lexical baseline was evaluated on training pairs, or one of the correlations is undefined."""
    runs = case.records.runs
    of_baselines = (
        (name, run.pairs, run.training_pairs) for name, run in runs.items() if name in case.systems.baselines
    )
    name, pairs, training = next((one for one in of_baselines if one[2] is not None), ("", None, None))
    if pairs is None or training is None:
        return None
    cosines = [case.records.runs[name].pairs for name in (untuned, system)]
    found = [
        spearman(training["prediction"], training["label"]).value,
        _agreement(pairs, pairs["label"]),
        *(_agreement(pairs, _aligned(table, pairs)) for table in cosines if table is not None),
    ]
    known = [value for value in found if value is not None]
    return Words(name, *known) if len(known) == len(found) == 4 else None


def _agreement(pairs: pd.DataFrame, other_N: pd.Series) -> float | None:
    """Mean over the sources of the correlation of the predictions with something else; None without any."""
    sources = pairs.assign(other=other_N.to_numpy()).groupby("source")
    return mean_defined({str(name): spearman(rows["prediction"], rows["other"]) for name, rows in sources}).value


def _aligned(table: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    """Predictions in the order of other pairs."""
    return table.set_index("pair_id")["prediction"].loc[pairs["pair_id"]]


def spoken_levels(levels: list[Level]) -> str:
    """`. Test pairs with the cosine of training pairs of label 1, 0 have a mean label of 0.59, 0.27`; empty for "
    "scores."""
    if not levels:
        return ""
    labels = ", ".join(f"{level.label:g}" for level in levels)
    scored = ", ".join(f"{level.scored:.2f}" for level in levels)
    return f". Test pairs with the cosine of training pairs of label {labels} have a mean label of {scored}"
