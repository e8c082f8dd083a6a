"""Texts rated on several targets whose labels or training are wrong."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults import raw
from benchmarks.faults.fault import Change, Fault

TEXTS = ("qa_id", "question_title", "question_body", "answer")


def rows_changed(change: Callable[[list[dict[str, str]], list[str], np.random.Generator], None]) -> Change:
    """`change(rows, targets, random)` in place."""

    def data(folder: Path, random: np.random.Generator) -> None:
        rows = raw.read_table(folder / "ratings.csv")
        change(rows, [name for name in rows[0] if name not in TEXTS], random)
        raw.write_table(folder / "ratings.csv", rows)

    return data


def labels_moved(rows: list[dict[str, str]], targets: list[str], random: np.random.Generator) -> None:
    old = [{name: row[name] for name in targets} for row in rows]
    for at, row in enumerate(rows):
        row.update(old[at - 5])


def labels_shuffled(rows: list[dict[str, str]], targets: list[str], random: np.random.Generator) -> None:
    old = [{name: row[name] for name in targets} for row in rows]
    for row, other in zip(rows, random.permutation(len(rows)), strict=True):
        row.update(old[other])


def columns_permuted(rows: list[dict[str, str]], targets: list[str], random: np.random.Generator) -> None:
    """From the middle of the file on, the target columns stand in another order."""
    for row in rows[len(rows) // 2 :]:
        values = [row[name] for name in targets]
        row.update(dict(zip(targets, values[1:] + values[:1], strict=True)))


def one_target_reversed(rows: list[dict[str, str]], targets: list[str], random: np.random.Generator) -> None:
    """From the middle of the file on, two targets were rated from the other end."""
    for row in rows[len(rows) // 2 :]:
        for name in targets:
            row[name] = str(1 - float(row[name]))


def answers_moved(rows: list[dict[str, str]], targets: list[str], random: np.random.Generator) -> None:
    texts = [row["answer"] for row in rows]
    bodies = [row["question_body"] for row in rows]
    for at, row in enumerate(rows):
        row["answer"], row["question_body"] = texts[at - 7], bodies[at - 3]


def labels_rounded(rows: list[dict[str, str]], targets: list[str], random: np.random.Generator) -> None:
    for row in rows:
        row.update({name: "1.0" if float(row[name]) > 0.95 else "0.0" for name in targets})


def groups_lost(rows: list[dict[str, str]], targets: list[str], random: np.random.Generator) -> None:
    """Every row twice, the group column unique: copies stand in other folds."""
    copies = [row | {"qa_id": f"{row['qa_id']}-b", "question_title": f"{row['question_title']} (2)"} for row in rows]
    rows.extend(copies)


def fault(name: str, sentence: str, change: Any = None, settings: Mapping[str, Any] | None = None) -> Fault:
    data = rows_changed(change) if change else None
    return Fault(
        name, "ratings", sentence, "Kaggle QUEST threads", "ratings", change is None, data, dict(settings or {})
    )


FAULTS = (
    fault("rating-rows-shifted", "the ratings stand five rows off their texts", labels_moved),
    fault("rating-labels-shuffled", "the ratings have nothing to do with their texts", labels_shuffled),
    fault("rating-columns-permuted", "in half of the file the target columns are in another order", columns_permuted),
    fault("rating-scale-reversed", "in half of the file ratings count from the other end", one_target_reversed),
    fault("rating-answers-moved", "answers and bodies stand some rows off the question and its ratings", answers_moved),
    fault("rating-labels-rounded", "ratings were rounded down to 0, but for the highest", labels_rounded),
    fault("rating-copies-across-folds", "each row stands twice, in different folds", groups_lost),
    fault("rating-rate-too-high", "the learning rate is a hundred times too high",
          settings={"finetune_rank.learning_rate": 0.99, "finetune_rank.objectives.ratings.layer_means": False}),
    fault("rating-answer-not-read", "the answer column is not read", settings={"prepare.ratings.tokens": {
        "title": 26, "body": 100, "answer": 4}, "prepare.ratings.allocation": "fixed"}),
    fault("rating-one-step", "training has one step", settings={"finetune_rank.max_steps": 1}),
)  # fmt: skip
