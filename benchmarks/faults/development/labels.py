"""Labels that do not fit the texts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.faults import raw
from benchmarks.faults.fault import Change, Fault

Judgements = list[list[str]]


def moved(random: np.random.Generator, rows: Judgements) -> Judgements:
    """Each query gets the judgement of the row before it."""
    answers = [row[1] for row in rows]
    return [[row[0], answers[at - 1], row[2]] for at, row in enumerate(rows)]


def moved_by_many(random: np.random.Generator, rows: Judgements) -> Judgements:
    """As `moved`, by a third of the file: no neighbour has the same answer any more."""
    answers = [row[1] for row in rows]
    return [[row[0], answers[at - len(rows) // 3], row[2]] for at, row in enumerate(rows)]


def shuffled(random: np.random.Generator, rows: Judgements, share: float = 1.0) -> Judgements:
    """The answers of so many rows exchanged among them."""
    chosen = np.flatnonzero(random.random(len(rows)) < share)
    answers = [row[1] for row in rows]
    for at, other in zip(chosen, random.permutation(chosen), strict=True):
        answers[at] = rows[other][1]
    return [[row[0], answer, row[2]] for row, answer in zip(rows, answers, strict=True)]


def in_splits(splits: Sequence[str], change: object, *arguments: float) -> Change:
    def data(folder: Path, random: np.random.Generator) -> None:
        for split in splits:
            rows = raw.read_qrels(folder, split)
            raw.write_qrels(folder, split, change(random, rows, *arguments))  # type: ignore[operator]

    return data


def of_type(kind: str) -> Change:
    """The labels of one type of query shuffled, in all splits."""

    def data(folder: Path, random: np.random.Generator) -> None:
        types = {row["_id"]: row["metadata"]["type"] for row in raw.read_lines(folder / "queries.jsonl")}
        for split in raw.SPLITS:
            rows = raw.read_qrels(folder, split)
            own = iter(shuffled(random, [row for row in rows if types[row[0]] == kind]))
            raw.write_qrels(folder, split, [next(own) if types[row[0]] == kind else row for row in rows])

    return data


def ids_of_texts_moved(name: str) -> Change:
    """The texts of a file moved on by one row under the ids, as by a wrong join."""

    def data(folder: Path, random: np.random.Generator) -> None:
        rows = raw.read_lines(folder / name)
        texts = [{key: row[key] for key in ("title", "text") if key in row} for row in rows]
        raw.write_lines(folder / name, [row | texts[at - 1] for at, row in enumerate(rows)])

    return data


def answers_exchanged(share: float) -> Change:
    """The texts of some answers exchanged in pairs."""

    def data(folder: Path, random: np.random.Generator) -> None:
        rows = raw.read_lines(folder / "corpus.jsonl")
        chosen = random.permutation(len(rows))[: 2 * round(share * len(rows) / 2)]
        half = len(chosen) // 2
        for one, other in zip(chosen[:half], chosen[half:], strict=True):
            for key in ("title", "text"):
                rows[one][key], rows[other][key] = rows[other][key], rows[one][key]
        raw.write_lines(folder / "corpus.jsonl", rows)

    return data


def hardest_wrong(folder: Path, random: np.random.Generator) -> None:
    """A third of the training labels moved to another answer, always the same one for an answer: systematic."""
    ids = sorted(row["_id"] for row in raw.read_lines(folder / "corpus.jsonl"))
    other = dict(zip(ids, random.permutation(ids).tolist(), strict=True))
    chosen = set(random.permutation(ids)[: len(ids) // 3].tolist())
    rows = raw.read_qrels(folder, "train")
    raw.write_qrels(folder, "train", [[row[0], other[row[1]] if row[1] in chosen else row[1], row[2]] for row in rows])


def reversed_relevance(folder: Path, random: np.random.Generator) -> None:
    """A score of 0 where it was 1, and a wrong answer with 1, as when relevant means 0 in the source."""
    ids = sorted(row["_id"] for row in raw.read_lines(folder / "corpus.jsonl"))
    for split in raw.SPLITS:
        rows = raw.read_qrels(folder, split)
        wrong = [[row[0], str(random.choice([one for one in ids if one != row[1]])), "1"] for row in rows]
        raw.write_qrels(folder, split, [*([*row[:2], "0"] for row in rows), *wrong])


def fault(name: str, sentence: str, data: Change, source: str, mendable: bool = False) -> Fault:
    return Fault(name, "labels", sentence, source, data=data, mendable=mendable)


JOIN = "practitioners' threads: a table sorted or joined apart from its labels"
NOISE = "Northcutt et al. 2021, confident learning: label noise"
FAULTS = (
    fault("labels-shifted-by-a-row", "every judgement belongs to the query of the row before it",
          in_splits(raw.SPLITS, moved), JOIN),
    fault("labels-shifted-by-a-third", "judgements were moved against the queries by a third of the file",
          in_splits(raw.SPLITS, moved_by_many), JOIN),
    fault("training-labels-shifted", "the judgements of the training split alone were moved by some rows",
          in_splits(["train"], moved_by_many), JOIN),
    fault("labels-shuffled", "no judgement has anything to do with its query",
          in_splits(raw.SPLITS, shuffled), "Zhang et al. 2017: random labels"),
    fault("training-labels-shuffled", "the training labels are random, those of dev and test are right",
          in_splits(["train"], shuffled), "Zhang et al. 2017: random labels"),
    fault("test-labels-shuffled", "the test labels are random", in_splits(["test"], shuffled), JOIN),
    fault("dev-labels-shuffled", "the dev labels are random: the weights are chosen by chance",
          in_splits(["dev"], shuffled), JOIN),
    fault("training-labels-40-percent-wrong", "40 % of the training labels are wrong",
          in_splits(["train"], shuffled, 0.4), NOISE, mendable=True),
    fault("labels-20-percent-wrong", "20 % of all labels are wrong",
          in_splits(raw.SPLITS, shuffled, 0.2), NOISE, mendable=True),
    fault("labels-systematically-wrong", "a third of the answers have the training queries of another answer",
          hardest_wrong, NOISE),
    fault("labels-of-questions-shuffled", "the labels of questions are random, those of conversations are right",
          of_type("question"), JOIN),
    fault("labels-of-conversations-shuffled", "the labels of conversations are random, those of questions are right",
          of_type("conversation"), JOIN),
    fault("query-texts-off-by-one", "the texts of the queries stand one row off their ids",
          ids_of_texts_moved("queries.jsonl"), JOIN),
    fault("answer-texts-off-by-one", "the texts of the answers stand one row off their ids",
          ids_of_texts_moved("corpus.jsonl"), JOIN),
    fault("answer-texts-exchanged", "40 % of the answers have the text of another one", answers_exchanged(0.4), JOIN),
    fault("relevance-reversed", "0 means relevant in the source, and was read as not relevant",
          reversed_relevance, "practitioners 40"),
)  # fmt: skip
