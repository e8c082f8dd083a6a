"""Words and terms in scripts whose words are written together, carry marks, or have several spellings."""

import pytest

from whyrank.lexical.words import content_terms, pauses, pieces, split, split_of, terms, words, written


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Don't  STOP: \uff57\uff49de Straße!", ["don", "t", "stop", "wide", "strasse"]),
        ("請問 BTC", ["請", "問", "btc"]),
        ("高さ\uff08ﾊﾟｿｺﾝ\uff09コーヒー", list("高さパソコンコーヒー")),
        # A vowel sign is no end of a word, and no character by itself.
        ("हिंदी में लिखें।", ["हिंदी", "में", "लिखें"]),
        ("ที่อยู่", ["ที่", "อ", "ยู่"]),
        ("비밀번호를 잊다", ["비밀번호를", "잊다"]),
        ("snake_case 2FA", ["snake_case", "2fa"]),
        ("???", []),
    ],
)
def test_words_of_any_script(text, found):
    assert words(text) == found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("الْعَرَبِيَّة كـتـاب", "العربية كتاب"),  # vowel marks and stretching
        ("أحمد إلى آخر", "احمد الى اخر"),  # hamza and madda
        ("שָׁלוֹם", "שלום"),
        ("फ़ोटो पहुँच", "फोटो पहुंच"),  # nukta; two signs of a nasal vowel
        ("क्\u200dष", "क्ष"),  # a joiner
        ("हिन्दी अन्त", "हिंदी अंत"),  # a nasal as half a letter
        ("pass\u00adword", "password"),  # a soft hyphen
        ("\uff21\uff22\uff23\uff11\uff12\uff13", "abc123"),
        ("葛\U000e0100飾", "葛飾"),  # a variant of a character
        ("İADE", "iade"),
        ("ещё Зачёт", "еще зачет"),
        ("ガ", "\u30ab\u3099"),  # composed and decomposed
    ],
)
def test_spellings_of_one_word_are_one(one, other):
    assert words(one) == words(other)
    assert terms(one) == terms(other)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("忘记密码。怎么办。", ["忘记", "记密", "密码", "怎么", "么办"]),
        ("水 1 a", ["水"]),  # a character without neighbours stands by itself, a letter not
        ("重置2FA密码", ["重置", "2fa", "密码"]),
        ("忘れた", ["忘れ", "れた"]),
        ("비밀번호를 꼭", ["비밀", "밀번", "번호", "호를", "꼭"]),
        ("ที่อยู่", ["ที่อ", "อยู่"]),
        ("Pay the bill", ["pay", "the", "bill"]),
    ],
)
def test_terms_pair_the_characters_where_words_are_written_together(text, found):
    assert terms(text, least=2) == found


@pytest.mark.parametrize(
    "text",
    [
        "I lost a card, 2 times",
        "Größe I und É",
        "重置密码 now a",
        "비밀번호 재설정",
        "㍿ 5",
        "ｱｲｳ a",
        "हिन्दी में",
        "ลืมรหัส ok",
        "",
    ],
)
def test_the_words_of_a_text_are_its_split_in_any_script(text):
    assert split_of(text, words(text)) == split(text)


def test_content_terms_leave_out_stop_words_and_single_letters():
    assert content_terms("How do I reset the 請 a 2FA key?") == ["reset", "請", "2fa", "key"]


@pytest.mark.parametrize("text", ["忘记 密码 now", "ที่อยู่ จัดส่ง", "हिन्दी में लिखें, " + "ऋ" * 40, "  plain text " + "x" * 40])
def test_pieces_are_the_whole_text_and_break_no_character(text):
    assert "".join(pieces(text)) == text.rstrip()
    assert all(len(piece.strip()) <= 32 for piece in pieces(text))
    assert not any(piece[0] in "ีู่้ंिाे" for piece in pieces(text))


def test_words_as_they_are_written_keep_capitals_and_punctuation():
    assert written("Now, I-don't!") == ["Now,", "I-don't!"]
    assert written("用 Café!  密码") == ["用", "Café!", "密", "码"]


def test_a_space_ends_a_sentence_in_thai_alone():
    assert pauses("ลืมรหัส แล้วตั้งใหม่ ok go") == ["ลืมรหัส", "แล้วตั้งใหม่ ok go"]
    assert pauses("one two") == ["one two"]
    assert pauses("환불은 칠일") == ["환불은 칠일"]
