"""The lexical floors against their formulas, computed by hand."""

import math

import numpy as np
import pytest

from whyrank.core.options.params import Evaluate
from whyrank.lexical import ranking as lexical
from whyrank.lexical.analysis import Analyser
from whyrank.scoring.ranking import score as rank

ANSWERS = ["red apple pie apple", "green apple tart", "blue sky"]


def test_tfidf_is_the_cosine_by_hand():
    # Answers: {cat}, {cat, dog, "cat dog"}. scikit-learn's idf = ln((1 + n) / (1 + df)) + 1 with n = 2:
    # cat in 2: ln(3/3) + 1 = 1; dog and "cat dog" in 1: g = ln(3/2) + 1.
    # Query "dog": only dog. With answer 0: 0. With answer 1: g / sqrt(1 + g^2 + g^2).
    g = math.log(3 / 2) + 1
    scores = lexical.tfidf(["cat", "cat dog"])(["dog", "cat"])
    norm = math.sqrt(1 + 2 * g * g)
    np.testing.assert_allclose(scores, [[0.0, g / norm], [1.0, 1 / norm]], rtol=1e-6)
    assert scores.dtype == np.float32


def test_tfidf_counts_repeats_sublinearly_by_hand():
    # "cat cat dog": cat counts 1 + ln 2, dog 1, "cat cat" and "cat dog" 1; one answer, so every idf is ln(2/2) + 1 = 1.
    # Query "cat": (1 + ln 2) / sqrt((1 + ln 2)^2 + 3).
    cat = 1 + math.log(2)
    assert lexical.tfidf(["cat cat dog"])(["cat"]).item() == pytest.approx(cat / math.sqrt(cat**2 + 3), rel=1e-6)


def test_tfidf_equals_the_pairwise_cosine_of_scikit_learn():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics.pairwise import cosine_similarity

    queries = ["apple tart", "the blue apple apple", "nothing known"]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, stop_words="english").fit(ANSWERS)
    theirs = cosine_similarity(vectorizer.transform(queries), vectorizer.transform(ANSWERS))
    np.testing.assert_allclose(lexical.tfidf(ANSWERS)(queries), theirs, atol=1e-6)


def lucene_bm25(query, answers, k1=1.5, b=0.75):
    """Sum over the words of the query of idf * tf / (tf + k1 (1 - b + b length / mean length)), Lucene's form,
    with idf = ln(1 + (N - df + 0.5) / (df + 0.5)); a word of the query counts as often as it stands there."""
    documents = [answer.split() for answer in answers]
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word in query.split():
            df = sum(word in other for other in documents)
            tf = document.count(word)
            idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
            score += idf * tf / (tf + k1 * (1 - b + b * len(document) / mean))
        scores.append(score)
    return scores


def test_bm25_by_hand():
    # Lengths 4, 3, 2: mean 3. "pie": df 1, idf ln(1 + 2.5/1.5) = ln(8/3); tf 1, length 4:
    # 1 / (1 + 1.5 (1/4 + 3/4 * 4/3)) = 1 / 2.875.
    scores = lexical.bm25(ANSWERS)(["pie"])
    np.testing.assert_allclose(scores, [[math.log(8 / 3) / 2.875, 0.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("query", ["apple", "apple pie", "blue apple", "sky sky tart", "green zebra"])
def test_bm25_equals_the_formula_of_lucene(query):
    scores = lexical.bm25(ANSWERS)([query])
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores[0], lucene_bm25(query, ANSWERS), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("baseline", [lexical.tfidf, lexical.bm25])
@pytest.mark.parametrize("query", ["", "   ", "the of and", "zebra", "!?"])
def test_a_query_without_a_known_word_leaves_all_answers_tied(baseline, query):
    assert baseline(ANSWERS)([query, "apple"])[0].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("baseline", [lexical.tfidf, lexical.bm25])
def test_a_query_scores_the_same_alone_and_among_others(baseline):
    queries = ["apple pie", "", "blue sky", "green apple tart"]
    together = baseline(ANSWERS)(queries)
    assert together.shape == (4, 3)
    for query, row in zip(queries, together, strict=True):
        assert np.array_equal(baseline(ANSWERS)([query])[0], row)
    assert together[[0, 2, 3]].argmax(1).tolist() == [0, 2, 1]


@pytest.mark.parametrize("baseline", [lexical.tfidf, lexical.bm25])
def test_the_scorer_reads_the_whole_texts_not_those_cut_to_the_budget(baseline, make_prepared):
    prepared = make_prepared(
        [("a0", "x y apple"), ("a1", "x y pear")],
        [("q0", "question", "test", "x y pear"), ("q1", "question", "test", "x y apple")],
        [("q0", "a1", 1.0), ("q1", "a0", 1.0)],
    )
    for table in (prepared.answers, prepared.queries):
        table["text"] = "x y"
    run = rank.rank(
        lexical.scorer(baseline, prepared),
        prepared,
        rank.queries_with_relevant(prepared, "test"),
        Evaluate([1], [3], [3], "", keep=2, pair_tokens=128),
    )
    assert run.queries["accuracy@1"].tolist() == [1.0, 1.0]


def test_a_stemmer_lets_bm25_see_one_word_in_its_forms_on_both_sides():
    answers = ["paying a refund", "payments and refunds", "blue sky"]
    plain, stemmed = (
        lexical.bm25(answers, Analyser(stemmer=language))(["payment refunded"])[0] for language in ("", "english")
    )
    assert plain.tolist() == [0.0, 0.0, 0.0]
    # Snowball's English stems: pay, refund | payment, refund. "refund" is in two answers, "payment" in one.
    np.testing.assert_allclose(
        stemmed, lucene_bm25("payment refund", ["pay refund", "payment refund", "blue sky"]), rtol=1e-5
    )


def test_the_scorer_of_bm25_takes_the_stemmer_and_that_of_tfidf_leaves_words_as_they_stand(make_prepared):
    prepared = make_prepared([("a", "refunds"), ("b", "sky")], [("q", "question", "test", "refund")], [("q", "a", 1)])
    assert lexical.scorer(lexical.bm25, prepared, Analyser(stemmer="english"))(np.array([0]))[0, 0] > 0
    assert lexical.scorer(lexical.tfidf, prepared)(np.array([0]))[0, 0] == 0


@pytest.mark.parametrize("analyser", [Analyser(), Analyser(language="de", stemmer="german")], ids=["en", "de"])
def test_tfidf_by_numbers_is_that_of_the_terms_as_strings(analyser):
    from sklearn.feature_extraction.text import TfidfVectorizer

    # "kont" is a word, and a group of letters of "konto"; "sky blue" is a pair that no answer has.
    answers = ["the konto and the kont", "a blue sky konto", "kont konto kont konto", "the"]
    queries = ["konto kont konto", "sky blue", "unknown words alone", ""]
    vectorizer = TfidfVectorizer(analyzer=analyser.tfidf_terms, sublinear_tf=True).fit(answers)
    expected = (vectorizer.transform(queries) @ vectorizer.transform(answers).T).toarray()
    np.testing.assert_allclose(lexical.tfidf(answers, analyser)(queries), expected, atol=1e-6)
