"""The texts of a ranking set as words, counted once for all figures about texts."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from whyrank.core.prepared import Prepared
from whyrank.core.spaced import Ragged, coded
from whyrank.data.files.cells import TYPES
from whyrank.lexical.words import CHARACTERS, is_character, words

# A word of more than this share of the texts says nothing of what a text is about.
COMMON = 0.10
ROW_COLUMNS = ["query_id", "answer_id", "becomes", "why"]
FIGURE_COLUMNS = ["figure", "kind", "value", "texts", "example"]
# Characters of an example.
SHOWN = 120
# Texts by which the script of all is told.
LOOKED_AT = 200


@dataclass(frozen=True)
class Read:
    """What the encoder reads of the answers and queries of a ranking set; all lists are in the order of their table."""

    prepared: Prepared

    @cached_property
    def answers(self) -> list[str]:
        return self.prepared.answers["text"].tolist()

    @cached_property
    def queries(self) -> list[str]:
        return self.prepared.queries["text"].tolist()

    @cached_property
    def answer_words(self) -> list[list[str]]:
        return _lists(self._answers)

    @cached_property
    def query_words(self) -> list[list[str]]:
        return _lists(self._queries)

    @cached_property
    def answer_vocabulary(self) -> frozenset[str]:
        """Words that any answer has."""
        return frozenset(self._answers[0])

    def answer_shares(self, among: Container[str]) -> np.ndarray:
        """(A,) share of the different words of each answer that are among these; 0 of an answer without a word."""
        sets = self._answer_sets
        is_among_D = np.array([word in among for word in self._answers[0]], dtype=bool)
        up_to = np.concatenate([[0], np.cumsum(is_among_D[sets.value_V])])
        return np.diff(up_to[sets.start_N]) / np.maximum(np.diff(sets.start_N), 1)

    @cached_property
    def whole_answer_numbers(self) -> Ragged:
        """The words of whole texts, before they were cut, as numbers."""
        return self._whole_answers[1]

    @cached_property
    def whole_answer_words(self) -> list[list[str]]:
        """The same themselves."""
        return _whole(self.prepared.answers["raw_text"], self.answers, self.answer_words, self._whole_answers)

    @cached_property
    def whole_query_words(self) -> list[list[str]]:
        whole = self.prepared.queries["raw_text"].tolist()
        return _whole(whole, self.queries, self.query_words, coded(whole, words))

    @cached_property
    def common(self) -> frozenset[str]:
        """Words of many texts; counted in queries and answers apart, so that the many do not hide the few."""
        found: set[str] = set()
        for (known, numbers), sets in ((self._answers, self._answer_sets), (self._queries, self._queries[1].sets())):
            texts_D, n = np.bincount(sets.value_V, minlength=len(known)), len(numbers.start_N) - 1
            found |= {known[number] for number in np.flatnonzero(texts_D > max(COMMON * n, 2)).tolist()}
        return frozenset(found)

    @cached_property
    def answer_content(self) -> "Content":
        return Content(self.answer_words, self.common)

    @cached_property
    def query_content(self) -> "Content":
        return Content(self.query_words, self.common)

    @cached_property
    def _answers(self) -> tuple[list[str], Ragged]:
        return coded(self.answers, words)

    @cached_property
    def _queries(self) -> tuple[list[str], Ragged]:
        return coded(self.queries, words)

    @cached_property
    def _whole_answers(self) -> tuple[list[str], Ragged]:
        return coded(self.prepared.answers["raw_text"].tolist(), words)

    @cached_property
    def _answer_sets(self) -> Ragged:
        return self._answers[1].sets()

    @cached_property
    def right(self) -> list[list[int]]:
        """Rows of the right answers of each query."""
        found: list[list[int]] = [[] for _ in self.queries]
        for query, answer in self.prepared.relevant[["query", "answer"]].itertuples(index=False):
            found[query].append(answer)
        return found

    @cached_property
    def asked_by(self) -> list[list[int]]:
        """Rows of the queries that each answer is right for."""
        found: list[list[int]] = [[] for _ in self.answers]
        for query, answers in enumerate(self.right):
            for answer in answers:
                found[answer].append(query)
        return found

    @cached_property
    def kinds(self) -> dict[str, np.ndarray]:
        """Rows of the queries of each type that there is."""
        kind_Q = self.prepared.queries["type"].to_numpy()
        return {kind: rows for kind in TYPES if len(rows := np.flatnonzero(kind_Q == kind))}

    def of_kind(self) -> dict[str, tuple[list[str], list[list[str]]]]:
        """Texts and their words by kind: answer, and each type of query."""
        found = {"answer": (self.answers, self.answer_words)}
        for kind, rows in self.kinds.items():
            found[kind] = [self.queries[i] for i in rows], [self.query_words[i] for i in rows]
        return found

    def answer_id(self, row: int) -> str:
        return self._answer_ids[row]

    def query_id(self, row: int) -> str:
        return self._query_ids[row]

    # A row of a table at a time takes a tenth of the time of all text figures.
    @cached_property
    def _answer_ids(self) -> list[str]:
        return list(map(str, self.prepared.answers["answer_id"]))

    @cached_property
    def _query_ids(self) -> list[str]:
        return list(map(str, self.prepared.queries["query_id"]))


class Content(dict[int, set[str]]):
    """By row: the words of a text that say what it is about. Made when they are asked for: few answers of many are."""

    def __init__(self, texts: list[list[str]], common: frozenset[str]) -> None:
        super().__init__()
        self.texts, self.common = texts, common

    def __missing__(self, row: int) -> set[str]:
        self[row] = found = set(self.texts[row]) - self.common
        return found


def _lists(found: tuple[list[str], Ragged]) -> list[list[str]]:
    known, numbers = found
    return numbers.lists(np.array(known, dtype=object))


def _whole(
    whole: Iterable[str], cut: list[str], known: list[list[str]], found: tuple[list[str], Ragged]
) -> list[list[str]]:
    """The words of a text that was not cut are those that are known."""
    is_cut = np.array([text != short for text, short in zip(whole, cut, strict=True)], dtype=bool)
    others = iter(_lists((found[0], found[1].of_rows(np.flatnonzero(is_cut)))))
    return [next(others) if other else own for own, other in zip(known, is_cut.tolist(), strict=True)]


Row = tuple[str, str, str, str]
Figure = tuple[str, str, float, int, str]


def rows_table(rows: list[Row]) -> pd.DataFrame:
    """Rows to mend: `query_id`, `answer_id`, `becomes`, `why`."""
    return pd.DataFrame(rows, columns=ROW_COLUMNS)


def figure_table(figures: list[Figure]) -> pd.DataFrame:
    return pd.DataFrame(figures, columns=FIGURE_COLUMNS)


def per_word(texts: Sequence[Sequence[str]]) -> int:
    """How many of the `words` of some texts are one: several where most of them are characters."""
    some = [word for i in spread(len(texts), LOOKED_AT) for word in texts[i]]
    return CHARACTERS if 2 * sum(map(is_character, some)) > len(some) else 1


def shown(text: str) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1].rstrip() + "…"


def spread(n: int, most: int) -> np.ndarray:
    """At most so many of n rows, evenly spread over them."""
    return np.unique(np.linspace(0, n - 1, min(most, n)).round().astype(int)) if n else np.zeros(0, dtype=int)
