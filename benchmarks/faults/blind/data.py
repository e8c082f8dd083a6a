"""Collections that were put together wrongly: what is in the corpus, and which queries there are."""

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..fault import Change, Fault
from ..raw import Row, edit_answers, edit_queries, read_lines, read_qrels, write_lines, write_qrels


def related_titles_first(folder: Path, random: np.random.Generator) -> None:
    rows = read_lines(folder / "corpus.jsonl")
    titles = [row.get("title") or " ".join(row["text"].split()[:7]) for row in rows]

    def edit(number: int, row: Row) -> None:
        drawn = random.permutation(len(titles))[:16]
        others = " | ".join(titles[at] for at in drawn if at != number)
        row["text"] = f"Related articles: {others} | {row['text']}"

    edit_answers(folder, edit)


def begin_with_the_one_before(folder: Path, random: np.random.Generator) -> None:
    rows = read_lines(folder / "corpus.jsonl")
    wholes = [f"{row.get('title', '')} {row['text']}".split() for row in rows]

    def edit(number: int, row: Row) -> None:
        row["title"], row["text"] = "", " ".join(wholes[number - 1][-70:] + wholes[number])

    edit_answers(folder, edit)


def lines_of_two_columns(folder: Path, random: np.random.Generator) -> None:
    """Lines of seven words: one of the article, one of the article beside it."""
    lines = [list(in_lines(row["text"])) for row in read_lines(folder / "corpus.jsonl")]

    def edit(number: int, row: Row) -> None:
        own, beside = lines[number], lines[number - 1]
        read = [line for at, one in enumerate(own) for line in [*beside[at : at + 1], one]]
        row["text"] = " ".join(read)

    edit_answers(folder, edit)


def in_lines(text: str, words: int = 7) -> Iterator[str]:
    own = text.split()
    return (" ".join(own[at : at + words]) for at in range(0, len(own), words))


def words_in_order_of_the_alphabet(folder: Path, random: np.random.Generator) -> None:
    def edit(number: int, row: Row) -> None:
        words = f"{row.get('title', '')} {row['text']}".lower().split()
        row["title"], row["text"] = "", " ".join(sorted({word.strip('.,;:!?"()') for word in words}))

    edit_answers(folder, edit)


def three_queries_fill_the_log(folder: Path, random: np.random.Generator) -> None:
    texts = read_lines(folder / "queries.jsonl")
    by_id = {row["_id"]: row for row in texts}
    rows = read_qrels(folder, "train")
    chosen = [rows[at] for at in random.permutation(len(rows))[:3]]
    copies = [[f"{query}-log{at}", answer, score] for query, answer, score in chosen for at in range(len(rows))]
    texts += [by_id[query.rpartition("-log")[0]] | {"_id": query} for query, _, _ in copies]
    write_lines(folder / "queries.jsonl", texts)
    write_qrels(folder, "train", rows + copies)


def conversations(share: float, change: str) -> Change:
    """Every conversation, or that share of them, begins with a log of its own or is encoded."""

    def data(folder: Path, random: np.random.Generator) -> None:
        def edit(number: int, row: Row) -> None:
            if row["metadata"]["type"] != "conversation" or random.random() >= share:
                return
            if change == "base64":
                row["text"] = base64.encodebytes(row["text"].encode()).decode().strip()
            else:
                row["text"] = f"{log(random)} {row['text']}"

        edit_queries(folder, edit)

    return data


def log(random: np.random.Generator, lines: int = 7) -> str:
    parts = ["net.link", "core.sync", "ui.view", "store.db", "auth.token"]
    return " ".join(
        f"2024-{random.integers(1, 13):02d}-{random.integers(1, 29):02d}T{random.integers(24):02d}:"
        f"{random.integers(60):02d}:{random.integers(60):02d}Z [{random.integers(2**32):08x}] DEBUG "
        f"{random.choice(parts)} rc={random.integers(-9, 200)}"
        for _ in range(lines)
    )


def fault(name: str, sentence: str, data: Change, source: str) -> Fault:
    return Fault(name, "data", sentence, source, data=data)


FAULTS = (
    fault(
        "related-titles-before-articles",
        "The crawler took the sidebar for text: every article begins with the titles of some fifteen other articles, "
        "and little of its own text fits behind them. Leave the sidebar out.",
        related_titles_first,
        "practitioners 19: hubs; reports on boilerplate in crawled corpora",
    ),
    fault(
        "chunks-begin-with-the-chunk-before",
        "The splitter's overlap is far too long: every text begins with the last seventy words of the text before it, "
        "so what the encoder reads is mostly its neighbour's. Shorten the overlap.",
        begin_with_the_one_before,
        "reports on retrieval over overlapping chunks",
    ),
    fault(
        "two-columns-read-across",
        "The pages had two columns and were read across them: the lines of each article alternate with the lines of "
        "the article beside it. Extract the columns one after the other.",
        lines_of_two_columns,
        "reports on text taken from PDF",
    ),
    fault(
        "articles-are-lists-of-index-terms",
        "The articles came out of a keyword index: each is the list of its different words in the order of the "
        "alphabet, no sentences, and the budget ends in the first letters. Index the original texts.",
        words_in_order_of_the_alphabet,
        "Pham et al. 2021, arXiv:2012.15180: word order",
    ),
    fault(
        "three-queries-fill-the-log",
        "The query log was not freed of repetitions: three queries, sent again and again by a monitor, are three "
        "quarters of the training rows. Keep each query once.",
        three_queries_fill_the_log,
        "Lee et al. 2022, arXiv:2107.06499: duplicates in training data",
    ),
    fault(
        "mails-left-in-base64",
        "The mail import did not decode the bodies: six in ten conversations are base64 and no readable text. Decode "
        "the transfer encoding.",
        conversations(0.6, "base64"),
        "reports on mail archives as training data",
    ),
    fault(
        "diagnostic-log-before-the-message",
        "The app pastes its diagnostic log before the customer's message: nine in ten conversations begin with lines "
        "of times and hexadecimal numbers, different in each, and the message comes after what the encoder reads. "
        "Remove the log.",
        conversations(0.9, "log"),
        "reports on support tickets; practitioners 42",
    ),
)
