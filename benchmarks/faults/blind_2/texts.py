"""Texts that a step of cleaning has robbed of what they say."""

import re
from bisect import bisect_left
from collections import Counter
from itertools import takewhile
from pathlib import Path

import numpy as np

from ..fault import Fault
from ..raw import Row, edit_answers, edit_queries, read_lines

STOP_WORDS = (
    "a an the this that these those and or but if so as at by for from in into of off on out over to up with without "
    "about after before is are was were be been being am do does did have has had can could will would shall should "
    "may might must i me my we us our you your he him his she her it its they them their who what which when where "
    "why how not no any all some there here than then just also too very only"
)
STOP = set(STOP_WORDS.split())
WORD = re.compile(r"[^\W\d_]{3,}")


def stop_words_alone(folder: Path, random: np.random.Generator) -> None:
    def edit(number: int, row: Row) -> None:
        words = row["text"].split()
        kept = [word for word in words if word.lower().strip(".,;:!?\"'()") in STOP]
        row["text"] = " ".join(kept or words[:1])

    edit_queries(folder, edit)


def everyday_words(folder: Path, random: np.random.Generator, share: float = 0.12) -> None:
    """Words of fewer articles than that share give way to the one of the others that begins most like them."""
    rows = read_lines(folder / "corpus.jsonl")
    texts = [f"{row.get('title', '')} {row['text']}".lower() for row in rows]
    counts = Counter(word for text in texts for word in set(WORD.findall(text)))
    known = sorted(word for word, count in counts.items() if count >= max(2, share * len(rows)))

    def corrected(found: re.Match[str]) -> str:
        word = found[0].lower()
        at = bisect_left(known, word)
        if not known or known[at : at + 1] == [word]:
            return found[0]
        return max(known[max(0, at - 1) : at + 1], key=lambda one: in_common(one, word))

    def edit(number: int, row: Row) -> None:
        for part in ("title", "text"):
            row[part] = WORD.sub(corrected, row.get(part, ""))

    edit_answers(folder, edit)


def in_common(one: str, other: str) -> int:
    """Letters that both begin with."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


FAULTS = (
    Fault(
        "stop-word-filter-inverted",
        "data",
        "The stop word filter has its condition turned round: it keeps the stop words of every query and drops all "
        "others, so that nothing is left of what was asked. Turn it round, or leave the filter out.",
        "Humbatova et al. 2020, taxonomy of real faults: preprocessing of training data",
        data=stop_words_alone,
    ),
    Fault(
        "spelling-corrector-of-everyday-words",
        "data",
        "A spelling corrector that knows only common words went over the articles: every rarer word, the names of "
        "products and forms first, was replaced by a common one that begins alike. Index the uncorrected texts.",
        "reports on spelling correction before indexing; practitioners 19",
        data=everyday_words,
    ),
)
