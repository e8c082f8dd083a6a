"""The prepared ranking set: answers, queries and qrels as tables, and the same as row numbers.

Texts are numbered answers first, then queries: text i is answer i for i < A, and query i - A from there on.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from whyrank.core import io


@dataclass(frozen=True)
class Prepared:
    """answers   answer_id, title, raw_text, text, input_ids, …
    queries   query_id, type, split, raw_text, text, input_ids, …
    qrels     query_id, answer_id, score: one row per pair
    """

    answers: pd.DataFrame
    queries: pd.DataFrame
    qrels: pd.DataFrame

    @cached_property
    def token_ids(self) -> list[np.ndarray]:
        """Token ids of every text, answers first."""
        return [*self.answers["input_ids"], *self.queries["input_ids"]]

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
    return Prepared(*(io.read_table(folder / f"{name}.parquet") for name in ("answers", "queries", "qrels")))
