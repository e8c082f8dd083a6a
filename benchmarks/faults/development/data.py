"""Texts that say too little, too much, the same, or something else."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.faults import raw
from benchmarks.faults.fault import Change, Fault
from benchmarks.faults.raw import Row

GERMAN = ["der", "die", "das", "und", "ist", "nicht", "mit", "auf", "eine", "wird", "haben", "werden", "bitte", "konto"]


def answers(edit: Callable[[int, Row, np.random.Generator], None]) -> Change:
    def data(folder: Path, random: np.random.Generator) -> None:
        raw.edit_answers(folder, lambda number, row: edit(number, row, random))

    return data


def queries(edit: Callable[[int, Row, np.random.Generator], None], *splits: str) -> Change:
    """splits   of which queries; all without any"""

    def data(folder: Path, random: np.random.Generator) -> None:
        own = {row[0] for split in splits or raw.SPLITS for row in raw.read_qrels(folder, split)}
        raw.edit_queries(folder, lambda number, row: edit(number, row, random) if row["_id"] in own else None)

    return data


def half_placeholders(number: int, row: Row, random: np.random.Generator) -> None:
    if random.random() < 0.5:
        row["title"], row["text"] = "", "This article is being updated. Please check back later."


def cut_short(number: int, row: Row, random: np.random.Generator) -> None:
    row["title"], row["text"] = "", " ".join(row["text"].split()[:5])


def into_german(number: int, row: Row, random: np.random.Generator) -> None:
    """Words of another language in place of each, the same for the same word."""
    words = (f"{row.get('title', '')} {row['text']}").split()
    row["title"] = ""
    row["text"] = " ".join(spelt(word) for word in words)


def spelt(word: str) -> str:
    number = int(hashlib.sha256(word.lower().encode()).hexdigest()[:8], 16)
    return GERMAN[number % len(GERMAN)] + ("" if number % 3 else GERMAN[number // 7 % len(GERMAN)])


def behind_boilerplate(number: int, row: Row, random: np.random.Generator) -> None:
    text = "Welcome to our help centre. Please read the following notice before you go on. " * 12
    row["title"], row["text"] = "", text + row["text"]


def mojibake(number: int, row: Row, random: np.random.Generator) -> None:
    row["text"] = row["text"].encode("utf-16-le").decode("latin-1")
    row["title"] = ""


def in_markup(number: int, row: Row, random: np.random.Generator) -> None:
    tag = '<div class="article-body__content" data-block-id="{}" style="margin:0"><p><span>{}</span></p></div>'
    row["text"] = "".join(tag.format(at, word) for at, word in enumerate(row["text"].split()))


def greeting_only(number: int, row: Row, random: np.random.Generator) -> None:
    if random.random() < 0.6:
        row["text"] = str(random.choice(["Hi, I have a question.", "Hello, can you help me please?", "Good morning!"]))


def greeting_first(number: int, row: Row, random: np.random.Generator) -> None:
    text = "Hello and thank you for contacting our support team, an agent will be with you in a moment. " * 9
    row["text"] = text + row["text"]


def lower_words(number: int, row: Row, random: np.random.Generator) -> None:
    row["text"] = " ".join(random.permutation(row["text"].split())[:3])


def garbled(number: int, row: Row, random: np.random.Generator) -> None:
    letters = (letter if random.random() < 0.6 else chr(97 + int(random.integers(26))) for letter in row["text"])
    row["text"] = "".join(letters)


def near_copies(folder: Path, random: np.random.Generator) -> None:
    """Every answer three times under other ids, a word changed; judgements name any of them."""
    rows = raw.read_lines(folder / "corpus.jsonl")
    copies = [
        row | {"_id": f"{row['_id']}-v{copy}", "text": f"{row['text']} (version {copy})", "metadata": {}}
        for row in rows
        for copy in range(3)
    ]
    raw.write_lines(folder / "corpus.jsonl", copies)
    for split in raw.SPLITS:
        own = raw.read_qrels(folder, split)
        raw.write_qrels(folder, split, [[row[0], f"{row[1]}-v{random.integers(3)}", row[2]] for row in own])


def id_in_query(splits: tuple[str, ...]) -> Change:
    """The id of the answer stands in the text of its query."""

    def data(folder: Path, random: np.random.Generator) -> None:
        right = {row[0]: row[1] for split in splits for row in raw.read_qrels(folder, split)}
        titles = {row["_id"]: f"KB{at:05d}" for at, row in enumerate(raw.read_lines(folder / "corpus.jsonl"))}
        raw.edit_answers(folder, lambda _, row: row.update(text=f"{titles[row['_id']]} {row['text']}"))

        def edit(number: int, row: Row) -> None:
            if row["_id"] in right:
                row["text"] = f"{row['text']} ticket closed with {titles[right[row['_id']]]}"

        raw.edit_queries(folder, edit)

    return data


def answer_quoted(folder: Path, random: np.random.Generator) -> None:
    """The conversation holds the agent's reply, which is the answer."""
    right = {row[0]: row[1] for split in raw.SPLITS for row in raw.read_qrels(folder, split)}
    texts = {row["_id"]: row["text"] for row in raw.read_lines(folder / "corpus.jsonl")}

    def edit(number: int, row: Row) -> None:
        row["text"] = f"{' '.join(texts[right[row['_id']]].split()[:25])} {row['text']}"

    raw.edit_queries(folder, edit)


def test_in_training(folder: Path, random: np.random.Generator) -> None:
    """The test queries stand in training, too, under other ids."""
    texts = {row["_id"]: row for row in raw.read_lines(folder / "queries.jsonl")}
    train, test = raw.read_qrels(folder, "train"), raw.read_qrels(folder, "test")
    copies = [texts[row[0]] | {"_id": f"{row[0]}-again"} for row in test]
    raw.write_lines(folder / "queries.jsonl", [*texts.values(), *copies])
    raw.write_qrels(folder, "train", train + [[f"{row[0]}-again", *row[1:]] for row in test])


def one_answer_for_most(folder: Path, random: np.random.Generator) -> None:
    """70 % of the judgements name the catch-all answer."""
    catch_all = raw.read_lines(folder / "corpus.jsonl")[0]["_id"]
    for split in raw.SPLITS:
        rows = raw.read_qrels(folder, split)
        raw.write_qrels(
            folder, split, [[row[0], catch_all if random.random() < 0.7 else row[1], row[2]] for row in rows]
        )


def few(split: str, count: int) -> Change:
    def data(folder: Path, random: np.random.Generator) -> None:
        rows = raw.read_qrels(folder, split)
        raw.write_qrels(folder, split, [rows[at] for at in random.permutation(len(rows))[:count]])

    return data


def split_by_type(folder: Path, random: np.random.Generator) -> None:
    """Training has questions alone, test conversations alone."""
    types = {row["_id"]: row["metadata"]["type"] for row in raw.read_lines(folder / "queries.jsonl")}
    for split, kind in (("train", "question"), ("dev", "question"), ("test", "conversation")):
        rows = raw.read_qrels(folder, split)
        raw.write_qrels(folder, split, [row for row in rows if types[row[0]] == kind])


def fault(
    name: str, sentence: str, data: Change, source: str = "practitioners' threads", *, mendable: bool = False
) -> Fault:
    return Fault(name, "data", sentence, source, data=data, mendable=mendable)


FAULTS = (
    fault("answers-in-three-versions", "each answer stands in the corpus three times, and labels name one of them",
          near_copies, "vecscope: collapse", mendable=True),
    fault("half-of-the-answers-placeholders", "half of the answers are a placeholder text", answers(half_placeholders)),
    fault("answers-of-five-words", "the answers were cut to five words before they came here", answers(cut_short)),
    fault("answers-in-another-language", "the answers are in another language than the queries", answers(into_german)),
    fault("answers-behind-boilerplate", "every answer begins with the same long notice, and the rest is cut off",
          answers(behind_boilerplate)),
    fault("answers-mojibake", "the answers were read in a wrong encoding", answers(mojibake)),
    fault("answers-in-markup", "the answers are HTML, and the tags take the budget", answers(in_markup)),
    fault("queries-greetings-alone", "60 % of the queries are a greeting and nothing else", queries(greeting_only)),
    fault("queries-behind-a-greeting", "every query begins with the same long greeting, and what was asked is cut off",
          queries(greeting_first)),
    fault("queries-of-three-words", "queries are three words out of order", queries(lower_words)),
    fault("training-queries-garbled", "40 % of the letters of the training queries are wrong",
          queries(garbled, "train")),
    fault("test-queries-garbled", "40 % of the letters of the test queries are wrong", queries(garbled, "test")),
    fault("query-names-answer", "the query has the id of its answer in it", id_in_query(raw.SPLITS)),
    fault("training-query-names-answer", "training queries have the id of their answer in them, test queries have not",
          id_in_query(("train", "dev"))),
    fault("query-quotes-answer", "the query holds the first words of its answer", answer_quoted),
    fault("test-queries-in-training", "the test queries stand in training, too", test_in_training,
          mendable=True),
    fault("one-answer-for-most", "70 % of the queries are labelled with one catch-all answer", one_answer_for_most),
    fault("twenty-training-queries", "there are 20 training queries", few("train", 20)),
    fault("five-dev-queries", "there are 5 dev queries to choose the weights by", few("dev", 5)),
    fault("trained-on-questions-tested-on-conversations", "training has questions alone and test conversations alone",
          split_by_type, "2505.19274"),
)  # fmt: skip
