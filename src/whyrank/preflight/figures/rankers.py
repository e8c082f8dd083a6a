"""Rankers that saw no label: the untrained encoder, TF-IDF and BM25, and what they say together.

Shapes: S queries of the sample · A answers · P judgements of them · R rankers
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from whyrank.core.options.params import Encoder as EncoderParams
from whyrank.lexical import analysis
from whyrank.lexical import ranking as words
from whyrank.lexical.words import split_of
from whyrank.measure.metrics import locating, ranking
from whyrank.model.encoder import vector_cache
from whyrank.model.encoder.encoder import Encoder, TokenIds
from whyrank.preflight.figures.texts.read import Read

RANKERS = ("encoder", "tfidf", "bm25")
# TF-IDF and BM25 count the same words: together they weigh as much as the encoder.
WEIGHTS = {"encoder": 2.0, "tfidf": 1.0, "bm25": 1.0}
# Scores that are kept of each ranker: 80 MB. Larger sets are sampled evenly, query by query.
CELLS, LEAST_QUERIES = 20_000_000, 300
# Two rankers speak of the same thing where their first answers meet so many times as often as by chance.
MEETING = 3.0


@dataclass(frozen=True)
class Ranked:
    """query_S    rows of the queries;  pairs   one row per judgement of them: row (of S), answer, gain, split, type
    score      by ranker (S, A) float32, in standard deviations of the query's own scores
    trusted    rankers whose word counts; both kinds do where they meet
    meeting    how often the encoder's first answer is TF-IDF's, as a multiple of chance
    """

    query_S: np.ndarray
    pairs: pd.DataFrame
    score: dict[str, np.ndarray]
    trusted: tuple[str, ...]
    meeting: float

    @cached_property
    def together(self) -> np.ndarray:
        """(S, A) float32 weighted mean over the trusted rankers."""
        total = sum(WEIGHTS[name] for name in self.trusted)
        return np.asarray(sum(self.score[name] * np.float32(WEIGHTS[name] / total) for name in self.trusted))

    @cached_property
    def scores(self) -> dict[str, np.ndarray]:
        """(S, A) by ranker, and "" together: the names of what follows."""
        return {"": self.together, **self.score}

    @cached_property
    def first(self) -> dict[str, np.ndarray]:
        """(S,) column of the first answer; -1 where all scores are equal."""
        return {name: first_of(score_SA) for name, score_SA in self.scores.items()}

    @cached_property
    def places(self) -> dict[str, ranking.Places]:
        row_P, answer_P, gain_P = (self.pairs[name].to_numpy() for name in ("row", "answer", "gain"))
        return {
            name: ranking.Places(row_P, *locating.locate(score_SA, row_P, answer_P), gain_P, *score_SA.shape)
            for name, score_SA in self.scores.items()
        }

    @cached_property
    def ranks(self) -> dict[str, np.ndarray]:
        """(P,) rank of each judged answer among those that are not relevant, from 1; ties averaged."""
        return {name: _ranks(self.pairs, places) for name, places in self.places.items()}

    def is_agreed(self, first_S: np.ndarray) -> np.ndarray:
        """(S,) whether the encoder and a lexical ranker put this answer first; never where they do not meet at all."""
        if set(self.trusted) != set(RANKERS):
            return np.zeros(len(first_S), dtype=bool)
        same = {name: self.first[name] == first_S for name in RANKERS}
        return np.asarray(same["encoder"] & (same["tfidf"] | same["bm25"]))


def ranked(encoder: Encoder, read: Read, token_ids: Sequence[TokenIds], options: EncoderParams) -> Ranked:
    """token_ids   of the answers, of the queries that are read, and of what else later stages encode with them"""
    prepared = read.prepared
    relevant = prepared.relevant
    row_Q = np.unique(relevant["query"])
    most = max(LEAST_QUERIES, CELLS // max(len(prepared.answers), 1))
    query_S = row_Q[np.unique(np.linspace(0, len(row_Q) - 1, min(most, len(row_Q))).round().astype(int))]
    pairs = relevant[relevant["query"].isin(query_S)].reset_index(drop=True)
    for name in ("split", "type"):
        pairs[name] = prepared.queries[name].to_numpy()[pairs["query"]]
    pairs["row"] = np.searchsorted(query_S, pairs["query"])
    raw = _scores(encoder, read, token_ids, options, query_S)
    score = {name: standardised(score_SA) for name, score_SA in raw.items()}
    trusted_names, meeting = trusted(score, pairs)
    return Ranked(query_S, pairs, score, trusted_names, meeting)


def _ranks(pairs: pd.DataFrame, places: ranking.Places) -> np.ndarray:
    own = pairs[["row"]].assign(above=places.above_P, tied=places.tied_P)
    by_place = own.groupby(["row", "above"])["tied"].transform("size")
    better = own.groupby("row")["above"].rank(method="min") - 1
    return np.asarray(own["above"] - better + (own["tied"] - by_place) / 2 + 1, dtype=np.float64)


def first_of(score_SA: np.ndarray) -> np.ndarray:
    """(S,) column of the first answer; -1 where all scores are equal."""
    return np.where(score_SA.max(axis=1) > score_SA.min(axis=1), score_SA.argmax(axis=1), -1)


def standardised(score_SA: np.ndarray) -> np.ndarray:
    mean_S1, spread_S1 = score_SA.mean(axis=1, keepdims=True), score_SA.std(axis=1, keepdims=True)
    return np.asarray((score_SA - mean_S1) / np.maximum(spread_S1, 1e-6), dtype=np.float32)


def _scores(
    encoder: Encoder, read: Read, token_ids: Sequence[TokenIds], options: EncoderParams, query_S: np.ndarray
) -> dict[str, np.ndarray]:
    prepared = read.prepared
    # All texts, as later stages encode them: those find the vectors in the cache.
    vector_ND = vector_cache.encoded(encoder, token_ids, options).cpu().numpy()
    unit_ND = vector_ND / np.maximum(np.linalg.norm(vector_ND, axis=1, keepdims=True), 1e-12)
    answers = len(prepared.answers)
    query_texts, answer_texts = (table["raw_text"].tolist() for table in (prepared.queries, prepared.answers))
    analyser = analysis.analyser(query_texts, answer_texts)
    # Splitting texts is half of what either lexical ranker takes.
    split_A = list(map(split_of, answer_texts, read.whole_answer_words))
    split_S = [split_of(query_texts[row], read.whole_query_words[row]) for row in query_S]
    bm25 = analyser.bm25_terms_of
    return {
        "encoder": unit_ND[answers + query_S] @ unit_ND[:answers].T,
        "tfidf": words.tfidf_of_words(split_A, analyser)(split_S),
        "bm25": words.bm25_of_terms(list(map(bm25, split_A)))(list(map(bm25, split_S))),
    }


def trusted(score: dict[str, np.ndarray], pairs: pd.DataFrame) -> tuple[tuple[str, ...], float]:
    """All where the encoder's and TF-IDF's first answers meet; else those that the labels speak for."""
    first = {name: first_of(score_SA) for name, score_SA in score.items()}
    answers = score["tfidf"].shape[1]
    one, other = first["encoder"], first["tfidf"]
    shares = [np.bincount(found[found >= 0], minlength=answers) / len(found) for found in (one, other)]
    chance = max(float(shares[0] @ shares[1]), 1 / answers)
    meeting = float(((one == other) & (one >= 0)).mean()) / chance
    if meeting >= MEETING:
        return RANKERS, meeting
    row_P, answer_P = pairs["row"].to_numpy(), pairs["answer"].to_numpy()
    hits = {name: float((first[name][row_P] == answer_P).mean()) for name in RANKERS}
    lexical = max(hits["tfidf"], hits["bm25"])
    return (("tfidf", "bm25") if lexical >= hits["encoder"] else ("encoder",)), meeting
