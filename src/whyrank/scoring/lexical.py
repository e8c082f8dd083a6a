"""The lexical floors. They read the whole texts: no token budget binds them.

Shapes: Q queries · A answers
"""

from collections.abc import Callable, Sequence

import bm25s
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from whyrank.core.prepared import Prepared
from whyrank.scoring.rank import Score


def tfidf(query_texts: Sequence[str], answer_texts: Sequence[str]) -> np.ndarray:
    """Cosine of TF-IDF vectors of words and word pairs, fitted on the answers. (Q, A) float32."""
    # Sublinear counts keep a long conversation that repeats a word from drowning the rest.
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, stop_words="english", dtype=np.float32)
    answer_AV = vectorizer.fit_transform(answer_texts)
    return (vectorizer.transform(query_texts) @ answer_AV.T).toarray()


def bm25(query_texts: Sequence[str], answer_texts: Sequence[str]) -> np.ndarray:
    """BM25 as Lucene computes it, with k1 = 1.5 and b = 0.75. (Q, A) float32."""
    retriever = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    retriever.index(bm25s.tokenize(list(answer_texts), stopwords="en", show_progress=False), show_progress=False)
    words_Q = bm25s.tokenize(list(query_texts), stopwords="en", return_ids=False, show_progress=False)
    # An empty list of words has no score of its own; none of its candidates is better than another.
    score_QA = [retriever.get_scores(words) if words else np.zeros(len(answer_texts)) for words in words_Q]
    return np.asarray(score_QA, dtype=np.float32).reshape(len(query_texts), len(answer_texts))


FLOORS: dict[str, Callable[[Sequence[str], Sequence[str]], np.ndarray]] = {"tfidf": tfidf, "bm25": bm25}


def scorer(floor: str, prepared: Prepared) -> Score:
    """Row numbers of queries -> their scores by the floor `floor`."""
    query_texts, answer_texts = prepared.queries["raw_text"], prepared.answers["raw_text"].tolist()
    return lambda query_Q: FLOORS[floor](query_texts.iloc[query_Q].tolist(), answer_texts)
