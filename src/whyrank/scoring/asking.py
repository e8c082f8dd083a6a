"""Scores of texts that no split holds, by the systems of a finished run.

Shapes: Q texts asked · A answers · D features · P vectors that stand for an answer · C classes · K answers kept
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from whyrank.core import checksums, io, lock, prepared
from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.options.system_links import check_scored_with
from whyrank.core.options.systems import RUNS, System
from whyrank.core.rerun import remedy
from whyrank.data.ranking.new_texts import selected
from whyrank.data.ranking.selection import fit_idf
from whyrank.lexical import ranking as words
from whyrank.lexical.analysis import Analyser
from whyrank.measure.metrics.geometry import unit_rows
from whyrank.scoring.rivals.fusion import Fusion
from whyrank.scoring.rivals.nearest import NOTHING
from whyrank.scoring.rivals.sources import Lists

# Texts -> their scores against every answer, (Q, A), higher is better; and their vectors (Q, D).
Ranker = Callable[[Sequence[str]], np.ndarray]
Embedder = Callable[[Sequence[str]], np.ndarray]
LEXICAL: Mapping[str, Callable[[Sequence[str], Analyser], Ranker]] = {"tfidf": words.tfidf, "bm25": words.bm25}


@dataclass(frozen=True)
class Asked:
    """The finished run of a workspace.

    values   those of params.yaml
    loaded   encoders by name, each read once
    """

    root: Path
    values: dict[str, Any]
    loaded: dict[str, tuple[Embedder, str]] = field(default_factory=dict)

    @cached_property
    def texts(self) -> prepared.Prepared:
        return prepared.read(self.root / "data/prepared")

    def system(self, name: str) -> System:
        return params.system(self.values, name)

    @property
    def systems(self) -> dict[str, System]:
        return {name: self.system(name) for name in self.values["systems"]}

    def ranker(self, name: str) -> Ranker:
        """Raises UserError for a system that is unknown, was not evaluated, or has no scores of a new text."""
        if name not in self.values["systems"]:
            raise UserError(f"no system {name!r} in params.yaml; there are {', '.join(self.values['systems'])}")
        kind = self.system(name).kind
        if kind not in RANKERS:
            raise UserError(f"{name} is of kind {kind}, which scores no new text; ask one of kind {', '.join(RANKERS)}")
        return RANKERS[kind](self, name)

    def run(self, name: str) -> Path:
        """The folder of its run, as the evaluation wrote it, of what stands in the workspace."""
        folder = self.root / RUNS / name
        if not folder.is_dir():
            raise UserError(f"{RUNS}/{name} does not exist; {remedy(Path(RUNS) / name)}")
        checksums.verify(folder)
        lock.check(f"{RUNS}/{name}", self.root)
        return folder

    def index(self, name: str) -> dict[str, np.ndarray]:
        with io.reading(self.run(name) / "index.npz", "NumPy archive") as file, np.load(file) as archive:
            return {key: archive[key] for key in archive.files}

    def embedder(self, name: str) -> tuple[Embedder, str]:
        """Texts -> their vectors (Q, D) under an encoder, before normalisation; and its score, cosine or dot."""
        if name not in self.loaded:
            self.loaded[name] = self._embedder(name)
        return self.loaded[name]

    def _embedder(self, name: str) -> tuple[Embedder, str]:
        import torch

        from whyrank.model import system as models
        from whyrank.model.encoder.budgets import budgets
        from whyrank.scoring.rivals import served

        options = params.section(self.values, "prepare", params.Prepare)
        encoding = params.section(self.values, "encoder", params.Encoder)
        own = self.system(name)
        if own.kind == "vectors":
            raise UserError(f"{name} has the vectors of another tool, and none of a new text; ask another system")
        if own.kind == "served":
            model = served.restored(replace(own, made_of=str(self.root / own.made_of)), encoding, self.run(name))
        else:
            folder = self.root / own.made_of
            model = models.load(folder, pooling=own.pooling, trust_remote_code=encoding.trust_remote_code)
        encoder, encode = model.encoder, served.encoding(model, own.format, encoding)
        budget = budgets(encoder, options.tokens, with_pairs=False)

        def vectors(texts: Sequence[str]) -> np.ndarray:
            read, kinds = selected(texts, options, budget.own, encoder.count_tokens, self.idf, self.language_of)
            rows = encoder.tokenise_each(read, [budget.whole[kind] for kind in kinds], "query")
            with torch.inference_mode():
                return model.queries(torch.from_numpy(encode(rows)).to(encoder.device)).cpu().numpy()

        return vectors, model.score

    @cached_property
    def language_of(self) -> dict[str, str]:
        """The most frequent language of each kind of text, by which `prepare` told its sentences."""
        first = io.read_table(self.root / "metrics/prepare/languages.csv").drop_duplicates("kind")
        return dict(zip(first["kind"], first["language"], strict=True))

    def idf(self) -> Any:
        train = self.texts.queries["split"] == "train"
        return fit_idf([*self.texts.answers["raw_text"], *self.texts.queries.loc[train, "raw_text"]])


def lexical(asked: Asked, name: str) -> Ranker:
    return by_words(asked, asked.system(name).kind, asked.run(name))


def by_words(asked: Asked, kind: str, run: Path) -> Ranker:
    """run   of a system that counts words: it says how"""
    analyser = Analyser(**io.read_json(run / "analyser.json"))
    return LEXICAL[kind](asked.texts.answers["raw_text"].tolist(), analyser)


def encoder(asked: Asked, name: str) -> Ranker:
    """Cosine or dot product with the vectors of the answers that the evaluation kept."""
    answer_AD = io.read_array(asked.run(name) / "answer_vectors.npy")
    vectors, kind = asked.embedder(name)
    scale = unit_rows if kind == "cosine" else np.asarray
    answer_AD = scale(answer_AD)
    return lambda texts: scale(vectors(texts)) @ answer_AD.T


def nearest_query(asked: Asked, name: str) -> Ranker:
    """The largest cosine with a vector that stands for the answer; answers without any are tied behind the others."""
    index, (vectors, _) = asked.index(name), asked.embedder(asked.system(name).sources[0])
    answer_P = pd.Index(index["answer_ids"]).get_indexer(index["stands_for"])

    def scores(texts: Sequence[str]) -> np.ndarray:
        score_AQ = np.full((len(index["answer_ids"]), len(texts)), NOTHING)
        np.maximum.at(score_AQ, answer_P, index["vectors"] @ unit_rows(vectors(texts)).T)
        return score_AQ.T

    return scores


def classifier(asked: Asked, name: str) -> Ranker:
    """Logits; answers without training queries are tied behind the others."""
    index, (vectors, _) = asked.index(name), asked.embedder(asked.system(name).sources[0])
    class_C = pd.Index(index["answer_ids"]).get_indexer(index["classes"])

    def scores(texts: Sequence[str]) -> np.ndarray:
        logit_QC = unit_rows(vectors(texts)) @ index["weight"].T + index["bias"]
        score_QA = np.repeat(logit_QC.min(axis=1, keepdims=True) - 1, len(index["answer_ids"]), axis=1)
        score_QA[:, class_C] = logit_QC
        return score_QA

    return scores


def fusion(asked: Asked, name: str) -> Ranker:
    """By the systems and weights that the dev queries chose, over as many answers of each as the run kept."""
    how = io.read_json(asked.run(name) / "how.json")
    check_scored_with(name, asked.systems, how)
    rankers = [
        by_words(asked, part, asked.run(name)) if part in LEXICAL else asked.ranker(part) for part in how["systems"]
    ]
    answers = len(asked.texts.answers)

    def scores(texts: Sequence[str]) -> np.ndarray:
        lists = [best(rank(texts), how["keep"]) for rank in rankers]
        return Fusion(lists, how["weights"], how["method"], how["normalise"], answers)(np.arange(len(texts)))

    return scores


def best(score_QA: np.ndarray, count: int) -> Lists:
    """The best answers of each text; of equal scores the first."""
    answer_QK = np.argsort(-score_QA, axis=1, kind="stable")[:, :count]
    return Lists(np.arange(len(score_QA)), answer_QK, np.take_along_axis(score_QA, answer_QK, axis=1))


RANKERS: Mapping[str, Callable[[Asked, str], Ranker]] = {
    "tfidf": lexical, "bm25": lexical, "encoder": encoder, "served": encoder,
    "nearest-query": nearest_query, "classifier": classifier, "fusion": fusion,
}  # fmt: skip
