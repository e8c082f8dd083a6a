"""Counts of words beside scikit-learn's."""

import random

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from whyrank.lexical.counts import word_counts
from whyrank.lexical.words import terms

TEXTS = ["the wallet, the key", "", "Schlüssel  weg", "請問 wallet", "???", "key\tkey\nthe-key", "a" * 40]


def test_counts_and_columns_are_those_of_scikit_learn() -> None:
    drawn = random.Random(0)
    texts = TEXTS + [
        " ".join(drawn.choices(["key", "lost", "é", "it's", "2,5"], k=drawn.randrange(9))) for _ in range(99)
    ]
    counter = CountVectorizer(analyzer=terms)
    expected = counter.fit_transform(texts)
    expected.sort_indices()
    found, words = word_counts(texts)
    assert words == counter.get_feature_names_out().tolist()
    for mine, theirs in (
        (found.indptr, expected.indptr),
        (found.indices, expected.indices),
        (found.data, expected.data),
    ):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("texts", [TEXTS, ["", ""]])
def test_words_outside_of_a_vocabulary_do_not_count(texts: list[str]) -> None:
    vocabulary = {"key": 0, "unheard": 1, "wallet": 2}
    counted = word_counts(texts)
    expected = CountVectorizer(analyzer=terms, vocabulary=vocabulary).transform(texts).toarray()
    assert np.array_equal(counted.within(vocabulary).toarray(), expected)
    assert np.array_equal(counted.rows(np.array([1])).within(vocabulary).toarray(), expected[1:2])


def test_words_of_texts_that_were_left_out_are_not_used() -> None:
    assert word_counts(["the key", "a wallet"]).rows(np.array([1])).texts_with == {"a": 1, "wallet": 1}
