"""Every selection keeps to its budget, keeps the order of the document, and counts tokens in batches."""

import random
import re
import unicodedata
from collections.abc import Callable

import pytest

from whyrank.data.files.text import cut
from whyrank.data.ranking.selection import SELECTIONS, Document, Rules, Selection, fit_idf, sentences

Count = Callable[[list[str]], list[int]]


def letters(texts: list[str]) -> list[int]:
    """A tokenizer of another kind: each character that is no white space is a token."""
    return [len(re.sub(r"\s", "", text)) for text in texts]


def pairs_of_words(texts: list[str]) -> list[int]:
    """A tokenizer that is not additive: two adjoining words cost one token more than they do apart."""
    return [max(0, 2 * len(text.split()) - 1) for text in texts]


def select(name: str, documents: list[Document], budget: int, count: Count, **options: float) -> list[str]:
    idf = fit_idf([document.whole for document in documents])
    return SELECTIONS[name](documents, budget, Rules(count, idf, **({"head_share": 0.25} | options)))


def random_documents(seed: int) -> list[Document]:
    draw = random.Random(seed)
    documents = []
    for number in range(30):
        texts = []
        for section in range(draw.randrange(1, 6)):
            lengths = [draw.randrange(1, 30) for _ in range(draw.randrange(1, 8))]
            words = [[f"w{draw.randrange(400)}" for _ in range(n)] for n in lengths]
            texts.append((f"Part {section}", " ".join(" ".join(["So", *w]) + "." for w in words)))
        sections = tuple(texts) if number % 2 else ()
        documents.append(Document(f"Title {number}" * (number % 3), " ".join(text for _, text in texts), sections))
    long_word = Document("", "x" * 3000)
    no_spaces = Document("", "密碼重設" * 100)
    no_full_stop = Document("Long title", "word " * 500)
    return [*documents, long_word, no_spaces, no_full_stop, Document("T " * 300, "body")]


@pytest.mark.parametrize("name", SELECTIONS)
@pytest.mark.parametrize("tokenizer", ["white space", "letters", "pairs"])
@pytest.mark.parametrize("budget", [16, 40, 128])
def test_no_selection_exceeds_the_budget_or_is_empty(
    name: str, tokenizer: str, budget: int, count_tokens: Count
) -> None:
    count = {"white space": count_tokens, "letters": letters, "pairs": pairs_of_words}[tokenizer]
    documents = random_documents(0)
    selected = select(name, documents, budget, count)
    assert max(count(selected)) <= budget
    assert all(selected)
    for document, text, n in zip(documents, selected, count([d.whole for d in documents]), strict=True):
        if n <= budget:
            assert text == document.whole


@pytest.mark.parametrize(
    ("language", "text", "found"),
    [
        ("zh", "退款七天内到账。还有问题吗？请拍照！", ["退款七天内到账。", "还有问题吗？", "请拍照！"]),
        ("ja", "返金は七日以内です。届きましたか？はい！", ["返金は七日以内です。", "届きましたか？", "はい！"]),
        ("hi", "पैसा वापस आता है। क्या मिला? ठीक है।", ["पैसा वापस आता है।", "क्या मिला?", "ठीक है।"]),
        ("ar", "هل وصلت الشحنة؟ نعم، وصلت. شكرا!", ["هل وصلت الشحنة؟", "نعم، وصلت.", "شكرا!"]),
        ("ko", "환불은 칠일 안에 됩니다. 질문 있나요?", ["환불은 칠일 안에 됩니다.", "질문 있나요?"]),
        ("th", "ลืมรหัสผ่านให้กดปุ่ม แล้วตั้งรหัสใหม่", ["ลืมรหัสผ่านให้กดปุ่ม", "แล้วตั้งรหัสใหม่"]),
        ("de", "Am 3. Mai kam z. B. ein Paket. Danke!", ["Am 3. Mai kam z. B. ein Paket.", "Danke!"]),
    ],
)
def test_sentences_end_as_they_do_in_the_language(language: str, text: str, found: list[str]) -> None:
    assert sentences(text, language) == found


@pytest.mark.parametrize(
    ("language", "key", "others"),
    [
        ("zh", "验证码在短信里。", ["请稍等一下。", "请再稍等一下。", "谢谢您请稍等。"]),
        ("hi", "कूपन भुगतान पन्ने पर लिखें।", ["आप कृपया रुकें।", "आप कृपया फिर रुकें।", "धन्यवाद कृपया रुकें।"]),
        ("th", "รหัสส่วนลดหมดอายุ", ["กรุณารอสักครู่", "กรุณารอสักครู่นะ", "ขอบคุณรอสักครู่"]),
    ],
)
def test_the_sentence_with_the_rare_words_is_kept_in_any_script(language: str, key: str, others: list[str]) -> None:
    document = Document("", " ".join([*others[:2], key, others[2]]))
    common = [Document("", text) for text in others * 5]
    selected = select("tfidf", [document, *common], len(key) + 2, letters, language=language)
    assert key in selected[0]
    assert all(text not in selected[0] for text in others)


@pytest.mark.parametrize("text", ["ลืมรหัสผ่านให้กดปุ่มที่นี่" * 9, "हिन्दीमेंलिखें" * 9, "کتاب‌ها " * 30, "忘记密码" * 30])
def test_a_cut_stands_between_characters_not_within_one(text: str, count_tokens: Count) -> None:
    kept = select("head", [Document("", text)], 40, letters)[0]
    rest = text[len(kept) :].lstrip()
    assert text.startswith(kept) and len(kept) > 20
    assert not unicodedata.category(rest[0]).startswith("M")


def test_head_and_tail_by_hand(count_tokens: Count) -> None:
    document = Document("Title", "1 2 3 4  5\n6 7 8 9 10 11")
    assert select("head", [document], 4, count_tokens) == ["Title 1 2 3"]
    # A quarter of 8 from the start: 2, and 6 from the end.
    assert select("head_tail", [document], 8, count_tokens) == ["Title 1 6 7 8 9 10 11"]
    assert select("head_tail", [document], 8, count_tokens, head_share=0.5) == ["Title 1 2 3 8 9 10 11"]
    assert select("head_tail", [document], 12, count_tokens) == [document.whole]
    assert select("tail", [document], 4, count_tokens) == ["8 9 10 11"]


def test_a_very_long_word_is_cut_rather_than_lost() -> None:
    # 2 for "ab", then a piece of 16 characters; the next 16 would exceed 20.
    assert cut(["ab " + "x" * 40], 20, 0, count_tokens=letters) == ["ab " + "x" * 16]


def test_where_nothing_fits_a_word_is_cut_and_not_lost() -> None:
    assert cut(["abcdefgh"], 3, 0, count_tokens=letters) == ["ab"]
    assert cut(["abcdefgh ij"], 0, 1, count_tokens=letters) == ["i"]


COMMON = "the user asks the desk for help."
RARE = "Quasar nebula pulsar magnetar."


def corpus_around(document: Document) -> list[Document]:
    """Other texts that make every word of COMMON common."""
    return [document, *(Document("", f"{COMMON} filler{i}") for i in range(20))]


def test_tfidf_keeps_title_and_rarest_sentences_in_document_order(count_tokens: Count) -> None:
    text = f"Zeta omega kappa. {COMMON} {RARE} {COMMON}"
    # Title 1 + 4 + 3 tokens fill a budget of 8; the common sentences have 7 words each.
    selected = select("tfidf", corpus_around(Document("Heading", text)), 8, count_tokens)[0]
    assert selected == f"Heading Zeta omega kappa. {RARE}"


def test_tfidf_passes_over_a_sentence_that_does_not_fit_for_the_next_best(count_tokens: Count) -> None:
    long_rare = " ".join(f"rare{i}" for i in range(12)) + "."
    selected = select("tfidf", corpus_around(Document("", f"{long_rare} {COMMON} {RARE}")), 11, count_tokens)[0]
    assert selected == f"{COMMON} {RARE}"


def test_tfidf_cuts_a_single_sentence_that_is_longer_than_the_budget(count_tokens: Count) -> None:
    selected = select("tfidf", [Document("Title", "one two three four five six")], 4, count_tokens)
    assert selected == ["Title one two three"]


def test_sections_share_the_budget_and_plain_text_is_as_in_tfidf(count_tokens: Count) -> None:
    rare = [" ".join(f"r{n}{i}" for i in range(4)) + "." for n in "abc"]
    text = f"{rare[0]} {rare[1]} {rare[2]} {COMMON} {COMMON}"
    first, second = ("One", " ".join(rare)), ("Two", f"{COMMON} {COMMON}")
    with_sections = Document("T", text, (first, second))
    # 15 after the title: 8 or 7 for "One" + one rare sentence, the rest buys "Two" and, from what is left, a rare one.
    documents = corpus_around(with_sections)
    assert "Two" in select("tfidf_sections", documents, 16, count_tokens)[0]
    assert "Two" not in select("tfidf", documents, 16, count_tokens)[0]
    plain = corpus_around(Document("T", text))
    assert select("tfidf_sections", plain, 16, count_tokens) == select("tfidf", plain, 16, count_tokens)


@pytest.mark.parametrize("name", ["tfidf", "tfidf_sections"])
def test_chosen_sentences_stand_in_document_order(name: str, count_tokens: Count) -> None:
    documents = [document for document in random_documents(1) if document.text.count(".") > 3]
    for document, text in zip(documents, select(name, documents, 60, count_tokens), strict=True):
        places = [document.text.find(sentence) for sentence in sentences(text.removeprefix(document.title).strip())]
        found = [place for place in places if place >= 0]
        assert len(found) > 0
        assert found == sorted(found)


def test_sentences_keep_abbreviations_and_numbers_and_end_at_line_breaks() -> None:
    assert sentences("Send 3.5 ETH to Dr. Smith now. Is it safe?\n\nSteps\n 1 wait") == [
        "Send 3.5 ETH to Dr. Smith now.",
        "Is it safe?",
        "Steps",
        "1 wait",
    ]


@pytest.mark.parametrize("select_with", SELECTIONS.values())
def test_tokens_are_counted_in_a_few_batches_not_once_per_sentence(select_with: Selection) -> None:
    calls = []

    def count(texts: list[str]) -> list[int]:
        calls.append(len(texts))
        return [len(text.split()) for text in texts]

    documents = random_documents(2)
    select_with(documents, 50, Rules(count, fit_idf([d.whole for d in documents]), head_share=0.25))
    assert len(calls) <= 6
