"""The words of a text in any script: one definition for duplicates, overlap, selection and the lexical baselines.

Letters, marks and scripts are those of the Unicode database, as the package `regex` knows them. Two views of a text:

words   runs of letters, marks and digits; where words are written together (Chinese, Japanese, Thai, …) each character
terms   the same, with pairs of neighbouring characters where words are written together, and in Korean words, which
        end in particles: what a search engine indexes for these languages (Lucene's CJKAnalyzer)
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

import regex

# Scripts that leave no space between words: those of East Asia, and those whose lines break by words that only a
# dictionary knows (class SA of Unicode's annex 14: Thai, Lao, Khmer, Burmese, …).
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Yi}\u30FC\p{Line_Break=Complex_Context}"
PAIRED = rf"{UNSPACED}\p{{Hangul}}"

# Characters of a word where words are written together: so many in a row that two texts share by chance are as rare in
# Japanese, Chinese, Thai and Khmer as words of their English originals.
CHARACTERS = 3

_ASCII_WORD = re.compile(r"\w+", re.ASCII)
# A mark begins no word: NFKC makes one, behind a space, of the degree sign of some keyboards.
_WORD = regex.compile(rf"(?=[{UNSPACED}])\X|[\w--[{UNSPACED}\p{{M}}]][\w--[{UNSPACED}]]*", regex.V1)
_TERM = regex.compile(rf"[{PAIRED}][{PAIRED}\p{{M}}]*|[\w--[{PAIRED}\p{{M}}]][\w--[{PAIRED}]]*", regex.V1)
_PAIRED = regex.compile(f"[{PAIRED}]")
_UNSPACED = regex.compile(f"[{UNSPACED}]")
_CHARACTER = regex.compile(r"\X")
_MARK = regex.compile(r"[\p{M}\u1100-\u11FF]")
_WRITTEN = regex.compile(rf"(?=[{UNSPACED}])\X|[^\s{UNSPACED}]+")
_ASCII_PIECE = re.compile(r"\s*\S{1,16}")
_PIECE = regex.compile(rf"\s*(?:(?=[{UNSPACED}])\X|(?:(?![{UNSPACED}\s])\X){{1,16}})")
# Written between letters and no part of them: joiners, soft hyphens, variation selectors, byte order marks.
_IGNORED = regex.compile(r"\p{Default_Ignorable_Code_Point}+")
# Vowel marks of Arabic and Hebrew, which most writers leave out; hamza and madda on a letter; the stretching line.
_POINTED = re.compile("[\u0590-\u08ff]")
_POINTS = regex.compile(r"[[\p{M}&&[\u0590-\u08FF]]\u0640]+", regex.V1)
# Hindi is written with or without nukta, a nasal by one of two signs or half a letter (Lucene's Hindi normalisation).
_NAGARI = re.compile("[\u0900-\u097f]")
_HALF_NA, _ANUSVARA = "\u0928\u094d", "\u0902"
_DEVANAGARI = str.maketrans({"\u093c": None, "\u0901": _ANUSVARA})
_PAUSE = regex.compile(r"(?<=[\p{Thai}\p{Lao}])\s+(?=[\p{Thai}\p{Lao}])")


def folded(text: str) -> str:
    """One spelling of what readers take for the same: NFKC, case folded, without ignorable characters.

    Of Arabic and Hebrew without points and stretching, of Devanagari without nukta and with one sign for nasals.
    """
    text = _IGNORED.sub("", unicodedata.normalize("NFKC", text).casefold())
    # The Turkish capital of i, whose dot folding leaves behind; a Russian letter that few write with its dots.
    text = text.replace("i\u0307", "i").replace("\u0451", "\u0435")
    if _POINTED.search(text):
        text = unicodedata.normalize("NFC", _POINTS.sub("", unicodedata.normalize("NFD", text)))
    return text.translate(_DEVANAGARI).replace(_HALF_NA, _ANUSVARA) if _NAGARI.search(text) else text


def words(text: str) -> list[str]:
    """Runs of letters, marks and digits in order, folded; characters one by one where words are written together."""
    return _ASCII_WORD.findall(text.lower()) if text.isascii() else _WORD.findall(folded(text))


def terms(text: str, *, least: int = 1) -> list[str]:
    """`words`, with each pair of neighbouring characters in place of the characters, and in place of Korean words.

    least   letters of a word, to which only a character without neighbours is an exception: it stands by itself
    """
    if text.isascii():
        return [word for word in _ASCII_WORD.findall(text.lower()) if len(word) >= least]
    found: list[str] = []
    text = folded(text)
    has_marks = _MARK.search(text) is not None
    for run in _TERM.findall(text):
        if _PAIRED.match(run):
            characters = _CHARACTER.findall(run) if has_marks else run
            found += [a + b for a, b in pairwise(characters)] or characters
        elif len(run) >= least:
            found.append(run)
    return found


def split(text: str) -> list[str]:
    """`terms` without single letters and digits: what every lexical ranker begins with."""
    return terms(text, least=2)


def split_of(text: str, found: list[str]) -> list[str]:
    """The same of a text whose `words` are known: they are its terms but where characters are read in pairs."""
    if text.isascii() or not (_PAIRED.search(text) or _PAIRED.search(" ".join(found))):
        return [word for word in found if len(word) >= 2]
    return split(text)


def content_terms(text: str) -> list[str]:
    """`split` without scikit-learn's English stop words."""
    return without_stop_words(split(text))


def without_stop_words(found: list[str]) -> list[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS  # takes a second

    return [term for term in found if term not in ENGLISH_STOP_WORDS]


def is_paired(term: str) -> bool:
    """Whether a term is of a script whose words are read as pairs of characters."""
    return not term.isascii() and _PAIRED.match(term) is not None


def is_character(word: str) -> bool:
    """Whether one of the `words` of a text is a character of a script that leaves no space between words."""
    return not word.isascii() and _UNSPACED.match(word) is not None


def words_worth(found: Iterable[str]) -> float:
    """How many words the `words` of a text are; of characters of scripts without spaces `CHARACTERS` make one."""
    return sum(1 / CHARACTERS if is_character(word) else 1.0 for word in found)


def written(text: str) -> list[str]:
    """Words as they are written, punctuation and all: what stands between white space, else each character."""
    return text.split() if text.isascii() else _WRITTEN.findall(text)


def pieces(text: str) -> list[str]:
    """`written` with the white space before each; a very long one (a URL, a hash) in pieces of 16 characters."""
    return (_ASCII_PIECE if text.isascii() else _PIECE).findall(text)


def first_half(word: str) -> str:
    """The first half of the characters, or of a single one's code points."""
    parts = word if len(characters := _CHARACTER.findall(word)) == 1 else characters
    return "".join(parts[: len(parts) // 2])


def pauses(text: str) -> list[str]:
    """Thai and Lao text cut at its spaces, which stand where other languages end a sentence or a clause; else whole."""
    return _PAUSE.split(text)
