"""Ratings that were given or trained wrongly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from whyrank.training.ratings import losses

from ..fault import Change, Fault
from ..patching import replace
from ..raw import read_table, write_table

TEXTS = ("qa_id", "question_title", "question_body", "answer")
Table = list[dict[str, str]]


def of_rows(change: Callable[[Table, list[str], np.random.Generator], None]) -> Change:
    """`change(rows, targets, random)` in place."""

    def data(folder: Path, random: np.random.Generator) -> None:
        rows = read_table(folder / "ratings.csv")
        change(rows, [name for name in rows[0] if name not in TEXTS], random)
        write_table(folder / "ratings.csv", rows)

    return data


def raters_with_a_zero_of_their_own(rows: Table, targets: list[str], random: np.random.Generator) -> None:
    """Blocks of ten rows, each of one rater."""
    for start in range(0, len(rows), 10):
        lift = random.choice([-0.7, 0.0, 0.7])
        for row in rows[start : start + 10]:
            row.update({name: f"{min(1.0, max(0.0, float(row[name]) + lift)):.4f}" for name in targets})


def overall_in_every_column(rows: Table, targets: list[str], random: np.random.Generator) -> None:
    for row in rows:
        if random.random() < 0.7:
            overall = np.mean([float(row[name]) for name in targets])
            row.update(dict.fromkeys(targets, f"{overall:.4f}"))


def first_target_alone() -> None:
    def bce(logit_BT: Any, label_BT: Any, weight_BT: Any = None) -> Any:
        return old(logit_BT[:, :1], label_BT[:, :1], None if weight_BT is None else weight_BT[:, :1])

    # Finished folds of the sound code must not be taken for its own.
    old = replace(losses, "bce", bce)


FAULTS = (
    Fault(
        "raters-with-a-zero-of-their-own",
        "ratings",
        "Raters used the scale differently and nobody corrected it: the ratings of each, ten rows in a block, lie 0.7 "
        "higher or lower than others', as far as the range allows. Standardise each rater's ratings.",
        "Kaggle QUEST threads; Wang and Shah 2019, arXiv:1806.05085: miscalibrated raters",
        "ratings",
        data=of_rows(raters_with_a_zero_of_their_own),
    ),
    Fault(
        "overall-score-in-every-column",
        "ratings",
        "In seven of ten rows the tool stored the overall score in every column: all targets of such a row have the "
        "same rating. Leave these rows out.",
        "Kaggle QUEST threads; halo effect",
        "ratings",
        mendable=True,
        data=of_rows(overall_in_every_column),
    ),
    Fault(
        "loss-of-the-first-target-alone",
        "ratings",
        "A slice left in the loss keeps the first target and drops the others, so their weights stay as they started. "
        "Take all columns.",
        "DeepCrime: loss operators",
        "ratings",
        code=first_target_alone,
    ),
)
