"""Duplicates by hand, and the fast search against a plain comparison of all pairs."""

import itertools
import random
import time

import numpy as np
import pandas as pd
import pytest

from whyrank.core.spaced import Ragged, coded
from whyrank.data.ranking.duplicates import conflict_table, find_duplicates, leak_table
from whyrank.lexical.words import words


def listed(texts: list[str], threshold: float = 0.8) -> list[tuple[int, int, str, float]]:
    pairs = find_duplicates(texts, threshold=threshold).pairs
    return [(a, b, kind, round(share, 6)) for a, b, kind, share in pairs.itertuples(index=False)]


def test_words_are_folded_and_unspaced_scripts_give_one_word_a_character() -> None:
    assert words("Don't  STOP: \uff57\uff49de Straße!") == ["don", "t", "stop", "wide", "strasse"]
    assert words("請問 BTC") == ["請", "問", "btc"]


@pytest.mark.parametrize(
    ("quoted", "is_enough"),
    [("パスワードを忘れた", False), ("パスワードを忘れたときの再設定の手順を教えてください", True)],
)
def test_a_text_inside_another_has_eight_words_also_where_three_characters_are_one(
    quoted: str, is_enough: bool
) -> None:
    whole = f"顧客：昨日から困っています。{quoted}。急いでいるので、今日中にお返事をいただけると助かります。"
    assert [kind for *_, kind, _ in listed([whole, quoted])] == ["contained"] * is_enough


def test_case_white_space_and_punctuation_do_not_tell_texts_apart() -> None:
    found = find_duplicates(["Reset my PIN?", "other", "reset  my pin", "“Reset my pin”!"])
    assert found.group.tolist() == [0, 1, 0, 0]
    assert found.same.tolist() == [0, 1, 0, 0]
    # Each later text is joined to the first.
    assert found.pairs.to_numpy().tolist() == [[0, 2, "exact", 1.0], [0, 3, "exact", 1.0]]


def test_texts_without_words_are_duplicates_only_when_written_alike() -> None:
    assert find_duplicates(["???", "!!!", " ???", ""]).group.tolist() == [0, 1, 0, 2]


def test_near_duplicates_by_hand() -> None:
    # a b c d e f g h i j has 8 3-grams; without j, 7, all shared: 7 / 8 = 0.875.
    assert listed(["a b c d e f g h i j", "a b c d e f g h i"]) == [(0, 1, "near", 0.875)]
    # Two words changed in the middle: 4 shared of 12.
    assert listed(["a b c d e f g h i j", "a b c d x y g h i j"]) == []
    assert listed(["a b c d e f g h i j", "a b c d x y g h i j"], 4 / 12) == [(0, 1, "near", round(4 / 12, 6))]
    # The last word changed: 7 shared of 9 (0.778) are too few, but 7 of the 8 of one text stand in the other.
    assert listed(["a b c d e f g h i j", "a b c d e f g h i x"]) == [(0, 1, "contained", 0.875)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("忘记登录密码时请点击找回密码按钮", "请问忘记登录密码时请点击找回密码按钮"),
        ("ลืมรหัสผ่านให้กดปุ่มลืมรหัสผ่านที่หน้าเข้าสู่ระบบ", "ลืมรหัสผ่านให้กดปุ่มลืมรหัสผ่านที่หน้าเข้าสู่ระบบครับ"),
        ("नया पासवर्ड बनाने के लिए ईमेल में आया लिंक खोलें और लिखें", "नया पासवर्ड बनाने के लिए ईमेल में आया लिंक खोलें और लिखें जी"),
        (
            "إذا نسيت كلمة المرور فاضغط على الرابط في صفحة الدخول",
            "إذا نَسِيت كلمة المرور فاضغط على الرابط في صفحة الدخول الآن",
        ),
    ],
)
def test_near_copies_are_seen_in_any_script(one: str, other: str) -> None:
    different = "今天天气 วันนี้ आज اليوم"
    (pair,) = listed([one, different, other])
    assert pair[:2] == (0, 2) and pair[2] in ("near", "contained") and pair[3] > 0.8


@pytest.mark.parametrize(
    ("one", "other"),
    [("की", "का"), ("ปู่", "ปี"), ("कल मिलें", "कल मिला"), ("ไม่ใช่", "ไม่ใช้")],
)
def test_a_vowel_sign_tells_texts_apart(one: str, other: str) -> None:
    assert find_duplicates([one, other]).group.tolist() == [0, 1]


def test_spellings_of_one_text_are_exact_duplicates() -> None:
    texts = ["كلمة المرور", "كَلِمَة المُرور!", "كـلـمة المرور"], ["फ़ोटो भेजें", "फोटो भेजें।"], ["ﾊﾟｽﾜｰﾄﾞ", "パスワード。"]
    assert all(set(find_duplicates(alike).group) == {0} for alike in texts)


def test_a_conversation_that_quotes_its_question_contains_it() -> None:
    question = "can I claim this when my partner works abroad"  # 9 words, 7 3-grams
    told = "hello there, we moved last year and have two children now. " + question + "? thank you very much indeed"
    assert listed([told, question]) == [(0, 1, "contained", 1.0)]
    assert listed([told, "can I claim this now"]) == []
    # Three 3-grams are too few to recognise a text by, though all three are quoted.
    assert listed([told, "can I claim this when"]) == []


def test_a_chain_of_pairs_is_one_group() -> None:
    chain = ["a b c d e f g h i j k l", "b c d e f g h i j k l m", "c d e f g h i j k l m n", "something else"]
    # Each has 10 3-grams; neighbours share 9 of 11 (0.818), the ends 8 of 12 (0.667) and 8 of 10.
    assert listed(chain, 0.81) == [(0, 1, "near", 0.818182), (1, 2, "near", 0.818182)]
    assert find_duplicates(chain, threshold=0.81).group.tolist() == [0, 0, 0, 1]


def shares(left: str, right: str) -> tuple[float, float, int] | None:
    sets = [set(zip(w, w[1:], w[2:], strict=False)) for w in (words(left), words(right))]
    small, large = sorted(sets, key=len)
    return (len(small & large) / len(small | large), len(small & large) / len(small), len(small)) if small else None


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 1.0])
def test_the_search_finds_exactly_the_pairs_of_a_full_comparison(threshold: float) -> None:
    draw = random.Random(3)
    texts = []
    for _ in range(60):
        text = [draw.choice("abcdef") for _ in range(draw.randrange(1, 25))]
        edited = [word if draw.random() > 0.1 else draw.choice("abcdef") for word in text]
        texts += [" ".join(text), " ".join(edited), " ".join(text[: draw.randrange(1, 25)])]
    texts = list(dict.fromkeys(texts))
    expected = []
    for (i, left), (j, right) in itertools.combinations(enumerate(texts), 2):
        found = shares(left, right)
        if found and found[0] >= threshold - 1e-9:
            expected.append((i, j, "near", round(found[0], 6)))
        elif found and found[1] >= threshold - 1e-9 and found[2] >= 6:
            expected.append((i, j, "contained", round(found[1], 6)))
    assert len(expected) > 10
    assert listed(texts, threshold) == expected


def test_five_thousand_queries_take_seconds_even_with_common_phrases() -> None:
    draw = random.Random(0)
    start = ["i", "would", "like", "to", "know", "whether"]
    texts = [" ".join(start + [str(draw.randrange(3000)) for _ in range(60)]) for _ in range(5000)]
    began = time.perf_counter()
    found = find_duplicates(texts)
    assert time.perf_counter() - began < 5
    assert found.pairs.empty


LONG = "how do I move my old pension to another provider"  # 10 words, 8 3-grams


def a_set(rows: list[tuple[str, str, str, str]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(query, split, answers, text)"""
    queries = pd.DataFrame([(q, split, text) for q, split, _, text in rows], columns=["query_id", "split", "text"])
    pairs = [(q, answer) for q, _, answers, _ in rows for answer in answers.split()]
    return queries, pd.DataFrame(pairs, columns=["query_id", "answer_id"])


def test_every_held_out_query_with_a_duplicate_in_an_earlier_split_is_listed() -> None:
    queries, relevant = a_set(
        [
            ("q0", "train", "a", "Lost card"),
            ("q1", "train", "b", "lost card!"),
            ("q9", "train", "a", "lost card"),
            ("q2", "test", "a", "LOST CARD"),
            ("q3", "test", "b", "lost card?"),
            ("q4", "dev", "c", LONG),
            ("q5", "train", "c", f"good morning all, {LONG} if I live abroad"),
            ("q6", "test", "d", "nothing like it"),
            ("q7", "train", "b", "stolen phone"),
            ("q8", "train", "b", "stolen phone"),
        ]
    )
    leaks = leak_table(queries, relevant, find_duplicates(queries["text"].tolist()))
    # One left query for each answer wanted: q9 is a copy of q0 in text and answer.
    assert leaks.to_numpy().tolist() == [
        ["q0", "train", "q2", "test", "exact", 1.0, True],
        ["q0", "train", "q3", "test", "exact", 1.0, False],
        ["q1", "train", "q2", "test", "exact", 1.0, False],
        ["q1", "train", "q3", "test", "exact", 1.0, True],
        ["q5", "train", "q4", "dev", "contained", 1.0, True],
    ]
    # q2 and q3 of q2, q3, q6.


def test_a_near_duplicate_of_a_repeated_text_is_found_through_any_copy() -> None:
    queries, relevant = a_set(
        [
            ("q0", "test", "a", LONG),
            ("q1", "train", "b", LONG),
            ("q2", "train", "a", LONG + " now"),
            ("q3", "dev", "a", LONG + " now"),
        ]
    )
    leaks = leak_table(queries, relevant, find_duplicates(queries["text"].tolist()))
    found = {(row.query_left, row.query_right): (row.kind, row.same_answer) for row in leaks.itertuples()}
    assert found == {
        ("q1", "q0"): ("exact", False),
        ("q2", "q0"): ("near", True),
        ("q3", "q0"): ("near", True),
        ("q1", "q3"): ("near", False),
        ("q2", "q3"): ("exact", True),
    }


def test_a_set_without_duplicates_has_empty_tables_with_their_columns() -> None:
    queries, relevant = a_set([("q0", "train", "a", "one"), ("q1", "test", "b", "two")])
    duplicates = find_duplicates(queries["text"].tolist())
    leaks = leak_table(queries, relevant, duplicates)
    assert (len(leaks), leaks.columns[0], leaks.columns[-1]) == (0, "query_left", "same_answer")
    assert conflict_table(queries, relevant, duplicates).empty


def test_equal_texts_with_disjoint_answers_are_conflicts() -> None:
    queries, relevant = a_set(
        [
            ("q0", "train", "a b", "Thanks"),
            ("q1", "train", "b", "thanks!"),
            ("q2", "test", "c", "THANKS"),
            ("q3", "test", "a", "thanks?"),
            ("q4", "test", "z", "no thanks"),
        ]
    )
    conflicts = conflict_table(queries, relevant, find_duplicates(queries["text"].tolist()))
    # q1 and q3 overlap with q0; q3 {a} contradicts q1 {b}; q2 {c} contradicts q0.
    assert conflicts.to_numpy().tolist() == [["q0", "train", "q2", "test"], ["q1", "train", "q3", "test"]]


def test_numbers_of_words_of_any_size_give_the_same_duplicates() -> None:
    drawn = random.Random(5)
    texts = [" ".join(drawn.choices("abcdefgh", k=12)) for _ in range(60)]
    texts += [f"{text} more" for text in texts[:20]]
    known, found = coded(texts, words)
    # Three such numbers have no code below 2**63 together.
    large = Ragged(found.value_V * np.int32(2**31 // len(known) - 1), found.start_N)
    one, other = find_duplicates(texts).pairs, find_duplicates(texts, large).pairs
    assert len(one) >= 20
    pd.testing.assert_frame_equal(one, other)
