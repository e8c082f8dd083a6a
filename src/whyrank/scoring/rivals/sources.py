"""What other systems left behind: their vectors and their best scores. Read without torch.

Shapes: N queries of all splits · A answers · D features · K answers kept · Q queries
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.core import checksums, io
from whyrank.core.errors import UserError
from whyrank.core.options.systems import System
from whyrank.core.prepared import Prepared
from whyrank.core.rerun import remedy
from whyrank.measure.metrics.geometry import unit_rows
from whyrank.scoring.tasks import KEPT


class Units(NamedTuple):
    """Unit vectors, float32."""

    query_ND: np.ndarray
    answer_AD: np.ndarray


class Training(NamedTuple):
    """Pairs of a training query and an answer to it, in the order of the answers."""

    query_P: np.ndarray
    answer_P: np.ndarray

    @classmethod
    def of(cls, prepared: Prepared) -> "Training":
        """Raises UserError without any."""
        pairs = prepared.relevant_in("train").sort_values(["answer", "query"])
        if pairs.empty:
            raise UserError("no training query has an answer; a system made of training queries needs some")
        return cls(pairs["query"].to_numpy(), pairs["answer"].to_numpy())

    def unseen(self, prepared: Prepared) -> dict[str, object]:
        """What no training query teaches: `unseen_answers`, ids that test queries need; and the shares, 0 to 1, of the
        answers that they need and of the test queries with no other relevant answer."""
        tested = prepared.relevant_in("test")
        is_unseen_P = ~np.isin(tested["answer"], self.answer_P)
        needed, unseen = tested["answer"].nunique(), np.unique(tested["answer"][is_unseen_P])
        alone = tested.assign(unseen=is_unseen_P).groupby("query")["unseen"].all()
        return {
            "unseen_answers": prepared.answers["answer_id"].iloc[unseen].tolist(),
            "unseen_answer_share": len(unseen) / needed,
            "unseen_query_share": float(alone.mean()),
        }


class Lists(NamedTuple):
    """The best answers of some queries, as many of each.

    query_Q              row numbers, ascending
    answer_QK, score_QK  row numbers, best first, and their scores
    """

    query_Q: np.ndarray
    answer_QK: np.ndarray
    score_QK: np.ndarray

    @classmethod
    def of(cls, kept: pd.DataFrame) -> "Lists":
        """From a table as `Scored.kept` has it."""
        table = kept.sort_values("query", kind="stable")
        query_Q = table["query"].unique()
        shape = len(query_Q), len(table) // max(1, len(query_Q))
        return cls(query_Q, *(table[name].to_numpy().reshape(shape) for name in ("answer", "score")))

    def rows(self, query_Q: np.ndarray) -> np.ndarray:
        """Places of these queries here; all of them are listed."""
        assert np.isin(query_Q, self.query_Q).all(), "a query without a list has no row, not that of a neighbour"
        return np.searchsorted(self.query_Q, query_Q)

    def at(self, query_Q: np.ndarray) -> "Lists":
        """The lists of these queries, all of which have one."""
        row_Q = self.rows(query_Q)
        return Lists(query_Q, self.answer_QK[row_Q], self.score_QK[row_Q])


def listed_by_all(lists: Iterable[Lists]) -> np.ndarray:
    """Row numbers of the queries that each of them lists, ascending: a run of another tool may lack some."""
    return reduce(np.intersect1d, [one.query_Q for one in lists])


def unit_vectors(system: System) -> Units:
    """Of the system that a rival is made of. Raises UserError where they are not as they were written."""
    folder = Path(system.made_of)
    checksums.verify(folder)
    files = [folder / name for name in ("query_vectors.npy", "answer_vectors.npy")]
    return Units(*(unit_rows(io.read_array(file)).astype(np.float32) for file in files))


def lists(system: System, kinds: Mapping[str, str]) -> dict[str, Lists]:
    """Of the systems whose scores a rival combines, by name; in the order of `of`, else of their names.

    kinds   of the systems there are; the folder of scores may hold those of one that was taken away, or was of that
            kind before. Empty: all in there
    """
    folder = Path(system.made_of)
    there = sorted(path.name for path in folder.iterdir() if path.is_dir())
    names = system.of or [name for name in there if not kinds or kinds.get(name) == folder.name]
    for name in names:
        if not (folder / name).is_dir():
            raise UserError(f"{folder / name} does not exist; {remedy(folder / name)}")
        checksums.verify(folder / name)
    return {name: Lists.of(io.read_table(folder / name / KEPT)) for name in names}
