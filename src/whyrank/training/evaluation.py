"""Metrics of the dev set while training: the same figures as those of the final evaluation."""

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from whyrank.core.errors import UserError
from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import correlation, ranking, ratings
from whyrank.model.system import System
from whyrank.training.engine.vectors import Vectors
from whyrank.training.ratings.objective import RatingsObjective

# Enough training queries to see over- and underfitting; more would cost time and tell no more.
TRAINING_QUERIES = 200
TRAINING_RATINGS = 500


class RankingWatch:
    """Dev metrics by type, and accuracy@1 on a fixed draw of training queries beside them."""

    def __init__(self, prepared: Prepared, system: System, vectors: Vectors, random: np.random.Generator) -> None:
        self.prepared, self.system, self.vectors = prepared, system, vectors
        self.dev_Q = self._judged(prepared.rows("dev"))
        if len(self.dev_Q) == 0:
            raise UserError("the dev split has no query with a relevant answer; raise -S prepare.split.dev=0.15")
        train_Q = self._judged(prepared.rows("train"))
        self.train_Q = np.sort(random.permutation(train_Q)[:TRAINING_QUERIES])

    def _judged(self, query_Q: np.ndarray) -> np.ndarray:
        return query_Q[np.isin(query_Q, self.prepared.relevant["query"])]

    def __call__(self) -> dict[str, float]:
        dev, kind_Q = self._per_query(self.dev_Q), self.prepared.queries["type"].to_numpy()[self.dev_Q]
        metrics = {f"{name}_all": float(value_Q.mean()) for name, value_Q in dev.items()}
        for kind in ("question", "conversation"):
            if (kind_Q == kind).any():
                metrics |= {f"{name}_{kind}": float(value_Q[kind_Q == kind].mean()) for name, value_Q in dev.items()}
        train = self._per_query(self.train_Q)
        return metrics | {f"train_{name}": float(train[name].mean()) for name in ("accuracy@1", "mrr")}

    def _per_query(self, query_Q: np.ndarray) -> dict[str, np.ndarray]:
        answers = len(self.prepared.answers)
        query_QD, answer_AD = self.system.project(
            self.vectors.inference(answers + query_Q), self.vectors.inference(np.arange(answers))
        )
        score_QA = (query_QD @ answer_AD.T).cpu().numpy()
        pairs = self.prepared.relevant
        pairs = pairs[np.isin(pairs["query"], query_Q)]
        row_P = np.searchsorted(query_Q, pairs["query"])
        above_P, tied_P = ranking.locate(score_QA, row_P, pairs["answer"])
        return ranking.per_query(ranking.Places(row_P, above_P, tied_P, pairs["gain"].to_numpy(), *score_QA.shape))


class SimilarityWatch:
    """Spearman's correlation of cosine and label, for each source of dev pairs and their mean."""

    def __init__(self, prepared: Prepared, system: System, vectors: Vectors) -> None:
        self.system, self.vectors = system, vectors
        self.pairs = prepared.pairs[prepared.pairs["use"] == "dev"]

    def __call__(self) -> dict[str, float]:
        """`spearman_<source>` and `spearman_mean`; undefined ones (constant labels, say) are left out."""
        if self.pairs.empty:
            return {}
        texts, back = np.unique(self.pairs[["first", "second"]].to_numpy(), return_inverse=True)
        vector_ND = self.system.features("similarity", self.vectors.inference(texts))
        first_PD, second_PD = functional.normalize(vector_ND, dim=1)[torch.as_tensor(back.reshape(-1, 2))].unbind(1)
        cosine = pd.Series((first_PD * second_PD).sum(1).cpu().numpy(), self.pairs.index)
        found = {
            f"spearman_{source}": correlation.spearman(cosine[rows.index], rows["label"])
            for source, rows in self.pairs.groupby("source")
        }
        defined = {name: one.value for name, one in found.items() if one.value is not None}
        return defined | ({"spearman_mean": sum(defined.values()) / len(defined)} if defined else {})


class RatingsWatch:
    """Mean column Spearman of the fold that is held out, and of a fixed draw of training rows beside it."""

    def __init__(self, prepared: Prepared, objective: RatingsObjective, random: np.random.Generator) -> None:
        self.objective, self.targets = objective, prepared.rating_targets
        self.held_out = prepared.rated(held_out=True)
        self.train = training_draw(prepared, random)

    def __call__(self) -> dict[str, float]:
        """`ratings_spearman` and `train_ratings_spearman`, left out where no target has one; `ratings_undefined`,
        targets without one, and `ratings_constant_columns`, those of them that are predicted alike in all rows."""
        held_out, train = (self.of(rows) for rows in (self.held_out, self.train))
        constant = sum(reason == "constant predictions" for reason in held_out.undefined.values())
        found = {"ratings_spearman": held_out.value, "train_ratings_spearman": train.value}
        return {name: value for name, value in found.items() if value is not None} | {
            "ratings_undefined": len(held_out.undefined),
            "ratings_constant_columns": constant,
        }

    def of(self, rows: pd.DataFrame) -> correlation.Mean:
        return ratings.mean_column_spearman(self.objective.predict(rows), rows[self.targets], self.targets)


def training_draw(prepared: Prepared, random: np.random.Generator) -> pd.DataFrame:
    """Labelled rows of ratings that are trained on: enough of them to see over- and underfitting."""
    rows = prepared.rated(held_out=False)
    return rows.iloc[np.sort(random.permutation(len(rows))[:TRAINING_RATINGS])]
