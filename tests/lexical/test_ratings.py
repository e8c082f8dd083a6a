"""TF-IDF of each field: the products against scikit-learn's own vectors, fitted on the training rows alone."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from whyrank.lexical import ratings as rating_words

WORDS = ["permit", "garden", "fence", "pension", "visa", "travel", "tax", "refund", "school", "term"]
TRAIN = np.arange(40) % 4 != 0
ALL = np.arange(len(TRAIN))


def texts(seed):
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, random.integers(1, 9))) for _ in range(40)]


def reference(fields):
    """The mean of the products of scikit-learn's vectors."""
    parts = []
    for field in fields:
        for options in rating_words.ANALYSERS:
            vectorizer = TfidfVectorizer(min_df=rating_words.FEWEST_ROWS, sublinear_tf=True, **options)
            vectorizer.fit([text for text, is_kept in zip(field, TRAIN, strict=True) if is_kept])
            vector_NV = vectorizer.transform(field)
            parts.append((vector_NV @ vector_NV.T).toarray())
    return np.mean(parts, axis=0)


@pytest.mark.parametrize("dense", [0.0, 0.2, 1.0])
def test_the_products_are_those_of_scikit_learn_fitted_on_the_training_rows(monkeypatch, dense):
    monkeypatch.setattr(rating_words, "DENSE", dense)
    monkeypatch.setattr(rating_words, "BLOCK", 7)
    fields = [texts(0), texts(1)]
    found = rating_words.kernel(fields)(TRAIN, ALL)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference(fields), rtol=0, atol=1e-6)


def test_products_of_some_rows_are_those_of_all_rows_cut_out():
    whole, some = rating_words.kernel([texts(0)]), np.array([3, 4, 20, 39])
    np.testing.assert_allclose(whole(TRAIN, some), whole(TRAIN, ALL)[np.ix_(some, some)], rtol=0, atol=1e-6)


def test_what_only_other_rows_say_changes_nothing_among_the_training_rows():
    one = texts(0)
    two = [text if is_kept else f"{text} permit pension" for text, is_kept in zip(one, TRAIN, strict=True)]
    before, after = (rating_words.kernel([part])(TRAIN, ALL) for part in (one, two))
    np.testing.assert_allclose(before[np.ix_(TRAIN, TRAIN)], after[np.ix_(TRAIN, TRAIN)], atol=1e-6)
    assert not np.allclose(before, after, atol=1e-3)


def test_only_the_most_frequent_terms_of_the_training_rows_are_kept(monkeypatch):
    monkeypatch.setattr(rating_words, "MOST_TERMS", 2)
    field = ["fence fence visa"] * 5 + ["fence tax visa"] * 5 + ["tax tax tax tax"] * 5
    words, _ = rating_words.counts(field)
    train_N = np.arange(15) < 10
    vector_NV = rating_words.weighted(words, train_N).toarray()
    assert vector_NV.shape == (15, 2)
    assert (vector_NV[10:] == 0).all() and (vector_NV[:10] > 0).all()


def test_a_field_that_is_not_there_or_says_nothing_twice_has_no_part():
    field = texts(0)
    expected = rating_words.kernel([field])(TRAIN, ALL)
    unique = [f"word{number}" * 3 for number in range(40)]
    assert [part.shape[1] for part in rating_words.counts([""] * 40)] == [0, 0]
    np.testing.assert_array_equal(rating_words.kernel([[""] * 40, field])(TRAIN, ALL), expected)
    assert rating_words.counts(unique)[0].shape[1] == 0
    assert (rating_words.kernel([[""] * 40])(TRAIN, ALL) == 0).all()


def test_terms_that_no_training_row_holds_leave_no_part_behind():
    field = ["" if is_kept else "permit garden" for is_kept in TRAIN]
    assert (rating_words.kernel([field])(TRAIN, ALL) == 0).all()


def test_words_that_are_written_together_are_pairs_of_characters():
    clauses = ["请问怎么重置密码", "我忘了重置密码在哪", "重置密码失败", "天气很好", "今天天气不错", "天气预报"]
    words, letters = rating_words.counts(clauses)
    # 重置 置密 密码 and their pairs 重置 置密, 置密 密码; 天气.
    assert words.shape[1] == 6 and letters.shape[1] > 0
    assert (words @ words.T).toarray()[0].astype(bool).tolist() == [True] * 3 + [False] * 3
