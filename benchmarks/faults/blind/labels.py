"""Judgements that were made, copied or joined wrongly."""

import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..fault import Change, Fault
from ..raw import SPLITS, read_lines, read_qrels, write_qrels

Judgements = list[list[str]]


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def rarity(texts: list[set[str]]) -> dict[str, float]:
    """Inverse document frequency of each word."""
    counts = Counter(word for text in texts for word in text)
    return {word: math.log(1 + len(texts) / count) for word, count in counts.items()}


class Search:
    """A keyword search: what the words that a query shares with an article are worth, by the article's length."""

    def __init__(self, folder: Path) -> None:
        self.rows = read_lines(folder / "corpus.jsonl")
        self.ids = [row["_id"] for row in self.rows]
        self.texts = [words(f"{row.get('title', '')} {row['text']}") for row in self.rows]
        self.weight = rarity(self.texts)
        self.queries = {row["_id"]: words(row["text"]) for row in read_lines(folder / "queries.jsonl")}

    def best(self, query: str, count: int = 1) -> list[int]:
        own = self.queries[query]
        score = [sum(self.weight[word] for word in own & text) / len(text) ** 0.5 for text in self.texts]
        return np.argsort(-np.array(score), kind="stable")[:count].tolist()


def in_splits(splits: tuple[str, ...], change: Callable[[Path, np.random.Generator, Judgements], Judgements]) -> Change:
    def data(folder: Path, random: np.random.Generator) -> None:
        for split in splits:
            write_qrels(folder, split, change(folder, random, read_qrels(folder, split)))

    return data


def by_clusters(folder: Path, random: np.random.Generator, rows: Judgements) -> Judgements:
    """Every query has the commonest answer of its cluster; two clusters for five queries."""
    texts = {row["_id"]: words(row["text"]) for row in read_lines(folder / "queries.jsonl")}
    own = [texts[row[0]] for row in rows]
    weight = rarity(own)
    clusters = max(2, 2 * len(rows) // 5)
    centres = [own[at] for at in random.permutation(len(own))[:clusters]]

    def likeness(one: set[str], other: set[str]) -> float:
        return sum(weight[word] for word in one & other) / (1 + sum(weight[word] for word in one | other))

    cluster = [max(range(clusters), key=lambda at: likeness(text, centres[at])) for text in own]
    answers: dict[int, Counter[str]] = {}
    for at, row in zip(cluster, rows, strict=True):
        answers.setdefault(at, Counter())[row[1]] += 1
    return [[row[0], answers[at].most_common(1)[0][0], row[2]] for at, row in zip(cluster, rows, strict=True)]


def longest_of_five(folder: Path, random: np.random.Generator, rows: Judgements) -> Judgements:
    search = Search(folder)

    def judged(row: list[str]) -> list[str]:
        if random.random() >= 0.7:
            return row
        found = max(search.best(row[0], 5), key=lambda at: len(search.rows[at]["text"]))
        return [row[0], search.ids[found], row[2]]

    return [judged(row) for row in rows]


def first_hit_is_gold(folder: Path, random: np.random.Generator, rows: Judgements) -> Judgements:
    search = Search(folder)
    return [[row[0], search.ids[search.best(row[0])[0]], row[2]] for row in rows]


def those_that_search_finds(folder: Path, random: np.random.Generator, rows: Judgements) -> Judgements:
    search = Search(folder)
    return [row for row in rows if search.ids[search.best(row[0])[0]] == row[1]] or rows[:1]


def rare_answers_folded(folder: Path, random: np.random.Generator) -> None:
    counts = Counter(row[1] for row in read_qrels(folder, "train"))
    rare = [answer for answer, _ in reversed(counts.most_common())][: round(0.6 * len(counts))]
    for split in ("train", "dev"):
        rows = read_qrels(folder, split)
        write_qrels(folder, split, [[row[0], rare[0] if row[1] in rare else row[1], row[2]] for row in rows])


def filled_forward(folder: Path, random: np.random.Generator, rows: Judgements) -> Judgements:
    """In the order of the table, which is not that of the answers."""
    mixed = [rows[at] for at in random.permutation(len(rows))]
    answers: list[str] = []
    for row in mixed:
        answers.append(row[1] if not answers or random.random() < 0.4 else answers[-1])
    return [[row[0], answer, row[2]] for row, answer in zip(mixed, answers, strict=True)]


def counted_from_the_end(folder: Path, random: np.random.Generator, rows: Judgements) -> Judgements:
    ids = [row["_id"] for row in read_lines(folder / "corpus.jsonl")]
    other = dict(zip(ids, reversed(ids), strict=True))
    return [[row[0], other[row[1]] if random.random() < 0.45 else row[1], row[2]] for row in rows]


def all_of_a_category(folder: Path, random: np.random.Generator, rows: Judgements) -> Judgements:
    """Categories of five articles each, as they stand in the corpus."""
    ids = [row["_id"] for row in read_lines(folder / "corpus.jsonl")]
    place = {one: at for at, one in enumerate(ids)}
    starts = [place[row[1]] // 5 * 5 for row in rows]
    return [[row[0], one, row[2]] for row, at in zip(rows, starts, strict=True) for one in ids[at : at + 5]]


def fault(name: str, sentence: str, data: Change, source: str, *, mendable: bool = False) -> Fault:
    return Fault(name, "labels", sentence, source, data=data, mendable=mendable)


FAULTS = (
    fault(
        "labels-spread-through-clusters",
        "To save judging, the training queries were clustered by the words that they share, two or three to a "
        "cluster, and every query was given the commonest answer of its cluster. Judge the queries one by one.",
        in_splits(("train",), by_clusters),
        "Ratner et al. 2017, arXiv:1711.10160: weak supervision",
    ),
    fault(
        "judge-prefers-long-articles",
        "The training and dev labels come from a language model that chose among five candidates, and in seven of ten "
        "cases it took the longest article whatever was asked. Have the labels checked by people.",
        in_splits(("train", "dev"), longest_of_five),
        "Zheng et al. 2023, arXiv:2306.05685: verbosity bias of judges",
    ),
    fault(
        "test-gold-from-keyword-search",
        "The test judgements were not made by people: they are the first result of a keyword search, so the test "
        "measures agreement with that search. Judge the test queries.",
        in_splits(("test",), first_hit_is_gold),
        "Thakur et al. 2021, arXiv:2104.08663: lexical bias of judgements",
    ),
    fault(
        "only-queries-that-keyword-search-solves",
        "The test kept only those queries whose answer a keyword search puts first, because only its first result was "
        "shown to the judges: hard queries are missing and the figures are too good. Judge more than one result.",
        in_splits(("test",), those_that_search_finds),
        "practitioners 13: holes in the pool; Thakur et al. 2021, arXiv:2104.08663",
    ),
    fault(
        "rare-answers-folded-into-one",
        "Answers with few training queries were put together as one class 'other': in training and dev the rarer "
        "sixty percent of the answers all bear the label of one of them, while the test has each. Undo the merging.",
        rare_answers_folded,
        "Humbatova et al. 2020, taxonomy of real faults: labels; reports on long-tailed classes",
    ),
    fault(
        "missing-labels-filled-forward",
        "Six in ten training labels were missing, and a fill-forward gave each of those queries the label of the row "
        "above. Drop the rows without a label.",
        in_splits(("train",), filled_forward),
        "reports on pandas ffill; Northcutt et al. 2021, arXiv:1911.00068",
        mendable=True,
    ),
    fault(
        "two-numberings-of-articles",
        "Two teams judged with two numberings of the articles, one from the front and one from the back, and both were "
        "read by the first: 45 % of the training and dev labels name the article at the mirrored place. Translate the "
        "second team's numbers.",
        in_splits(("train", "dev"), counted_from_the_end),
        "reports on merged annotation rounds",
        mendable=True,
    ),
    fault(
        "join-over-the-category",
        "Queries and articles were joined over the category and not over the id: in all splits each query counts five "
        "articles as relevant, of which one answers it. Join over the id.",
        in_splits(SPLITS, all_of_a_category),
        "reports on joins that multiply rows",
    ),
)
