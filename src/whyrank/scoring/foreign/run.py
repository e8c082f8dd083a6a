"""Scores of another tool: a run in TREC's six columns, or a Parquet of query_id, answer_id and score.

Shapes: Q queries · A answers · L listed answers
"""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.core.options.systems import System
from whyrank.core.prepared import Prepared
from whyrank.scoring.foreign.parquet import read_parquet
from whyrank.scoring.tasks import Scored, Tasks

COLUMNS = ["query_id", "answer_id", "score"]
# How far an answer that is not listed stands below the last one that is, as a share of the largest score.
GAP = 0.01


class Listed:
    """Scores of listed answers; the others are tied below them, and all are of a query that is not listed."""

    def __init__(self, table: pd.DataFrame, prepared: Prepared) -> None:
        """table   query, answer (row numbers), score"""
        self.answers = len(prepared.answers)
        table = table.sort_values("query", kind="stable")
        self.answer_L, self.score_L = table["answer"].to_numpy(), table["score"].to_numpy(dtype=np.float64)
        self.start_N = np.searchsorted(table["query"], np.arange(len(prepared.queries) + 1))

    def __call__(self, query_Q: np.ndarray) -> np.ndarray:
        """(Q, A) float64: scores of another tool may differ in less than float32 holds."""
        score_QA = np.zeros((len(query_Q), self.answers))
        for row, query in enumerate(query_Q):
            part = slice(self.start_N[query], self.start_N[query + 1])
            if part.start < part.stop:
                score_L = self.score_L[part]
                # By a share of the scores, whatever their size: which are equal depends on the largest of a query.
                score_QA[row] = score_L.min() - GAP * (np.abs(score_L).max() or 1)
                score_QA[row, self.answer_L[part]] = score_L
        return score_QA

    def has(self, query_Q: np.ndarray) -> np.ndarray:
        """Which queries are listed."""
        return np.asarray(self.start_N[query_Q] < self.start_N[query_Q + 1])


def run(system: System, tasks: Tasks) -> Scored:
    """Rank by the listed scores. Raises UserError for a file that is no run, or of other queries and answers."""
    file, prepared = Path(system.made_of), tasks.texts
    score = Listed(numbered(read(file), file, prepared), prepared)
    tested = prepared.rows("test")
    missing = prepared.queries["query_id"].to_numpy()[tested[~score.has(tested)]]
    listed = np.flatnonzero(score.has(np.arange(len(prepared.queries))))
    how: dict[str, Any] = {
        "missing_queries": missing.tolist(),
        "missing_query_share": len(missing) / max(1, len(tested)),
    }
    return Scored(tasks.rank(score), others=tasks.rank_others(score, among=listed), how=how)


def numbered(table: pd.DataFrame, file: Path, prepared: Prepared) -> pd.DataFrame:
    """query, answer (row numbers) and score of the rows of our queries. White space in our ids may be an underscore."""
    rows = pd.DataFrame({"score": table["score"]})
    for name, ours, what in (("query_id", prepared.queries, "query"), ("answer_id", prepared.answers, "answer")):
        ids = ours[name].astype(str)
        theirs = pd.Index(table[name])
        place = pd.Index(ids).get_indexer(theirs)
        written = pd.Index([re.sub(r"\s+", "_", one) for one in ids])
        if written.is_unique:
            place = np.where(place < 0, written.get_indexer(theirs), place)
        rows[what] = place
    if (rows["query"] < 0).all():
        raise UserError(f"{file} lists no query of data/prepared; its first is {table['query_id'].iloc[0]!r}")
    rows = rows[rows["query"] >= 0]
    if (unknown := rows.index[rows["answer"] < 0]).size:
        raise UserError(f"{file}: answer id {table['answer_id'][unknown[0]]!r} is not in the corpus; leave it out")
    if (twice := rows.index[rows.duplicated(["query", "answer"])]).size:
        pair = " and ".join(repr(table[name][twice[0]]) for name in COLUMNS[:2])
        raise UserError(f"{file} lists query and answer {pair} twice; keep one row of each pair")
    return rows


def read(file: Path) -> pd.DataFrame:
    """query_id, answer_id and finite score of each row."""
    table = _of_parquet(file) if file.suffix == ".parquet" else _of_trec(file)
    if table.empty:
        raise UserError(f"{file} has no row")
    if not (finite := np.isfinite(table["score"].to_numpy(dtype=np.float64))).all():
        row = table.iloc[int(np.argmin(finite))]
        raise UserError(f"{file}: the score of query {row['query_id']!r} and answer {row['answer_id']!r} is not finite")
    return table


def _of_parquet(file: Path) -> pd.DataFrame:
    table = read_parquet(file)
    if not set(COLUMNS) <= set(table) or table["score"].dtype.kind not in "fiu":
        raise UserError(f"{file} has the columns {', '.join(map(str, table))}; it needs query_id, answer_id and score")
    return table[COLUMNS].astype({"query_id": str, "answer_id": str})


def _of_trec(file: Path) -> pd.DataFrame:
    rows = []
    for number, line in enumerate(io.read_lines(file), start=1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) != 6:
            raise UserError(f"{file}, line {number}: {len(cells)} columns; a run has query Q0 answer rank score name")
        try:
            score = float(cells[4])
        except ValueError:
            score = math.nan
        if math.isnan(score):
            raise UserError(f"{file}, line {number}: the score is {cells[4]!r}; it takes a number")
        rows.append((cells[0], cells[2], score))
    return pd.DataFrame(rows, columns=COLUMNS)
