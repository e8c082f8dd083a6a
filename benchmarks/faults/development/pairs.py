"""Pairs of sentences whose labels or training are wrong."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults import raw
from benchmarks.faults.configurations import PAIRS
from benchmarks.faults.fault import Change, Fault
from benchmarks.faults.patches import wrapped
from whyrank.training.pairs import losses

Table = list[dict[str, str]]


def of(files: tuple[str, ...], change: Callable[[np.random.Generator, Table, str], None]) -> Change:
    """A change of the rows of some files, in place; the third argument is the column of the label."""

    def data(folder: Path, random: np.random.Generator) -> None:
        for file in files:
            rows = raw.read_table(folder / file)
            change(random, rows, "label" if "label" in rows[0] else "score")
            raw.write_table(folder / file, rows)

    return data


def moved(random: np.random.Generator, rows: Table, column: str) -> None:
    labels = [row[column] for row in rows]
    for at, row in enumerate(rows):
        row[column] = labels[at - 1]


def shuffled(random: np.random.Generator, rows: Table, column: str) -> None:
    for row, label in zip(rows, random.permutation([row[column] for row in rows]).tolist(), strict=True):
        row[column] = label


def turned_round(random: np.random.Generator, rows: Table, column: str) -> None:
    """A distance where a similarity should be."""
    for row in rows:
        row[column] = str(5 - float(row[column]))


def second_sentences_moved(random: np.random.Generator, rows: Table, column: str) -> None:
    name = "hypothesis" if "hypothesis" in rows[0] else "sentence2"
    texts = [row[name] for row in rows]
    for at, row in enumerate(rows):
        row[name] = texts[at - 1]


def constant(random: np.random.Generator, rows: Table, column: str) -> None:
    for row in rows:
        row[column] = "4.0" if random.random() < 0.97 else row[column]


def sign_of_loss() -> None:
    for name in ("cosine", "angle", "in_batch"):
        if hasattr(losses, name):
            wrapped(losses, "cosent", lambda old, score_B, *given, **named: old(-score_B, *given, **named))
            break


def labels_as_raw_classes() -> list[dict[str, Any]]:
    sources = [dict(source) for source in PAIRS["prepare.pairs.sources"]]
    sources[0]["labels"] = {"entailment": 0.2, "neutral": 0.5, "contradiction": 0.8}
    return sources


def wrong_range() -> list[dict[str, Any]]:
    return [
        source | ({"range": [0, 50]} if source["name"] == "train" else {}) for source in PAIRS["prepare.pairs.sources"]
    ]


TRAINED = ("train.csv", "nli.csv")
LAST = {"finetune_rank.early_stopping.metric": ""}


def fault(
    name: str, sentence: str, data: Change | None = None, code: Callable[[], None] | None = None,
    settings: Mapping[str, Any] | None = None, mendable: bool = False,
) -> Fault:  # fmt: skip
    own = LAST | dict(settings or {})
    return Fault(name, "pairs", sentence, "practitioners' threads", "pairs", mendable, data, own, code)


FAULTS = (
    fault("pair-labels-shifted", "the labels of training pairs stand one row off", of(TRAINED, moved)),
    fault("pair-labels-shuffled", "the labels of training pairs are random", of(TRAINED, shuffled)),
    fault("pair-test-labels-shifted", "the labels of test pairs stand one row off", of(("test.csv",), moved)),
    fault("pair-scores-are-distances", "the scores of training are distances, not similarities",
          of(("train.csv",), turned_round)),
    fault("pair-second-sentences-moved", "the second sentences stand one row off, in training and test",
          of(("train.csv", "nli.csv", "test.csv"), second_sentences_moved)),
    fault("pair-scores-constant", "97 % of the training scores are the same", of(("train.csv",), constant)),
    fault("pair-classes-reversed", "contradiction counts as alike, and entailment as opposite",
          settings={"prepare.pairs.sources": labels_as_raw_classes()}, mendable=True),
    fault("pair-range-wrong", "scores of 0 to 5 are declared as 0 to 50",
          settings={"prepare.pairs.sources": wrong_range()}, mendable=True),
    fault("pair-loss-with-wrong-sign", "the order loss has the wrong sign", code=sign_of_loss),
    fault("pair-rate-too-high", "the learning rate is hundreds of times too high",
          settings={"finetune_rank.learning_rate": 0.3}, mendable=True),
)  # fmt: skip
