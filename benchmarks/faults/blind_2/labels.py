"""Judgements that someone made or moved in another way than the table says."""

from functools import partial
from pathlib import Path

import numpy as np

from ..blind.labels import Judgements, Search, in_splits, rarity, words
from ..raw import read_lines, read_qrels, write_lines, write_qrels
from . import data

TRAINED = ("train", "dev")
# So that no best weights from before hide what training did.
LAST = {"finetune_rank.early_stopping.metric": ""}


def least_alike(folder: Path, random: np.random.Generator, rows: Judgements) -> Judgements:
    """Of half of the rows: one of the fifth of the articles that shares least with the query."""
    search = Search(folder)
    last = max(1, len(search.ids) // 5)

    def judged(row: list[str]) -> list[str]:
        if random.random() >= 0.5:
            return row
        found = random.choice(search.best(row[0], len(search.ids))[-last:])
        return [row[0], search.ids[found], row[2]]

    return [judged(row) for row in rows]


def later_rounds(folder: Path, random: np.random.Generator, rounds: int = 3) -> None:
    """Each training and dev query once more a round, under an id of its own, with another of its ten best articles."""
    search, texts = Search(folder), read_lines(folder / "queries.jsonl")
    by_id = {row["_id"]: row for row in texts}
    for split in TRAINED:
        rows, added = read_qrels(folder, split), []
        for query, answer, score in rows:
            others = [one for at in search.best(query, 11) if (one := search.ids[at]) != answer]
            for number in range(2, 2 + rounds):
                texts.append(by_id[query] | {"_id": f"{query}-round{number}"})
                added.append([f"{query}-round{number}", str(random.choice(others)), score])
        write_qrels(folder, split, rows + added)
    write_lines(folder / "queries.jsonl", texts)


def decoded_by_alphabet(folder: Path, random: np.random.Generator, rows: Judgements) -> Judgements:
    """Numbers by first appearance in a mixed table, read as places in the sorted list."""
    mixed = [rows[at][1] for at in random.permutation(len(rows))]
    number = {answer: at for at, answer in enumerate(dict.fromkeys(mixed))}
    decoded = sorted(number)
    return [[row[0], decoded[number[row[1]]], row[2]] for row in rows]


def titles_alone(folder: Path, random: np.random.Generator, rows: Judgements) -> Judgements:
    """The article whose title, or first words, shares most with the query; any where none shares a word."""
    corpus = read_lines(folder / "corpus.jsonl")
    titles = [words(row.get("title") or " ".join(row["text"].split()[:6])) for row in corpus]
    queries = {row["_id"]: words(row["text"]) for row in read_lines(folder / "queries.jsonl")}
    weight = rarity(titles)

    def judged(row: list[str]) -> list[str]:
        score = [sum(weight[word] for word in queries[row[0]] & title) / len(title or "-") for title in titles]
        best = int(np.argmax(score)) if max(score) else int(random.integers(len(corpus)))
        return [row[0], corpus[best]["_id"], row[2]]

    return [judged(row) for row in rows]


def counted_on(folder: Path, random: np.random.Generator, rows: Judgements) -> Judgements:
    """From two fifths of the sheet on."""
    ids = [row["_id"] for row in read_lines(folder / "corpus.jsonl")]
    start = 2 * len(rows) // 5
    first = ids.index(rows[start][1])
    filled = [ids[(first + at) % len(ids)] for at in range(len(rows) - start)]
    return rows[:start] + [[row[0], one, row[2]] for row, one in zip(rows[start:], filled, strict=True)]


def by_first_letters(folder: Path, random: np.random.Generator, rows: Judgements, letters: int = 5) -> Judgements:
    """Every query has the answer of the first one that begins like it."""
    texts = {row["_id"]: row["text"] for row in read_lines(folder / "queries.jsonl")}
    keys = [texts[row[0]].lower().lstrip()[:letters] for row in rows]
    mixed = random.permutation(len(rows))
    first: dict[str, str] = {}
    for at in mixed:
        first.setdefault(keys[at], rows[at][1])
    return [[row[0], first[key], row[2]] for row, key in zip(rows, keys, strict=True)]


fault = partial(data.fault, about="labels")

FAULTS = (
    fault(
        "task-misread-by-half-of-the-annotators",
        "Half of the annotators took the task for its opposite and marked an article that surely does not answer: "
        "half of the training and dev labels name articles that share least with the query. Leave their rows out.",
        in_splits(TRAINED, least_alike),
        "Northcutt et al. 2021, arXiv:1911.00068; reports on misunderstood instructions",
        mendable=True,
    ),
    fault(
        "later-rounds-contradict-the-first",
        "Three later rounds of annotation, by people who guessed among the search results, were appended under new "
        "ids: every training and dev query stands there four times, once with its right answer. Keep the first round.",
        later_rounds,
        "Snow et al. 2008, EMNLP: cheap annotators; reports on merged annotation rounds",
        mendable=True,
    ),
    fault(
        "class-numbers-decoded-by-the-alphabet",
        "The answers were numbered in the order of their first appearance and read back from the sorted list, as "
        "factorize and LabelEncoder differ: in training and dev every answer stands for another one. Use one table.",
        in_splits(TRAINED, decoded_by_alphabet),
        "pytorch/vision#714; reports on encoders of labels that were fitted twice",
    ),
    fault(
        "annotators-saw-titles-alone",
        "The annotation tool showed the titles alone, and every training and dev label is the article whose title "
        "shares most words with the query. Have the labels made with the texts in sight.",
        in_splits(TRAINED, titles_alone),
        "Gururangan et al. 2018, arXiv:1803.02324: artefacts of annotation; practitioners 13",
    ),
    fault(
        "spreadsheet-counted-the-ids-on",
        "Someone dragged the id down a column of the spreadsheet, which counted on in place of copying: from two "
        "fifths of the training and dev rows on the labels run through the articles in turn. Leave these rows out.",
        in_splits(TRAINED, counted_on),
        "Microsoft Knowledge Base Q89228: rules of AutoFill; Panko 2008: errors in spreadsheets",
        LAST,
        mendable=True,
    ),
    fault(
        "joined-over-the-first-letters",
        "Queries and labels were joined over a key of five characters, the first of the query: all training and dev "
        "queries that begin alike have the label of one of them. Join over the id.",
        in_splits(TRAINED, by_first_letters),
        "Humbatova et al. 2020, taxonomy of real faults: labels; reports on truncated keys in joins",
    ),
)
