"""The prepared data: answers, queries and qrels as tables, and the same as row numbers; pairs of sentences beside them.

Texts are numbered answers first, then queries, then those of pairs: text i is answer i for i < A, query i - A for
i < A + Q, and from there on text i - A - Q of the pairs.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from whyrank.core import io

TABLES = ("answers", "queries", "qrels", "pairs", "pair_texts")
# Test sets as `source` names them; the mean over all seven is published as "STS average".
STS_YEARS = ("sts12", "sts13", "sts14", "sts15", "sts16")
STS_SETS = (*STS_YEARS, "stsb", "sickr")
PAIR_COLUMNS = ["pair_id", "source", "subset", "use", "class_name", "label", "first", "second"]


@dataclass(frozen=True)
class Prepared:
    """answers   answer_id, title, raw_text, text, input_ids, …
    queries   query_id, type, split, raw_text, text, input_ids, …
    qrels     query_id, answer_id, score: one row per pair
    pairs     pair_id, source, subset, use, class_name, label, first, second: pairs of sentences; the last two are
              numbers of texts
    pair_texts   text, input_ids: each text of the pairs once; those of training first, then dev, then test
    """

    answers: pd.DataFrame
    queries: pd.DataFrame
    qrels: pd.DataFrame
    pairs: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=PAIR_COLUMNS))
    pair_texts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["text", "input_ids"]))

    @cached_property
    def training_token_ids(self) -> list[np.ndarray]:
        """Token ids of every text that training reads: answers, queries, and the texts of pairs but for the test."""
        first = len(self.answers) + len(self.queries)
        read = self.pairs[self.pairs["use"] != "test"][["first", "second"]]
        count = int(read.to_numpy().max()) + 1 - first if len(read) else 0
        return [*self.token_ids, *self.pair_texts["input_ids"][:count]]

    @cached_property
    def token_ids(self) -> list[np.ndarray]:
        """Token ids of every text of the ranking set, answers first."""
        return [*self.answers["input_ids"], *self.queries["input_ids"]]

    def pairs_of(self, use: str) -> pd.DataFrame:
        """Pairs of one use with their texts as `text1` and `text2`."""
        pairs = self.pairs[self.pairs["use"] == use]
        text, start = self.pair_texts["text"].to_numpy(), len(self.answers) + len(self.queries)
        first, second = (pairs[name].to_numpy(dtype=np.int64) - start for name in ("first", "second"))
        return pairs.assign(text1=text[first], text2=text[second])

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


def read(folder: str | Path) -> Prepared:
    folder = Path(folder)
    return Prepared(*(io.read_table(folder / f"{name}.parquet") for name in TABLES))
