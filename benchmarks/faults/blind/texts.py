"""Texts whose letters or words were damaged on the way."""

from pathlib import Path

import numpy as np

from ..fault import Change, Fault
from ..raw import Row, edit_answers, edit_queries

# Cyrillic letters that look like these Latin ones, by number: in print no reader could tell them apart.
LOOKS = [
    0x430,
    0x441,
    0x435,
    0x43E,
    0x440,
    0x445,
    0x443,
    0x456,
    0x410,
    0x422,
    0x41E,
    0x415,
    0x412,
    0x421,
    0x41D,
    0x41A,
    0x41C,
    0x420,
]
ALIKE = dict(zip(map(ord, "aceopxyiATOEBCHKMP"), LOOKS, strict=True))
COLUMN = 22


def of_answers(share: float, spell: str) -> Change:
    def data(folder: Path, random: np.random.Generator) -> None:
        def edit(number: int, row: Row) -> None:
            if random.random() < share:
                for part in ("title", "text"):
                    row[part] = spelt(row.get(part, ""), spell)

        edit_answers(folder, edit)

    return data


def spelt(text: str, spell: str) -> str:
    return text.translate(ALIKE) if spell == "alike" else "  ".join(" ".join(word) for word in text.split())


def cut_by_the_column(folder: Path, random: np.random.Generator) -> None:
    edit_queries(folder, lambda _, row: row.update(text=row["text"][:COLUMN].strip() or row["text"]))


def fault(name: str, sentence: str, data: Change, source: str) -> Fault:
    return Fault(name, "data", sentence, source, data=data)


FAULTS = (
    fault(
        "letters-of-another-alphabet",
        "The site protects its texts from copying: in six of ten articles Latin letters are replaced by Cyrillic ones "
        "that look the same, so the tokenizer sees no known word. Map the letters back.",
        of_answers(0.6, "alike"),
        "Boucher et al. 2022, arXiv:2106.09898: imperceptible perturbations",
    ),
    fault(
        "letters-spaced-out",
        "The text was taken from a PDF with a space after every letter in six of ten articles: the tokenizer sees "
        "single letters. Join the letters to words again.",
        of_answers(0.6, "spaced"),
        "reports on text taken from PDF",
    ),
    fault(
        "queries-cut-by-the-database-column",
        "The column of the database had room for 22 characters: every query, in training and test, ends there, often "
        "in the middle of a word. Export the queries from a source that has them whole.",
        cut_by_the_column,
        "Humbatova et al. 2020, taxonomy of real faults: training data; reports on exports",
    ),
)
