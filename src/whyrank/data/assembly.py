"""The parts that `prepare` reads, as one prepared set with its numbers of texts."""

from dataclasses import replace
from typing import Protocol

import pandas as pd

from whyrank.core.prepared import RATING_COLUMNS, Prepared
from whyrank.data.pairs import texts as pair_texts
from whyrank.data.ranking.prepare import Preparation


class RatedTexts(Protocol):
    """Rows of ratings with `first` and `second`, places in the texts (-1: none); the texts have their `input_ids`."""

    @property
    def rows(self) -> pd.DataFrame: ...

    @property
    def texts(self) -> pd.DataFrame: ...


class Rejecting(Protocol):
    @property
    def rejected(self) -> pd.DataFrame: ...


def assembled(ranking: Preparation, rated: RatedTexts, sentences: pd.DataFrame) -> Prepared:
    """Texts numbered as `Prepared` says: answers, queries, ratings, pairs.

    sentences   pairs of them, as text1 and text2
    """
    texts = Prepared(ranking.answers, ranking.queries, ranking.qrels)
    if len(rated.rows):
        texts = replace(texts, ratings=_numbered(rated.rows, len(texts.texts.table)), rating_texts=rated.texts)
    pairs, own = pair_texts.numbered(sentences, len(texts.texts.table))
    return replace(texts, pairs=pairs, pair_texts=own)


def rejected(*parts: Rejecting) -> pd.DataFrame:
    """Rows that were left out, each with its reason."""
    return pd.concat([part.rejected for part in parts])


def _numbered(ratings: pd.DataFrame, start: int) -> pd.DataFrame:
    numbers = {name: ratings[name].where(ratings[name] < 0, ratings[name] + start) for name in ("first", "second")}
    targets = [name for name in ratings.columns if name not in RATING_COLUMNS]
    return ratings.assign(**numbers)[[*RATING_COLUMNS, *targets]]
