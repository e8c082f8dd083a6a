"""Scores of the lexical baselines, which read whole texts and need no torch."""

from functools import partial

from whyrank.core.options.systems import System
from whyrank.lexical import ranking as words
from whyrank.scoring.pairs import score as pairs
from whyrank.scoring.ratings import score as ratings
from whyrank.scoring.scored import Scored, Tasks


def tfidf(system: System, tasks: Tasks) -> Scored:
    """Rank and compare by the cosine of TF-IDF vectors; rate by a ridge on them."""
    predicted = {name: pairs.predict_tfidf(part) for name, part in tasks.pairs.items()}
    return Scored(
        tasks.rank(words.scorer(words.tfidf, tasks.texts)),
        pairs.judge(tasks.pairs, predicted),
        ratings.lexical(tasks.texts),
    )


def bm25(system: System, tasks: Tasks) -> Scored:
    """Rank alone: a score of BM25 says how well an answer fits a query, not how alike two texts are."""
    return Scored(tasks.rank(words.scorer(partial(words.bm25, stemmer=tasks.options.stemmer), tasks.texts)))
