"""Collections whose records were cut, joined or filled wrongly."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..fault import About, Change, Fault
from ..raw import Row, edit_answers, edit_queries, read_lines, read_qrels, write_lines, write_qrels

# So that no best weights from before hide what training did.
LAST = {"finetune_rank.early_stopping.metric": ""}
WORDS = ("release", "draft", "review", "import", "legacy", "mobile", "global", "partner", "internal", "archive")


def wholes(folder: Path) -> list[list[str]]:
    """The words of each article, title first."""
    return [f"{row.get('title', '')} {row['text']}".split() for row in read_lines(folder / "corpus.jsonl")]


def cut_by_pages(folder: Path, random: np.random.Generator) -> None:
    articles = wholes(folder)
    manual = [word for article in articles for word in article]
    ends = np.linspace(0, len(manual), len(articles) + 1).astype(int)

    def edit(number: int, row: Row) -> None:
        row["title"], row["text"] = "", " ".join(manual[ends[number] : ends[number + 1]])

    edit_answers(folder, edit)


def category_pages(folder: Path, random: np.random.Generator, size: int = 4) -> None:
    articles = [" ".join(article) for article in wholes(folder)]

    def edit(number: int, row: Row) -> None:
        first = number // size * size
        row["title"], row["text"] = "", " ".join(articles[first : first + size])

    edit_answers(folder, edit)


def records_whole(folder: Path, random: np.random.Generator) -> None:
    def edit(number: int, row: Row) -> None:
        record = {
            "id": int(random.integers(10**7, 10**8)),
            "uuid": "-".join(f"{random.integers(16**4):04x}" for _ in range(6)),
            "created_at": stamp(random),
            "updated_at": stamp(random),
            "author": {"id": int(random.integers(10**4)), "role": str(random.choice(WORDS))},
            "labels": [str(random.choice(WORDS)) for _ in range(3)],
            "url": f"https://cdn.example/kb/{random.integers(16**8):08x}",
            "title": row.get("title", ""),
            "body": row["text"],
        }
        row["title"], row["text"] = "", json.dumps(record, ensure_ascii=False)

    edit_answers(folder, edit)


def stamp(random: np.random.Generator) -> str:
    date = f"20{random.integers(15, 25)}-{random.integers(1, 13):02d}-{random.integers(1, 29):02d}"
    return f"{date}T{random.integers(24):02d}:{random.integers(60):02d}:{random.integers(60):02d}Z"


def two_customers(folder: Path, random: np.random.Generator, words: int = 4) -> None:
    """Lines of a few words each: one of the customer, one of another who wrote a text of the same kind."""
    texts = [row["text"].split() for row in read_lines(folder / "queries.jsonl")]
    kinds = np.array([row["metadata"]["type"] for row in read_lines(folder / "queries.jsonl")])
    other = np.arange(len(texts))
    for kind in np.unique(kinds):
        own = random.permutation(np.flatnonzero(kinds == kind))
        other[own] = np.roll(own, 1)

    def edit(number: int, row: Row) -> None:
        sides = [texts[number], texts[other[number]]]
        if random.random() < 0.5:
            sides.reverse()
        starts = range(0, max(map(len, sides)), words)
        row["text"] = " ".join(word for at in starts for side in sides for word in side[at : at + words])

    edit_queries(folder, edit)


def questions_indexed(folder: Path, random: np.random.Generator) -> None:
    queries = read_lines(folder / "queries.jsonl")
    posts = [{"_id": f"{row['_id']}-post", "title": "", "text": row["text"]} for row in queries]
    write_lines(folder / "corpus.jsonl", read_lines(folder / "corpus.jsonl") + posts)


def augmented(folder: Path, random: np.random.Generator, copies: int = 5, share: float = 0.85) -> None:
    """Copies of each training query in which that share of the words are of other queries."""
    rows = read_lines(folder / "queries.jsonl")
    by_id = {row["_id"]: row for row in rows}
    judged = read_qrels(folder, "train")
    pool = sorted({word for query, *_ in judged for word in by_id[query]["text"].split()})
    added = []
    for query, answer, score in judged:
        for number in range(copies):
            words = by_id[query]["text"].split()
            drawn = random.choice(pool, len(words))
            is_new = random.random(len(words)) < share
            text = " ".join(new if swap else old for old, new, swap in zip(words, drawn, is_new, strict=True))
            rows.append(by_id[query] | {"_id": f"{query}-aug{number}", "text": text})
            added.append([f"{query}-aug{number}", answer, score])
    write_lines(folder / "queries.jsonl", rows)
    write_qrels(folder, "train", judged + added)


def fault(
    name: str,
    sentence: str,
    data: Change,
    source: str,
    settings: Mapping[str, Any] | None = None,
    *,
    about: About = "data",
    mendable: bool = False,
) -> Fault:
    return Fault(name, about, sentence, source, mendable=mendable, data=data, settings=settings or {})


FAULTS = (
    fault(
        "manual-cut-by-pages",
        "The manual was cut into pages of equal length and not where its articles begin: a text holds the end of one "
        "article and the beginning of the next, and drifts away from its id. Cut at the headings.",
        cut_by_pages,
        "infiniflow/ragflow#4447 and UnB-KnEDLe/DODFMiner#35: titles and sections put together wrongly",
    ),
    fault(
        "articles-are-their-category-page",
        "The crawler followed the links to anchors of a page and stored the whole page each time: four articles in a "
        "row have the same text, that of all four. Cut the pages at their anchors.",
        category_pages,
        "Lee et al. 2022, arXiv:2107.06499: duplicates; reports on crawls of single-page documentation",
    ),
    fault(
        "records-embedded-whole",
        "Every article is the whole JSON record of the database: ids, times, author and labels, different in each, "
        "fill the budget before title and body come. Index the body alone.",
        records_whole,
        "run-llama/llama_index#15559 and #11619: metadata embedded with the text",
    ),
    fault(
        "chat-lines-of-two-customers",
        "The chat log was put together by time and not by channel: in every query the lines of two customers "
        "alternate, and only one of them is answered. Join the lines by channel.",
        two_customers,
        "Kummerfeld et al. 2019, arXiv:1810.11118: disentanglement of conversations",
    ),
    fault(
        "questions-indexed-as-answers",
        "The index was filled from the table of all posts, so the questions themselves stand in the corpus beside the "
        "answers: the best match of a query is its own text. Take the questions out of the corpus.",
        questions_indexed,
        "beir-cellar/beir#72 and lightonai/pylate#198: queries in the corpus",
        mendable=True,
    ),
    fault(
        "augmentation-swaps-most-words",
        "The training queries were augmented with a share of 0.85 for 0.15: five copies of each, in which most words "
        "are those of other queries, bear its label. Leave the copies out.",
        augmented,
        "Wei and Zou 2019, arXiv:1901.11196: large shares destroy the label",
        LAST,
        mendable=True,
    ),
)
