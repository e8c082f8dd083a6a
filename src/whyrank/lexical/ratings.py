"""The lexical baseline for ratings: TF-IDF of words and of letters, each field of a row by itself.

Shapes: N rows · K those whose products are asked for · V terms
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import scipy.sparse

from whyrank.lexical.words import terms

# (N,) bool, the rows that features may be fitted on; (K,) int, numbers of rows -> (K, K) float32 products of these.
Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Words and word pairs; three to five letters within a word, which see its stem, a typo and a piece of code alike.
WORDS = {"tokenizer": partial(terms, least=2), "lowercase": False, "token_pattern": None}
ANALYSERS = (
    {"analyzer": "word", "ngram_range": (1, 2), **WORDS},
    {"analyzer": "char_wb", "ngram_range": (3, 5)},
)
# Training rows that hold a term, at least; terms of a field, the most frequent ones. With 8,000 groups of letters a
# field instead of 20,000 the mean correlation on Stack Exchange is .003 lower.
FEWEST_ROWS, MOST_TERMS = 3, 20_000
# A term in more than this share of the rows is multiplied as a column of numbers, a rarer one by its entries alone.
DENSE = 1 / 30
# Columns of numbers at a time.
BLOCK = 1024


def kernel(fields: Sequence[Sequence[str]]) -> Kernel:
    """Products of the rows' TF-IDF vectors: the mean over the parts (fields by analysers), each of unit length.

    fields   N texts each; one without words has no part
    Terms are counted once; which are kept and how they weigh comes from the training rows of a fold alone.
    """
    parts = [part for texts in fields for part in counts(texts) if part.shape[1]]

    def of_fold(train_N: np.ndarray, row_K: np.ndarray) -> np.ndarray:
        product_KK = np.zeros((len(row_K), len(row_K)), dtype=np.float32)
        for part in parts:
            add_products(product_KK, weighted(part, train_N)[row_K])
        product_KK /= np.float32(max(len(parts), 1))
        return product_KK

    return of_fold


def counts(texts: Sequence[str]) -> list[scipy.sparse.csr_matrix]:
    """(N, V) float32 counts of the terms of each analyser that enough rows hold; V may be 0."""
    from sklearn.feature_extraction.text import CountVectorizer  # takes a second that only this baseline should pay

    different, row_N = np.unique(np.array(texts, dtype=object), return_inverse=True)
    found = []
    for options in ANALYSERS:
        vectorizer = CountVectorizer(dtype=np.float32, **options)
        if not any(map(vectorizer.build_analyzer(), different)):
            found.append(no_terms(len(texts)))
            continue
        counted_NV = vectorizer.fit_transform(different)[row_N]
        found.append(counted_NV[:, rows_with(counted_NV) >= FEWEST_ROWS])
    return found


def weighted(count_NV: scipy.sparse.csr_matrix, train_N: np.ndarray) -> scipy.sparse.csr_matrix:
    """(N, V) TF-IDF vectors of unit length, 1 + log of the counts, fitted on the training rows."""
    from sklearn.feature_extraction.text import TfidfTransformer

    train_MV = count_NV[train_N]
    total_V = np.where(rows_with(train_MV) >= FEWEST_ROWS, np.asarray(train_MV.sum(axis=0)).ravel(), 0)
    kept = np.argsort(-total_V, kind="stable")[:MOST_TERMS]
    kept = np.sort(kept[total_V[kept] > 0])
    if not len(kept):
        return no_terms(len(train_N))
    transformer = TfidfTransformer(sublinear_tf=True).fit(train_MV[:, kept])
    return transformer.transform(count_NV[:, kept]).astype(np.float32)


def add_products(product_KK: np.ndarray, vector_KV: scipy.sparse.csr_matrix) -> None:
    """Add the products of all pairs of rows to `product_KK`, in place."""
    is_dense_V = rows_with(vector_KV) > DENSE * len(product_KK)
    by_column = vector_KV.tocsc()
    rare_KV = by_column[:, ~is_dense_V].tocsr()
    product_KK += (rare_KV @ rare_KV.T).toarray()
    dense_KV = by_column[:, is_dense_V]
    for start in range(0, dense_KV.shape[1], BLOCK):
        block_KB = dense_KV[:, start : start + BLOCK].toarray()
        product_KK += block_KB @ block_KB.T


def rows_with(count_NV: scipy.sparse.csr_matrix) -> np.ndarray:
    """(V,) how many rows hold each term."""
    return np.bincount(count_NV.indices, minlength=count_NV.shape[1])


def no_terms(rows: int) -> scipy.sparse.csr_matrix:
    return scipy.sparse.csr_matrix(np.zeros((rows, 0), dtype=np.float32))
