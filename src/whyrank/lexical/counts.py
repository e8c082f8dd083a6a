"""How often each word stands in each of many texts: the counts of scikit-learn's `CountVectorizer`, in less time.

Shapes: N texts · V words of the vocabulary · W words of all texts
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse

from whyrank.core.spaced import coded
from whyrank.lexical.words import terms


class WordCounts(NamedTuple):
    """counts_NV   float64, how often each text has each word, columns of a row in order;  words   (V,) sorted"""

    counts_NV: scipy.sparse.csr_matrix
    words: list[str]

    @property
    def texts_with(self) -> dict[str, int]:
        """How many texts have each word that any of them has."""
        return {word: n for word, n in zip(self.words, self.counts_NV.getnnz(axis=0).tolist(), strict=True) if n}

    def rows(self, row_N: np.ndarray) -> "WordCounts":
        """Those of some texts, by row number."""
        return WordCounts(self.counts_NV[row_N], self.words)

    def weighed(self, weight_of: Mapping[str, float]) -> np.ndarray:
        """(N,) sum of the weights of the words of each text; one without a weight has 0."""
        return self.counts_NV @ np.array([weight_of.get(word, 0.0) for word in self.words], dtype=np.float64)

    def within(self, vocabulary: Mapping[str, int]) -> scipy.sparse.csr_matrix:
        """The counts by the columns of a vocabulary, which is sorted too; other words do not count."""
        column_V = np.array([vocabulary.get(word, -1) for word in self.words], dtype=np.int32)
        column = column_V[self.counts_NV.indices] if len(column_V) else self.counts_NV.indices
        is_known = column >= 0
        start_N = np.concatenate([[0], np.cumsum(is_known)])[self.counts_NV.indptr]
        parts = self.counts_NV.data[is_known], column[is_known], start_N
        return scipy.sparse.csr_matrix(parts, shape=(self.counts_NV.shape[0], len(vocabulary)))


def word_counts(texts: Sequence[str]) -> WordCounts:
    """Of the `terms` of texts."""
    words, found = coded(texts, terms)
    sets, count = found.counted()
    parts = count.astype(np.float64), sets.value_V, sets.start_N
    return WordCounts(scipy.sparse.csr_matrix(parts, shape=(len(texts), len(words))), words)
