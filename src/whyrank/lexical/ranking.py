"""The lexical baselines. They read the whole texts: no token budget binds them.

Shapes: Q queries · A answers · N pairs of texts
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from whyrank.core.prepared import Prepared
from whyrank.lexical.analysis import Analyser
from whyrank.lexical.words import terms

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
    rank = tfidf_of_terms(list(map(analyser.tfidf_terms, answer_texts)))
    return lambda query_texts: rank(list(map(analyser.tfidf_terms, query_texts)))


def bm25(answer_texts: Sequence[str], analyser: Analyser = ENGLISH) -> Ranker:
    """BM25 of the analyser's terms as Lucene computes it, with k1 = 1.5 and b = 0.75. (Q, A) float32."""
    rank = bm25_of_terms(list(map(analyser.bm25_terms, answer_texts)))
    return lambda query_texts: rank(list(map(analyser.bm25_terms, query_texts)))


def tfidf_of_terms(terms_A: Terms) -> RankerOfTerms:
    """`tfidf` of texts that were read already."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # takes a second that only this baseline should pay

    if not any(terms_A):
        return partial(_all_tied, len(terms_A))
    # Sublinear counts keep a long conversation that repeats a word from drowning the rest.
    vectorizer = TfidfVectorizer(analyzer=list, sublinear_tf=True, dtype=np.float32)
    answer_AV = vectorizer.fit_transform(terms_A)
    return lambda terms_Q: (vectorizer.transform(terms_Q) @ answer_AV.T).toarray()


def bm25_of_terms(terms_A: Terms) -> RankerOfTerms:
    """`bm25` of texts that were read already."""
    import bm25s

    if not any(terms_A):
        return partial(_all_tied, len(terms_A))
    retriever = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    retriever.index(terms_A, show_progress=False)
    # An empty list of terms has no score of its own; none of its candidates is better than another.
    nothing_A = np.zeros(len(terms_A), dtype=np.float32)

    def rank(terms_Q: Terms) -> np.ndarray:
        score_QA = [retriever.get_scores(found) if found else nothing_A for found in terms_Q]
        return np.asarray(score_QA, dtype=np.float32).reshape(len(terms_Q), len(terms_A))

    return rank


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
