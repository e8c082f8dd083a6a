"""The prepared data: one table of all texts, and for each task a table of rows that name texts by their numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from whyrank.core import checksums, io

TABLES = ("answers", "queries", "qrels", "pairs", "pair_texts", "ratings", "rating_texts")
# Test sets as `source` names them; the mean over all seven is published as "STS average".
STS_YEARS = ("sts12", "sts13", "sts14", "sts15", "sts16")
STS_SETS = (*STS_YEARS, "stsb", "sickr")
# Of rows to correct, see `prepare.corrections`.
CORRECTION_COLUMNS = ["query_id", "answer_id", "becomes", "why"]
RATING_COLUMNS = ["rating_id", "use", "group", "fold", "title", "body", "answer", "first", "second"]
TEXT_COLUMNS = ["text", "input_ids"]
PAIR_COLUMNS = ["pair_id", "source", "subset", "use", "class_name", "label", "first", "second"]


class Texts:
    """Every text once, by its number.

    table   kind (answer | query | rated text | pair | view), text, input_ids; row i is the text with the number i
    """

    def __init__(self, parts: Mapping[str, pd.DataFrame]) -> None:
        tables = [part.reindex(columns=TEXT_COLUMNS).assign(kind=kind) for kind, part in parts.items()]
        self.table = pd.concat(tables, ignore_index=True)[["kind", *TEXT_COLUMNS]]
        self._numbers = {kind: np.flatnonzero(self.table["kind"] == kind) for kind in parts}

    def of(self, kind: str) -> np.ndarray:
        """The numbers of the texts of a kind, in the order of their own table: of row j the j-th."""
        return self._numbers[kind]

    def token_ids(self, kind: str) -> list[np.ndarray]:
        return self.table["input_ids"].iloc[self.of(kind)].tolist()


@dataclass(frozen=True)
class Prepared:
    """answers   answer_id, title, raw_text, text, input_ids, …
    queries   query_id, type, split, raw_text, text, input_ids, …
    qrels     query_id, answer_id, score: one row per pair
    pairs     pair_id, source, subset, use, class_name, label, first, second: pairs of sentences; the last two are
              numbers of texts
    pair_texts   text, input_ids: each text of the pairs once; those of training first, then dev, then test
    ratings   rating_id, use (train | test | unlabelled), group (number, -1 of a row without any), fold (-1 of rows
              without targets), title, body, answer, first, second, and a column in [0, 1] for each target (NaN of rows
              without); the two before the targets are numbers of texts: of the whole row and -1, or of its question
              and of its answer
    rating_texts   text (what the encoder reads), input_ids; a row of ratings has one or two, equal ones stand once
    view_texts   view, of (number of a text), text, input_ids: what pretraining makes of texts; it is on no disk
    held_out  fold whose rows of ratings are not trained on; -1: none
    """

    answers: pd.DataFrame
    queries: pd.DataFrame
    qrels: pd.DataFrame
    pairs: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=PAIR_COLUMNS))
    pair_texts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=TEXT_COLUMNS))
    ratings: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=RATING_COLUMNS))
    rating_texts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=TEXT_COLUMNS))
    view_texts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["view", "of", *TEXT_COLUMNS]))
    held_out: int = field(default=-1, kw_only=True)

    @cached_property
    def texts(self) -> Texts:
        return Texts(
            {
                "answer": self.answers,
                "query": self.queries,
                "rated text": self.rating_texts,
                "pair": self.pair_texts,
                "view": self.view_texts,
            }
        )

    @cached_property
    def training_token_ids(self) -> list[np.ndarray]:
        """Token ids of every text that training reads: all but those that stand in test pairs alone."""
        table = self.texts.table
        read = self.pairs.loc[self.pairs["use"] != "test", ["first", "second"]].to_numpy().ravel()
        is_read = (table["kind"] != "pair") | (table.index <= max(read, default=-1))
        return table.loc[is_read, "input_ids"].tolist()

    @cached_property
    def token_ids(self) -> list[np.ndarray]:
        """Token ids of every text of the ranking set, answers first."""
        return [*self.answers["input_ids"], *self.queries["input_ids"]]

    def pairs_of(self, use: str) -> pd.DataFrame:
        """Pairs of one use with their texts as `text1` and `text2`."""
        pairs = self.pairs[self.pairs["use"] == use]
        text = self.texts.table["text"].to_numpy()
        first, second = (pairs[name].to_numpy(dtype=np.int64) for name in ("first", "second"))
        return pairs.assign(text1=text[first], text2=text[second])

    @property
    def rating_targets(self) -> list[str]:
        return [name for name in self.ratings.columns if name not in RATING_COLUMNS]

    def rated(self, *, held_out: bool) -> pd.DataFrame:
        """Rows of `ratings` with targets: those of the fold that is held out, or the others."""
        train = self.ratings[self.ratings["use"] == "train"]
        return train[(train["fold"] == self.held_out) == held_out]

    @cached_property
    def relevant(self) -> pd.DataFrame:
        """One row per relevant pair: `query` and `answer` row numbers and `gain` > 0, in the order of the queries."""
        positive = self.qrels[self.qrels["score"] > 0]
        pairs = pd.DataFrame(
            {
                "query": pd.Index(self.queries["query_id"]).get_indexer(positive["query_id"]),
                "answer": pd.Index(self.answers["answer_id"]).get_indexer(positive["answer_id"]),
                "gain": positive["score"].to_numpy(dtype=float),
            }
        )
        assert (pairs[["query", "answer"]] >= 0).all(axis=None), "qrels name a text that is not there"
        return pairs.sort_values(["query", "answer"], ignore_index=True)

    def rows(self, split: str) -> np.ndarray:
        """Row numbers of the queries of a split, in order."""
        return np.flatnonzero(self.queries["split"] == split)

    def relevant_in(self, split: str) -> pd.DataFrame:
        """`relevant`, only the queries of a split."""
        return self.relevant[self.queries["split"].to_numpy()[self.relevant["query"]] == split].reset_index(drop=True)


def write(folder: str | Path, prepared: Prepared) -> None:
    for name in TABLES:
        table = getattr(prepared, name)
        # A column of texts gives the same bytes, whether pandas or Python holds them. Each by itself: of a whole table
        # pandas leaves a column of texts as it is beside one of lists.
        inferred = table.assign(**{column: table[column].infer_objects() for column in table})
        io.write_table(Path(folder) / f"{name}.parquet", inferred)
    checksums.write(folder)


def read(folder: str | Path) -> Prepared:
    """Raises UserError, naming the file and what makes it anew, where a table is not as `write` wrote it."""
    folder = Path(folder)
    checksums.verify(folder)
    return Prepared(*(io.read_table(folder / f"{name}.parquet") for name in TABLES))
