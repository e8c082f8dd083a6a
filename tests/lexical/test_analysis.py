"""The language of a corpus and what follows from it; help desks in eight languages."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from whyrank.core.options.params import Evaluate
from whyrank.lexical import ranking
from whyrank.lexical.analysis import Analyser, analyser, language_shares, snowball_of
from whyrank.scoring.ranking import score

BASELINES = {"tfidf": ranking.tfidf, "bm25": ranking.bm25}
DESKS = Path(__file__).parent / "help_desks"
# Language, and the accuracy@1 that a lexical baseline reaches at least; chance is 1 of 12 answers.
EXPECTED = {
    "chinese_clauses": ("zh", 1.0),
    "chinese": ("zh", 0.85),
    "japanese": ("ja", 1.0),
    "thai": ("th", 1.0),
    "korean": ("ko", 1.0),
    "hindi": ("hi", 1.0),
    "arabic": ("ar", 0.95),
    "german": ("de", 0.90),
}


def desk(name):
    """Answers, queries and the row of each query's answer."""
    rows = [line.split("\t") for line in (DESKS / f"{name}.tsv").read_text(encoding="utf-8").splitlines()]
    own = [i for i, (_, *queries) in enumerate(rows) for _ in queries]
    return [row[0] for row in rows], [query for _, *queries in rows for query in queries], np.array(own)


def accuracy(baseline, name, made_prepared, read_by):
    answers, queries, own = desk(name)
    prepared = made_prepared(
        [(f"a{i}", text) for i, text in enumerate(answers)],
        [(f"q{i}", "question", "test", text) for i, text in enumerate(queries)],
        [(f"q{i}", f"a{row}", 1.0) for i, row in enumerate(own)],
    )
    options = Evaluate([1], [3], [3], "auto", keep=2, pair_tokens=128)
    tested = score.queries_with_relevant(prepared, "test")
    run = score.rank(ranking.scorer(BASELINES[baseline], prepared, read_by), prepared, tested, options)
    return run.queries["accuracy@1"].mean()


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("name", EXPECTED)
def test_a_baseline_finds_the_answers_that_share_words_with_their_queries(baseline, name, make_prepared):
    language, least = EXPECTED[name]
    answers, queries, _ = desk(name)
    read_by = analyser(queries, answers)
    assert (read_by.language, read_by.answers, read_by.queries) == (language,) * 3
    assert read_by.share > 0.9
    assert accuracy(baseline, name, make_prepared, read_by) >= least


@pytest.mark.parametrize("baseline", BASELINES)
def test_groups_of_letters_see_the_words_inside_a_german_compound(baseline, make_prepared):
    whole = Analyser(language="en", stemmer="german")  # as English is read: no groups
    assert accuracy(baseline, "german", make_prepared, replace(whole, language="de")) >= 0.9
    assert accuracy(baseline, "german", make_prepared, whole) <= 0.4


def test_a_stemmer_and_groups_see_the_forms_of_an_arabic_word(make_prepared):
    read_by = Analyser(language="ar", stemmer="")
    plain = accuracy("bm25", "arabic", make_prepared, replace(read_by, language=""))
    stemmed = accuracy("bm25", "arabic", make_prepared, replace(read_by, language="", stemmer="arabic"))
    both = accuracy("bm25", "arabic", make_prepared, replace(read_by, stemmer="arabic"))
    assert plain + 0.1 < stemmed < both


def test_terms_by_hand():
    german = Analyser("de", stemmer="german")
    assert german.bm25_terms("Die Kontolöschung") == ["die", "kontolosch", *groups("kontolöschung")]
    assert german.tfidf_terms("Das Konto") == ["das", "konto", "das konto", "kont", "onto"]
    # English: without stop words, other ones for each baseline, and no groups.
    english = Analyser("en", stemmer="english")
    assert english.bm25_terms("How are the payments") == ["how", "payment"]
    assert english.tfidf_terms("How are the late payments") == ["late", "payments", "late payments"]


def groups(word):
    return [word[i : i + 4] for i in range(len(word) - 3)]


def test_the_stemmer_is_that_of_the_language_unless_one_is_named():
    texts = ["Wo finde ich meine Rechnung?", "Ich habe mein Kennwort vergessen."]
    assert analyser(texts, texts).stemmer == "de"
    assert analyser(texts, texts, stemmer="english") == Analyser("de", 1.0, "de", "de", "english")
    assert analyser(texts, texts, stemmer="").stemmer == ""
    assert snowball_of("ja") == "" and snowball_of("hi") == "hi"


def test_the_language_is_that_of_most_texts_and_those_without_letters_count_for_none():
    english, german = "Where is my parcel, please?", "Wo ist denn bitte mein Paket geblieben?"
    assert language_shares([english] * 3 + [german]) == {"en": 0.75, "de": 0.25}
    read_by = analyser([english] * 3 + [german], [german, "12", "!!"])
    # Queries: 3 of 4 English; answers: 1 of 3 German. Both kinds weigh the same.
    assert (read_by.language, read_by.share) == ("en", 0.375)
    assert (read_by.queries, read_by.answers) == ("en", "de")
    nothing = analyser(["12 34"], ["..."])
    assert (nothing.language, nothing.share, nothing.stemmer) == ("", 0.0, "")


@pytest.mark.parametrize("baseline", BASELINES)
def test_answers_without_any_word_leave_all_tied(baseline):
    assert BASELINES[baseline](["!", "?"])(["apple", ""]).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_pairs_of_texts_are_compared_in_any_script():
    first = ["忘记登录密码怎么办", "पासवर्ड भूल गया", "ลืมรหัสผ่าน"]
    second = ["登录密码忘记了", "मैं पासवर्ड भूल गई", "จำรหัสผ่านไม่ได้"]
    assert (ranking.tfidf_pairs(first, second) > 0.2).all()
    assert (ranking.tfidf_pairs(first, second[1:] + second[:1]) == 0).all()
