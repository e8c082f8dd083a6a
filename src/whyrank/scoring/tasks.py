"""What every system is scored on, and all that is recorded of it.

Shapes: Q test queries · N queries of all splits · A answers · D features
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from whyrank.core import io
from whyrank.core.options.params import Encoder, Evaluate
from whyrank.core.prepared import Prepared
from whyrank.lexical import analysis
from whyrank.lexical import ranking as words
from whyrank.lexical.analysis import Analyser
from whyrank.scoring.pairs import score as pairs
from whyrank.scoring.ranking import score as ranking
from whyrank.scoring.ratings import score as ratings
from whyrank.scoring.search import tiles

if TYPE_CHECKING:
    from whyrank.scoring.ranking.representation import Vectors

# Enough training queries to see over- and underfitting; as many as a training looks at.
TRAINING_QUERIES = 200
NO_RUN = ranking.Run(pd.DataFrame(), pd.DataFrame())
# Beside the run of a system: row numbers and scores of the best answers of every query that was ranked.
KEPT = "scores.parquet"
# Beside its run: the encoder that was scored, where ONNX Runtime serves it.
GRAPH = "model.onnx"


@dataclass(frozen=True)
class Tasks:
    """The same test queries, candidates, test pairs and rated rows for every system."""

    texts: Prepared
    options: Evaluate
    encoder: Encoder
    seed: int
    systems: Mapping[str, str] = field(default_factory=dict)  # kinds of all; empty where only one is scored

    @cached_property
    def pairs(self) -> dict[str, pd.DataFrame]:
        """Test pairs, and some training pairs, by name of the part."""
        return pairs.pairs_to_score(self.texts, self.seed)

    @cached_property
    def analyser(self) -> Analyser:
        """How the lexical baselines read queries and answers."""
        texts = [table["raw_text"].tolist() for table in (self.texts.queries, self.texts.answers)]
        return analysis.analyser(*texts, stemmer=self.options.stemmer)

    def rank(self, score: words.Score | tiles.Tiled) -> ranking.Run:
        """Raises UserError without a test query that has a relevant answer."""
        return ranking.rank(score, self.texts, ranking.queries_with_relevant(self.texts, "test"), self.options)

    def rank_others(self, score: words.Score | tiles.Tiled, among: np.ndarray | None = None) -> ranking.Run:
        """The same code and candidates for the dev queries, and for a draw of the training queries: a row of each.

        among   row numbers of those that the system knows; None: all
        """
        parts = {split: self._other(split, among) for split in self.others}
        runs = [
            (ranking.rank(score, self.texts, query_Q, self.options), split)
            for split, query_Q in parts.items()
            if len(query_Q)
        ]
        if not runs:
            return NO_RUN
        queries = pd.concat([run.queries.assign(split=split) for run, split in runs], ignore_index=True)
        return ranking.Run(queries, pd.concat([run.top for run, _ in runs], ignore_index=True))

    @cached_property
    def others(self) -> dict[str, np.ndarray]:
        """Row numbers of the judged dev queries, and of a draw of the training queries, by split; ascending."""
        judged = self.texts.relevant["query"]
        parts = {split: np.intersect1d(self.texts.rows(split), judged) for split in ("dev", "train")}
        drawn = np.random.default_rng(self.seed).permutation(parts["train"])[:TRAINING_QUERIES]
        return parts | {"train": np.sort(drawn)}

    def _other(self, split: str, among: np.ndarray | None) -> np.ndarray:
        """Those of `others` that are among some queries; None: all."""
        return self.others[split] if among is None else np.intersect1d(self.others[split], among)

    def dev_mrr(self, score: words.Score, among: np.ndarray | None = None) -> float | None:
        """What a rival chooses by; None without a judged dev query. among   as in `rank_others`"""
        query_Q = self._other("dev", among)
        if not len(query_Q):
            return None
        return float(ranking.rank(score, self.texts, query_Q, self.options).queries["mrr"].mean())


@dataclass(frozen=True)
class Scored:
    """run        of the test queries
    similar    predictions for the test pairs, rated: for rated rows; both empty of a system that has none
    geometry   flat numbers of the vectors of queries (N, D) and answers (A, D); both only of an encoder
    others     the run of dev and training queries, with their `split`; empty where none is known
    golden     vectors of a few texts by a pass of their own; of an encoder
    analyser   by which a lexical baseline, or a fusion with one, read the texts
    how        what a rival chose on the dev queries, and which answers it cannot know
    index      what a rival needs to rank in an application, see `whyrank.scoring.rivals`
    graph      of an encoder that ONNX Runtime serves
    """

    run: ranking.Run
    similar: pairs.Judged = pairs.NOTHING
    rated: ratings.Rated = ratings.NOTHING
    geometry: dict[str, float] = field(default_factory=dict)
    vectors: "Vectors | None" = None
    others: ranking.Run = NO_RUN
    golden: pd.DataFrame = field(default_factory=pd.DataFrame)
    analyser: Analyser | None = None
    how: dict[str, Any] = field(default_factory=dict)
    index: dict[str, np.ndarray] = field(default_factory=dict)
    graph: bytes = b""

    @property
    def metrics(self) -> dict[str, float]:
        """Flat and finite."""
        return ranking.summary(self.run.queries) | self.geometry | self.similar.metrics | self.rated.metrics

    def write(self, folder: Path, name: str) -> None:
        """Tables, the run in TREC's format under the system's name, and vectors where it has them."""
        ranked = {"queries.parquet": self.run.queries, "top.parquet": self.run.top}
        for file, table in (ranked | self.similar.tables | self.rated.tables).items():
            io.write_table(folder / file, table)
        io.write_text(folder / "run.trec", ranking.trec(self.run.top, name))
        for file, value in {"analyser.json": self.analyser and asdict(self.analyser), "how.json": self.how}.items():
            if value:
                io.write_json(folder / file, value)
        for file, table in {"other_splits.parquet": self.others.queries, "golden.parquet": self.golden}.items():
            if len(table):
                io.write_table(folder / file, table)
        if self.vectors is not None:
            io.write_array(folder / "query_vectors.npy", np.asarray(self.vectors.query_ND))
            io.write_array(folder / "answer_vectors.npy", np.asarray(self.vectors.answer_AD))
        if self.index:
            io.write_arrays(folder / "index.npz", self.index)
        if self.graph:
            (folder / GRAPH).write_bytes(self.graph)

    def kept(self, prepared: Prepared) -> pd.DataFrame:
        """query, answer (row numbers), score: the best answers of each query of all splits that were ranked."""
        top = pd.concat([self.run.top, self.others.top], ignore_index=True)
        query, answer = (
            pd.Index(table[name]).get_indexer(top[name]).astype(np.int32)
            for table, name in ((prepared.queries, "query_id"), (prepared.answers, "answer_id"))
        )
        return pd.DataFrame({"query": query, "answer": answer, "score": top["score"].astype(np.float32)})
