"""The lexical baselines. They read the whole texts: no token budget binds them.

Shapes: Q queries · A answers · N pairs of texts
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain, repeat

import numpy as np
import pandas as pd
import scipy.sparse

from whyrank.core.prepared import Prepared
from whyrank.lexical.analysis import Analyser
from whyrank.lexical.words import split, terms

# Row numbers of some queries -> their scores against every answer, (Q, A), higher is better.
Score = Callable[[np.ndarray], np.ndarray]
# Texts of queries -> the same.
Ranker = Callable[[Sequence[str]], np.ndarray]
# The terms of each text; and those of queries -> the same scores.
Terms = Sequence[list[str]]
RankerOfTerms = Callable[[Terms], np.ndarray]
ENGLISH = Analyser()


def tfidf(answer_texts: Sequence[str], analyser: Analyser = ENGLISH) -> Ranker:
    """Cosine of TF-IDF vectors of the analyser's terms, fitted on the answers. (Q, A) float32."""
    rank = tfidf_of_words(map(split, answer_texts), analyser)
    return lambda query_texts: rank(list(map(split, query_texts)))


def bm25(answer_texts: Sequence[str], analyser: Analyser = ENGLISH) -> Ranker:
    """BM25 of the analyser's terms as Lucene computes it, with k1 = 1.5 and b = 0.75. (Q, A) float32."""
    rank = bm25_of_terms(list(map(analyser.bm25_terms, answer_texts)))
    return lambda query_texts: rank(list(map(analyser.bm25_terms, query_texts)))


def tfidf_of_words(words_A: Iterable[list[str]], analyser: Analyser = ENGLISH) -> RankerOfTerms:
    """`tfidf` of texts that were split already; what it returns takes split texts, too."""
    from sklearn.feature_extraction.text import TfidfTransformer  # takes a second that only this baseline should pay

    numbered = partial(_numbered, analyser=analyser, number_of={})
    term_A = list(map(numbered, words_A))
    length_A, term_T = list(map(len, term_A)), np.concatenate([np.zeros(0, dtype=np.int64), *term_A])
    if not len(term_T):
        return partial(_all_tied, len(term_A))
    del term_A  # as large as what is made of it
    column_T, known_V = pd.factorize(term_T)
    # Sublinear counts keep a long conversation that repeats a word from drowning the rest.
    transformer = TfidfTransformer(sublinear_tf=True)
    answer_VA = transformer.fit_transform(_counts(column_T, length_A, len(known_V))).T.tocsr()
    order_V = np.argsort(known_V)

    def rank(words_Q: Terms) -> np.ndarray:
        term_Q = list(map(numbered, words_Q))
        term_T = np.concatenate([np.zeros(0, dtype=np.int64), *term_Q])
        column_T = order_V[np.searchsorted(known_V, term_T, sorter=order_V).clip(max=len(known_V) - 1)]
        column_T[known_V[column_T] != term_T] = -1
        count_QV = _counts(column_T, list(map(len, term_Q)), len(known_V))
        return np.asarray((transformer.transform(count_QV) @ answer_VA).toarray())

    return rank


def _numbered(words: list[str], *, analyser: Analyser, number_of: dict[str, int]) -> np.ndarray:
    """(T,) int64, the analyser's terms of a split text. Pairs of words are numbers: most stand once in a large set."""
    kept_W, group_G = (
        np.array([number_of.setdefault(word, len(number_of)) for word in part], dtype=np.int64)
        for part in analyser.tfidf_words_of(words)
    )
    return np.concatenate([kept_W, (kept_W[:-1] + 1 << 32) + kept_W[1:], group_G])


def bm25_of_terms(terms_A: Terms) -> RankerOfTerms:
    """`bm25` of texts that were read already."""
    if not any(terms_A):
        return partial(_all_tied, len(terms_A))
    number_of, score_VA = bm25_scores(terms_A)

    def rank(terms_Q: Terms) -> np.ndarray:
        # Adds the same numbers in the same order as `get_scores`, without a pass of Python for each query.
        return np.asarray((_terms(terms_Q, number_of) @ score_VA).toarray())

    return rank


def bm25_scores(terms_A: Terms) -> tuple[dict[str, int], scipy.sparse.csr_matrix]:
    """The row of each term, and (V, A) float32 what an occurrence of it in a query adds to the score of each answer.

    At least one answer has a term.
    """
    import bm25s

    retriever = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    retriever.index(terms_A, show_progress=False)
    number_of, parts = retriever.vocab_dict, (retriever.scores[name] for name in ("data", "indices", "indptr"))
    data, answer, start = parts
    # It numbers an empty term, too, which no text has.
    start = np.pad(start, (0, len(number_of) + 1 - len(start)), mode="edge")
    return number_of, scipy.sparse.csr_matrix((data, answer, start), shape=(len(number_of), len(terms_A)))


def _counts(column_T: np.ndarray, length_N: Sequence[int], columns: int) -> scipy.sparse.csr_matrix:
    """(N, V) float32 how often a text has each term."""
    found_NV = _entries(column_T, length_N, columns)
    found_NV.sum_duplicates()
    return found_NV


def _terms(terms_N: Terms, number_of: Mapping[str, int]) -> scipy.sparse.csr_matrix:
    """(N, V) float32 with an entry of 1 for each term of a text that has a column, in the order of the text."""
    column_T = np.fromiter(map(number_of.get, chain.from_iterable(terms_N), repeat(-1)), dtype=np.int64)
    return _entries(column_T, list(map(len, terms_N)), len(number_of))


def _entries(column_T: np.ndarray, length_N: Sequence[int], columns: int) -> scipy.sparse.csr_matrix:
    """(N, V) float32 with an entry of 1 for each column of a text, in its order; -1 is none."""
    is_known_T = column_T >= 0
    known_T = np.concatenate([[0], np.cumsum(is_known_T)])
    parts = np.ones(known_T[-1], dtype=np.float32), column_T[is_known_T], known_T[np.cumsum([0, *length_N])]
    return scipy.sparse.csr_matrix(parts, shape=(len(length_N), columns))


def _all_tied(answers: int, queries: Sequence[object]) -> np.ndarray:
    return np.zeros((len(queries), answers), dtype=np.float32)


def scorer(
    baseline: Callable[[Sequence[str], Analyser], Ranker], prepared: Prepared, analyser: Analyser = ENGLISH
) -> Score:
    """Row numbers of queries -> their scores by `tfidf` or `bm25`, which read the whole texts."""
    query_texts = prepared.queries["raw_text"]
    rank = baseline(prepared.answers["raw_text"].tolist(), analyser)
    return lambda query_Q: rank(query_texts.iloc[query_Q].tolist())


def tfidf_pairs(first_texts: Sequence[str], second_texts: Sequence[str]) -> np.ndarray:
    """Cosine of the TF-IDF vectors of the two texts of each pair, 0 to 1; 0 where they share no word. (N,) float64.

    Fitted on all texts given, each counted once; no label enters. Single words, stop words among them: on STS12-16,
    STS-B and SICK-R the mean Spearman is .665, without stop words .651, with word pairs too .604.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # takes a second that only this baseline should pay

    vectorizer = TfidfVectorizer(analyzer=partial(terms, least=2), sublinear_tf=True)
    texts = list(dict.fromkeys([*first_texts, *second_texts]))
    if not any(map(vectorizer.build_analyzer(), texts)):
        return np.zeros(len(first_texts))
    vectorizer.fit(texts)
    first_NV, second_NV = vectorizer.transform(first_texts), vectorizer.transform(second_texts)
    return np.asarray(first_NV.multiply(second_NV).sum(axis=1), dtype=np.float64).reshape(-1)
