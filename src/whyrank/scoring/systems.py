"""One system -> all that is recorded of it. A new kind of system is one function, and an entry in `KINDS`.

Shapes: Q test queries · N queries of all splits · A answers · D features
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from whyrank.core import io, runtime
from whyrank.core.options.params import Encoder, Evaluate
from whyrank.core.options.systems import Kind, System
from whyrank.core.prepared import Prepared
from whyrank.lexical import analysis
from whyrank.lexical import ranking as words
from whyrank.lexical.analysis import Analyser
from whyrank.scoring.pairs import score as pairs
from whyrank.scoring.ranking import score as ranking
from whyrank.scoring.ratings import score as ratings
from whyrank.scoring.search import tiles

if TYPE_CHECKING:
    from whyrank.model import system as models
    from whyrank.scoring.search.embed import Vectors


# Enough training queries to see over- and underfitting; as many as a training looks at.
TRAINING_QUERIES = 200


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

    @cached_property
    def analyser(self) -> Analyser:
        """How the lexical baselines read queries and answers."""
        texts = [table["raw_text"].tolist() for table in (self.texts.queries, self.texts.answers)]
        return analysis.analyser(*texts, stemmer=self.options.stemmer)

    def rank(self, score: words.Score | tiles.Tiled) -> ranking.Run:
        """Raises UserError without a test query that has a relevant answer."""
        return ranking.rank(score, self.texts, ranking.queries_with_relevant(self.texts, "test"), self.options)

    def rank_others(self, score: words.Score | tiles.Tiled) -> pd.DataFrame:
        """The same code and candidates for the dev queries, and for a draw of the training queries: a row of each."""
        judged = self.texts.relevant["query"]
        parts = {split: np.intersect1d(self.texts.rows(split), judged) for split in ("dev", "train")}
        drawn = np.random.default_rng(self.seed).permutation(parts["train"])[:TRAINING_QUERIES]
        parts["train"] = np.sort(drawn)
        tables = [
            ranking.rank(score, self.texts, query_Q, self.options).queries.assign(split=split)
            for split, query_Q in parts.items()
            if len(query_Q)
        ]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


@dataclass(frozen=True)
class Scored:
    """run        of the test queries
    similar    predictions for the test pairs, rated: for rated rows; both empty of a system that has none
    geometry   flat numbers of the vectors of queries (N, D) and answers (A, D); both only of an encoder
    others     dev and training queries, a row of each
    golden     vectors of a few texts by a pass of their own; both empty of a lexical baseline
    analyser   by which a lexical baseline read the texts
    """

    run: ranking.Run
    similar: pairs.Judged = pairs.NOTHING
    rated: ratings.Rated = ratings.NOTHING
    geometry: dict[str, float] = field(default_factory=dict)
    vectors: "Vectors | None" = None
    others: pd.DataFrame = field(default_factory=pd.DataFrame)
    golden: pd.DataFrame = field(default_factory=pd.DataFrame)
    analyser: Analyser | None = None

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
        if self.analyser is not None:
            io.write_json(folder / "analyser.json", asdict(self.analyser))
        for file, table in {"other_splits.parquet": self.others, "golden.parquet": self.golden}.items():
            if len(table):
                io.write_table(folder / file, table)
        if self.vectors is not None:
            io.write_array(folder / "query_vectors.npy", np.asarray(self.vectors.query_ND))
            io.write_array(folder / "answer_vectors.npy", np.asarray(self.vectors.answer_AD))


def encoder(system: System, tasks: Tasks) -> Scored:
    """Rank and compare by its vectors; rate by what was trained, or else by a ridge on the vectors."""
    # Imported only here: the lexical baselines need no torch.
    from whyrank.model import system as models
    from whyrank.model.golden import golden_vectors
    from whyrank.scoring.ranking import representation
    from whyrank.scoring.search import embed

    runtime.seed_everything(tasks.seed)
    source, options = Path(system.made_of), tasks.encoder
    model = models.load(source, pooling=system.pooling, trust_remote_code=options.trust_remote_code)
    models.check_tokens(model, tasks.texts, source)
    vectors = embed.embed(model, tasks.texts, options)
    product = embed.Product(vectors, model.score)
    run, others = tasks.rank(product), tasks.rank_others(product)
    longest = tasks.options.pair_tokens
    predicted = {name: pairs.predict(model, part, options, longest=longest) for name, part in tasks.pairs.items()}
    is_tuned = system.role == "tuned" and system.pooling == "auto"
    rated = (
        ratings.tuned(tasks.texts, source / ratings.OUT_OF_FOLD)
        if is_tuned
        else ratings.frozen(model, tasks.texts, options)
    )
    golden = golden_vectors(model, tasks.texts, options)
    geometry = representation.describe(vectors, tasks.texts, run.top, tasks.seed)
    geometry |= size(model) | {"score_kind_cosine": int(model.score == "cosine")}
    return Scored(run, pairs.judge(tasks.pairs, predicted), rated, geometry, vectors, others, golden)


def size(model: "models.System") -> dict[str, float]:
    """What a text costs, the same on every machine: weights, their megabytes, and layers where the encoder says."""
    weights = [*model.parameters()]
    layers = getattr(model.encoder.transformer.config, "num_hidden_layers", None)
    return {
        "parameters": sum(weight.numel() for weight in weights),
        "megabytes": sum(weight.nbytes for weight in weights) / 1e6,
    } | ({"layers": layers} if layers else {})


def tfidf(system: System, tasks: Tasks) -> Scored:
    """Rank and compare by the cosine of TF-IDF vectors; rate by a ridge on them."""
    predicted = {name: pairs.predict_tfidf(part) for name, part in tasks.pairs.items()}
    return Scored(
        tasks.rank(words.scorer(words.tfidf, tasks.texts, tasks.analyser)),
        pairs.judge(tasks.pairs, predicted),
        ratings.lexical(tasks.texts),
        analyser=tasks.analyser,
    )


def bm25(system: System, tasks: Tasks) -> Scored:
    """Rank alone: a score of BM25 says how well an answer fits a query, not how alike two texts are."""
    return Scored(tasks.rank(words.scorer(words.bm25, tasks.texts, tasks.analyser)), analyser=tasks.analyser)


KINDS: Mapping[Kind, Callable[[System, Tasks], Scored]] = {"tfidf": tfidf, "bm25": bm25, "encoder": encoder}


def score(system: System, tasks: Tasks) -> Scored:
    """Score one system on the tasks, by its kind. Raises UserError as its kind does."""
    return KINDS[system.kind](system, tasks)
