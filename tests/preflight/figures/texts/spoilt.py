"""The bundled sample as `prepare` would hand it on, and what spoils its texts, each with the code that says so."""

import base64
import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

from whyrank.core.prepared import Prepared
from whyrank.data.ranking.duplicates import find_duplicates

SAMPLE = Path(__file__).parents[4] / "data" / "raw" / "sample"
NOTICE = (
    "Thank you for contacting the support team of our company. Your message is important to us and will be answered "
    "within two working days. Please do not reply to this automatic notice, and read our terms of service first."
)
FILLER = "lorem ipsum dolor sit amet consectetur adipiscing elit sed eiusmod tempor incididunt labore magna aliqua"
GERMAN = (
    "Nach Eingang Ihrer Sendung erstatten wir den Preis binnen sieben Werktagen auf Ihr Zahlungsmittel. Bitte prüfen "
    "Sie auch den Stecker und warten Sie danach eine Minute, bevor Sie das Gerät wieder einschalten."
)
RUSSIAN = "после возврата товара на склад мы вернём деньги в течение семи рабочих дней на тот же счёт"

Spoil = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame, random.Random], object]
SPOILT: dict[str, tuple[Spoil, str]] = {}


def spoils(code: str) -> Callable[[Spoil], Spoil]:
    def register(spoil: Spoil) -> Spoil:
        SPOILT[spoil.__name__] = spoil, code
        return spoil

    return register


@cache
def _read() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    corpus, asked = (
        [json.loads(line) for line in (SAMPLE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
        for name in ("corpus", "queries")
    )
    qrels = pd.read_csv(SAMPLE / "qrels" / "train.tsv", sep="\t").set_axis(["query_id", "answer_id", "score"], axis=1)
    answers = pd.DataFrame(
        {
            "answer_id": [row["_id"] for row in corpus],
            "title": [row["title"] for row in corpus],
            "raw_text": [f"{row['title']} {row['text']}" for row in corpus],
        }
    )
    queries = pd.DataFrame(
        {
            "query_id": [row["_id"] for row in asked],
            "type": [row["metadata"]["type"] for row in asked],
            "raw_text": [row["text"] for row in asked],
        }
    )
    # Half of the queries of each answer, in half of the time.
    queries = queries.iloc[::2].reset_index(drop=True)
    qrels = qrels[qrels["query_id"].isin(queries["query_id"])].reset_index(drop=True)
    queries["split"] = random.Random(0).choices(["train", "dev", "test"], [0.5, 0.15, 0.35], k=len(queries))
    return answers, queries, qrels


def sample(spoil: Spoil | None = None, budget: int = 200) -> tuple[Prepared, dict[str, pd.DataFrame]]:
    """The sample, spoilt, with a token for each word, and the table of duplicates as `prepare` records it."""
    answers, queries, qrels = (table.copy() for table in _read())
    if spoil is not None:
        spoil(answers, queries, qrels, random.Random(1))
    for table in (answers, queries):
        words = table["raw_text"].str.split()
        table["text"], table["tokens_raw"] = words.str[:budget].str.join(" "), words.str.len()
        table["tokens"] = table["tokens_raw"].clip(upper=budget)
    found, ids = find_duplicates(queries["raw_text"].tolist()).pairs, queries["query_id"].to_numpy()
    named = {"query_left": ids[found["left"]], "query_right": ids[found["right"]], "kind": found["kind"]}
    return Prepared(answers, queries, qrels), {"duplicates": pd.DataFrame(named)}


def some(table: pd.DataFrame, share: float, draw: random.Random) -> list[int]:
    return draw.sample(range(len(table)), round(share * len(table)))


def rewritten(table: pd.DataFrame, rows: list[int], text: Callable[[str], str]) -> None:
    place = table.columns.get_loc("raw_text")
    for row in rows:
        table.iloc[row, place] = text(table.iloc[row, place])


def shuffled(text: str, draw: random.Random) -> str:
    return " ".join("".join(draw.sample(word, len(word))) for word in text.split())


@spoils("near-copies")
def copies(answers, queries, qrels, draw):
    for row in some(answers, 0.2, draw):
        one = answers.iloc[row]
        answers.loc[len(answers)] = [f"zz-{row}", one["title"], f"{one['raw_text']} Thanks."]


@spoils("near-copies")
def one_that_holds_the_others(answers, queries, qrels, draw):
    answers.loc[len(answers)] = ["everything", "", " ".join(answers["raw_text"][:30])]


@spoils("placeholder-answers")
def to_do(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 0.1, draw), lambda text: "TODO")


@spoils("placeholder-answers")
def one_text_for_many(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 0.15, draw), lambda text: "We will come back to you about this matter soon.")


@spoils("placeholder-answers")
def lorem_ipsum(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 0.2, draw), lambda text: " ".join(draw.choices(FILLER.split(), k=60)))


@spoils("answers-say-little")
def a_word_each(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 0.3, draw), lambda text: f"Entry {draw.randrange(1000)}.")


@spoils("answers-in-another-language")
def german(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 0.3, draw), lambda text: f"{shuffled_words(GERMAN, draw)} {draw.random()}")


@spoils("answers-in-another-language")
def russian(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 0.2, draw), lambda text: f"{shuffled_words(RUSSIAN, draw)} {draw.random()}")


def shuffled_words(text: str, draw: random.Random) -> str:
    words = text.split()
    return " ".join(draw.sample(words, len(words)))


@spoils("one-answer-dominates")
def one_answer_for_many(answers, queries, qrels, draw):
    qrels.loc[some(qrels, 0.4, draw), "answer_id"] = answers["answer_id"].iloc[0]


@spoils("boilerplate")
def notice_in_conversations(answers, queries, qrels, draw):
    long = [row for row, kind in enumerate(queries["type"]) if kind == "conversation"]
    rewritten(queries, long, lambda text: f"{NOTICE} {text}")


@spoils("boilerplate")
def phrase_before_questions(answers, queries, qrels, draw):
    short = [row for row, kind in enumerate(queries["type"]) if kind == "question"]
    rewritten(queries, short, lambda text: f"Dear support team, could you please tell me {text}")


@spoils("queries-say-nothing")
def greetings(answers, queries, qrels, draw):
    rewritten(queries, some(queries, 0.2, draw), lambda text: draw.choice(["hello", "Hi there", "good morning", "Hey"]))


@spoils("query-names-answer")
def ids(answers, queries, qrels, draw):
    queries["raw_text"] += (
        " (article " + qrels.set_index("query_id").loc[queries["query_id"], "answer_id"].to_numpy() + ")"
    )


@spoils("query-names-answer")
def codes(answers, queries, qrels, draw):
    code = {name: f"KB{place:05d}" for place, name in enumerate(answers["answer_id"])}
    answers["raw_text"] = answers["answer_id"].map(code) + " " + answers["raw_text"]
    right = qrels.drop_duplicates("query_id").set_index("query_id").loc[queries["query_id"], "answer_id"].map(code)
    queries["raw_text"] = queries["raw_text"] + " closed with " + right.to_numpy()


@spoils("query-names-answer")
def titles(answers, queries, qrels, draw):
    right = qrels.drop_duplicates("query_id").set_index("query_id").loc[queries["query_id"], "answer_id"]
    title = answers.set_index("answer_id").loc[right, "title"].to_numpy()
    queries["raw_text"] = queries["raw_text"] + " - " + title


@spoils("query-quotes-answer")
def quotes(answers, queries, qrels, draw):
    right = qrels.drop_duplicates("query_id").set_index("query_id").loc[queries["query_id"], "answer_id"]
    text = answers.set_index("answer_id").loc[right, "raw_text"].str.split().str[20:40].str.join(" ").to_numpy()
    queries["raw_text"] = queries["raw_text"] + " " + text


@spoils("repeated-queries")
def one_query_many_times(answers, queries, qrels, draw):
    row = queries.index[queries["split"] == "train"][0]
    query, answer = queries.loc[row].tolist(), qrels.set_index("query_id")["answer_id"]
    for copy in range(200):
        queries.loc[len(queries)] = [f"again-{copy}", *query[1:]]
        qrels.loc[len(qrels)] = [f"again-{copy}", answer[query[0]], 1]


@spoils("queries-and-answers-swapped")
def swapped(answers, queries, qrels, draw):
    queries["raw_text"] = queries["raw_text"].str.rstrip("?").str[:200] + "."
    answers["raw_text"] = answers["raw_text"].str[:100] + " - how do I do that?"


@spoils("splits-differ")
def questions_for_training(answers, queries, qrels, draw):
    queries["split"] = ["train" if kind == "question" else "test" for kind in queries["type"]]


@spoils("splits-differ")
def training_queries_without_signs(answers, queries, qrels, draw):
    rows = [row for row, split in enumerate(queries["split"]) if split == "train"]
    rewritten(queries, rows, lambda text: "".join(sign for sign in text.lower() if sign.isalpha() or sign == " "))


@spoils("cut-loses-end")
def question_at_the_end(answers, queries, qrels, draw):
    chat = "so well my weekend was nice and the weather with friends we ate cake then played cards until late"
    long = [row for row, kind in enumerate(queries["type"]) if kind == "conversation"]
    rewritten(
        queries,
        long,
        lambda text: f"user: {' '.join(draw.choices(chat.split(), k=220))} user: {text.replace('user:', '')}",
    )


@spoils("texts-cut-before")
def cut_characters(answers, queries, qrels, draw):
    answers["raw_text"] = answers["raw_text"].str[:400]


@spoils("texts-cut-before")
def cut_words(answers, queries, qrels, draw):
    answers["raw_text"] = answers["raw_text"].str.split().str[:50].str.join(" ")


@spoils("garbled-texts")
def letters_shuffled(answers, queries, qrels, draw):
    rewritten(answers, list(range(len(answers))), lambda text: shuffled(text, draw))


@spoils("garbled-texts")
def letters_of_some_shuffled(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 0.3, draw), lambda text: shuffled(text, draw))


@spoils("garbled-texts")
def words_shuffled(answers, queries, qrels, draw):
    rewritten(answers, list(range(len(answers))), lambda text: shuffled_words(text, draw))


@spoils("garbled-texts")
def coded(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 0.3, draw), lambda text: base64.b64encode(text.encode()).decode())


@spoils("garbled-texts")
def read_in_another_encoding(answers, queries, qrels, draw):
    answers["raw_text"] = ["’".join(text.split("'")).replace("a", "à", 3).encode().decode("cp1252", "replace")
                           for text in answers["raw_text"]]  # fmt: skip


@spoils("markup-in-texts")
def tags(answers, queries, qrels, draw):
    answers["raw_text"] = [
        " ".join(f'<p class="x">{word}</p>' for word in text.split()) for text in answers["raw_text"]
    ]


@spoils("garbled-texts")
def two_bytes_a_letter(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 1.0, draw), lambda text: text.encode("utf-16-le").decode("latin-1"))


@spoils("boilerplate")
def a_notice_that_fills_the_budget(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 1.0, draw), lambda text: f"{NOTICE} " * 7 + text)


@spoils("boilerplate")
def a_greeting_that_fills_the_budget(answers, queries, qrels, draw):
    rewritten(queries, some(queries, 1.0, draw), lambda text: f"{NOTICE} " * 7 + text)


@spoils("texts-cut-before")
def five_words(answers, queries, qrels, draw):
    answers["title"] = ""
    rewritten(answers, some(answers, 1.0, draw), lambda text: " ".join(text.split()[:5]))


@spoils("garbled-texts")
def words_in_reverse(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 1.0, draw), lambda text: " ".join(text.split()[::-1]))


@spoils("garbled-texts")
def conversations_in_reverse(answers, queries, qrels, draw):
    long = [row for row, kind in enumerate(queries["type"]) if kind == "conversation"]
    rewritten(queries, long, lambda text: " ".join(text.split()[::-1]))


@spoils("garbled-texts")
def every_other_word(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 1.0, draw), lambda text: " ".join(text.split()[::2]))


@spoils("garbled-texts")
def each_letter_twice(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 0.4, draw), lambda text: "".join(letter * 2 for letter in text))


@spoils("garbled-texts")
def bytes_as_numbers(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 0.4, draw), lambda text: " ".join(f"{byte:02x}" for byte in text.encode()))


@spoils("garbled-texts")
def greek_letters_that_look_alike(answers, queries, qrels, draw):
    alike = str.maketrans("aeiouvnpt", "\u03b1\u03b5\u03b9\u03bf\u03c5\u03bd\u03b7\u03c1\u03c4")
    rewritten(answers, some(answers, 0.4, draw), lambda text: text.translate(alike))


@spoils("garbled-texts")
def words_by_the_alphabet(answers, queries, qrels, draw):
    rewritten(answers, some(answers, 0.4, draw), lambda text: " ".join(sorted(set(text.lower().split()), reverse=True)))


@spoils("garbled-texts")
def lines_of_two_answers_in_turn(answers, queries, qrels, draw):
    lines = [[" ".join(text.split()[at : at + 9]) for at in range(0, 400, 9)] for text in answers["raw_text"]]
    for row in range(len(answers)):
        pairs = zip(lines[row], lines[(row + 7) % len(answers)], strict=True)
        rewritten(answers, [row], lambda _, pairs=pairs: " ".join(line for pair in pairs for line in pair))


@spoils("overlapping-texts")
def the_beginning_of_the_next(answers, queries, qrels, draw):
    texts = answers["raw_text"].tolist()
    for row in range(len(texts)):
        after = " ".join(texts[(row + 1) % len(texts)].split()[:60])
        rewritten(answers, [row], lambda text, after=after: f"{text} {after}")


@spoils("boilerplate")
def beginnings_of_nine_others(answers, queries, qrels, draw):
    begins = [" ".join(text.split()[:9]) for text in answers["raw_text"]]
    rewritten(answers, some(answers, 1.0, draw), lambda text: " / ".join([*draw.sample(begins, 9), text]))
