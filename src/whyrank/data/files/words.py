"""The words of a text, in any script; one definition for duplicates, TF-IDF and overlap."""

import re
import unicodedata

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

# Scripts written without spaces: each character is taken for a word, as BERT's tokenizer does.
UNSPACED = "\u2e80-\u2fdf\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")


def words(text: str) -> list[str]:
    """Runs of letters and digits, NFKC and case folded, in order; punctuation and white space are gone."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def content_words(text: str) -> list[str]:
    """`words` without scikit-learn's English stop words and without single Latin letters and digits."""
    return [word for word in words(text) if word not in ENGLISH_STOP_WORDS and (len(word) > 1 or word > "\u2e80")]


def exact_key(text: str, parts: list[str]) -> str:
    """Equal for texts that differ in case, white space and punctuation alone; `parts` are the text's `words`."""
    # A text without any word ("???") is compared as it is written.
    return " ".join(parts) if parts else f"\n{text.strip()}"
