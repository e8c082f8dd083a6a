"""Texts that a conversion, a scan or a preprocessing step has spoilt before training sees them."""

import html
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from Stemmer import Stemmer

from ..fault import Fault
from ..raw import Row, edit_answers, edit_queries, read_lines
from .data import sentences

Random = np.random.Generator
MISREAD = {"e": "c", "l": "1", "o": "0", "i": "l", "m": "rn", "h": "b", "t": "f", "u": "ii", "s": "5", "d": "cl"}


def answers(change: Callable[[str, Random], str], share: float = 1.0) -> Callable[[Path, Random], None]:
    """Change the text of a share of the answers."""

    def data(folder: Path, random: Random) -> None:
        def edit(number: int, row: Row) -> None:
            if random.random() < share:
                row["text"] = change(row.get("text") or "", random)

        edit_answers(folder, edit)

    return data


def escaped(text: str) -> str:
    return html.escape(html.escape("".join(f'<p class="body">{part}</p>' for part in sentences(text))))


def escaped_twice(folder: Path, random: Random) -> None:
    edit_answers(folder, lambda number, row: row.update(text=escaped(row.get("text") or "")))
    edit_queries(folder, lambda number, row: row.update(text=escaped(row["text"])) if number % 2 else None)


def hyphenated(text: str, random: Random) -> str:
    def broken(word: re.Match[str]) -> str:
        at = int(random.integers(2, len(word[0]) - 2))
        return f"{word[0][:at]}-\n{word[0][at:]}" if random.random() < 0.7 else word[0]

    return re.sub(r"[^\W\d_]{5,}", broken, text)


def joined(text: str, random: Random) -> str:
    return "".join("" if letter == " " and random.random() < 0.7 else letter for letter in text)


def misread(text: str, random: Random) -> str:
    return "".join(MISREAD.get(letter, letter) if random.random() < 0.2 else letter for letter in text)


def stemmed(folder: Path, random: Random) -> None:
    stem = Stemmer("english").stemWords

    def edit(number: int, row: Row) -> None:
        for key in ("title", "text"):
            words = re.findall(r"[^\W\d_]+", (row.get(key) or "").lower())
            row[key] = " ".join(stem([word for word in words if word not in ENGLISH_STOP_WORDS]))

    edit_answers(folder, edit)


def without_rare_words(folder: Path, random: Random) -> None:
    rows = read_lines(folder / "queries.jsonl")
    counts = Counter(word for row in rows for word in set(re.findall(r"\w+", row["text"].lower())))
    least = max(8, len(rows) // 100)

    def edit(number: int, row: Row) -> None:
        row["text"] = re.sub(r"\w+", lambda word: word[0] if counts[word[0].lower()] >= least else "***", row["text"])

    edit_queries(folder, edit)


def renamed(folder: Path, random: Random) -> None:
    texts = {
        "answers": [f"{row.get('title') or ''} {row.get('text') or ''}" for row in read_lines(folder / "corpus.jsonl")],
        "queries": [row["text"] for row in read_lines(folder / "queries.jsonl")],
    }
    said, asked = (
        Counter(word for text in own for word in set(re.findall(r"[^\W\d_]{4,}", text.lower())))
        for own in texts.values()
    )
    shared = sorted((word for word in said if word not in ENGLISH_STOP_WORDS), key=lambda w: (-asked[w], w))[:600]
    codes = dict(zip(shared, random.permutation(np.arange(1000, 1000 + len(shared))).tolist(), strict=True))

    def coded(text: str) -> str:
        return re.sub(r"[^\W\d_]{4,}", lambda w: f"KX-{codes[w[0].lower()]}" if w[0].lower() in codes else w[0], text)

    edit_answers(folder, lambda number, row: row.update({key: coded(row.get(key) or "") for key in ("title", "text")}))


FAULTS = (
    Fault(
        name="html-escaped-twice",
        about="data",
        sentence="The export escaped HTML twice: articles and half of the queries are full of &amp;lt;p class=… in "
        "place of plain text. Unescape them and strip the tags.",
        source="Stack Exchange dumps (Body is escaped HTML); Kaggle Google QUEST kernels that unescape it",
        data=escaped_twice,
    ),
    Fault(
        name="words-hyphenated-at-line-ends",
        about="data",
        sentence="The articles come from PDF pages with words broken at line ends (infor- mation), so the tokenizer "
        "sees fragments and not words. Join the parts before training.",
        source="practice of PDF extraction (pdftotext, GROBID dehyphenation)",
        data=answers(hyphenated),
    ),
    Fault(
        name="spaces-lost",
        about="data",
        sentence="In seven of ten articles most spaces between words are gone, so words run into each other and "
        "split into meaningless pieces. Extract the texts again.",
        source="practice of PDF extraction (pdfminer, pypdf: missing spaces)",
        data=answers(joined, 0.7),
    ),
    Fault(
        name="scanned-with-misread-letters",
        about="data",
        sentence="The articles are scans read with many wrong letters (1 for l, rn for m, c for e). Run text "
        "recognition again or correct its output.",
        source="Zhang et al. 2024, OCR Hinders RAG, arXiv:2412.02592",
        data=answers(misread),
    ),
    Fault(
        name="articles-stemmed-queries-not",
        about="data",
        sentence="The articles went through the old TF-IDF preprocessing (stop words out, words stemmed) and the "
        "queries did not. Give the encoder the raw articles.",
        source="practice of pipelines moved from TF-IDF to an encoder; Qiao et al. 2019, arXiv:1904.07531",
        data=stemmed,
    ),
    Fault(
        name="rare-words-redacted",
        about="data",
        sentence="The anonymisation replaced every word of the queries that fewer than eight others use by ***, and "
        "with them what tells one question from another. Redact personal data alone.",
        source="Craswell et al. 2020, ORCAS, arXiv:2006.05324 (k-anonymity of query logs)",
        data=without_rare_words,
    ),
    Fault(
        name="articles-use-part-numbers",
        about="data",
        sentence="The articles name things by internal part numbers (KX-1042) where the customers use words, so they "
        "share no vocabulary. Write the names beside the numbers.",
        source="Furnas et al. 1987, The vocabulary problem in human-system communication",
        data=renamed,
    ),
)
