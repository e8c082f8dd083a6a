"""What a system is scored on, and what is recorded of it.

Shapes: Q test queries · N queries of all splits · A answers · D features
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from whyrank.core import io
from whyrank.core.options.params import Encoder, Evaluate
from whyrank.core.prepared import Prepared
from whyrank.lexical.ranking import Score
from whyrank.scoring.pairs import score as pairs
from whyrank.scoring.ranking import score as ranking
from whyrank.scoring.ratings import score as ratings
from whyrank.scoring.search import tiles

if TYPE_CHECKING:
    from whyrank.scoring.search.embed import Vectors


@dataclass(frozen=True)
class Tasks:
    """The same test queries, candidates, test pairs and rated rows for every system."""

    texts: Prepared
    options: Evaluate
    encoder: Encoder
    seed: int

    @cached_property
    def pairs(self) -> dict[str, pd.DataFrame]:
        """Test pairs, and some training pairs, by name of the part."""
        return pairs.pairs_to_score(self.texts, self.seed)

    def rank(self, score: Score | tiles.Tiled) -> ranking.Run:
        """Raises UserError without a test query that has a relevant answer."""
        return ranking.rank(score, self.texts, ranking.queries_with_relevant(self.texts, "test"), self.options)


@dataclass(frozen=True)
class Scored:
    """run        of the test queries
    similar    predictions for the test pairs, rated: for rated rows; both empty of a system that has none
    geometry   flat numbers of the vectors of queries (N, D) and answers (A, D); both only of an encoder
    """

    run: ranking.Run
    similar: pairs.Judged = pairs.NOTHING
    rated: ratings.Rated = ratings.NOTHING
    geometry: dict[str, float] = field(default_factory=dict)
    vectors: "Vectors | None" = None

    @property
    def metrics(self) -> dict[str, float]:
        """Flat and finite."""
        return ranking.summary(self.run.queries) | self.geometry | self.similar.metrics | self.rated.metrics

    def write(self, folder: Path, name: str) -> None:
        """Tables, the run in TREC's format under the system's name, and vectors where it has them."""
        for file, table in (ranking.tables(self.run) | self.similar.tables | self.rated.tables).items():
            io.write_table(folder / file, table)
        io.write_text(folder / "run.trec", ranking.trec(self.run.top, name))
        if self.vectors is not None:
            io.write_array(folder / "query_vectors.npy", np.asarray(self.vectors.query_ND))
            io.write_array(folder / "answer_vectors.npy", np.asarray(self.vectors.answer_AD))
