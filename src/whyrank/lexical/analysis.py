"""How the lexical baselines read a corpus: its language, and what stop words, stems and compounds follow from it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import pairwise

import numpy as np

from whyrank.core.options.evaluate import AUTO
from whyrank.lexical.words import content_terms, is_paired, split, without_stop_words

# Texts of a kind that are looked at, spread evenly over them, and the first characters of each.
TEXTS, CHARACTERS = 500, 500
# Letters of a group. McNamee and Mayfield 2004 (Information Retrieval 7): groups of 4 find as much as stems in European
# languages, and most above words in those with compounds.
GROUP = 4
# What the classifier answers for a text that is in none, such as code.
NO_LANGUAGE = "zxx"


@dataclass(frozen=True)
class Analyser:
    """language   ISO 639 code of most texts of the corpus; "" where none was recognised
    share      of the texts that were looked at, 0 to 1; queries and answers weigh the same
    answers, queries   the most frequent language of each kind
    stemmer    Snowball's, by name or ISO 639 code, for BM25; "" for words as they stand
    """

    language: str = "en"
    share: float = 1.0
    answers: str = "en"
    queries: str = "en"
    stemmer: str = ""

    @property
    def is_grouped(self) -> bool:
        """Long words count by their groups of letters too: not in English, where it adds nothing."""
        return self.language not in ("en", "")

    def tfidf_terms(self, text: str) -> list[str]:
        """Words and word pairs, without stop words in English; groups of letters in other languages."""
        kept, groups = self.tfidf_words_of(split(text))
        return kept + [f"{one} {other}" for one, other in pairwise(kept)] + groups

    def tfidf_words_of(self, found: list[str]) -> tuple[list[str], list[str]]:
        """Of a text that was split: the words, of which neighbours are pairs too, and the groups of letters."""
        kept = without_stop_words(found) if self.language == "en" else found
        return kept, self._groups(kept)

    def bm25_terms(self, text: str) -> list[str]:
        """Stems, without Lucene's stop words in English; groups of letters of the words in other languages."""
        return self.bm25_terms_of(split(text))

    def bm25_terms_of(self, found: list[str]) -> list[str]:
        """The same of a text that was split."""
        kept = [term for term in found if term not in self._lucene_stop_words] if self.language == "en" else found
        return self._stems(kept) + self._groups(kept)

    def content(self, text: str) -> list[str]:
        """What two texts may share: words without stop words in English; else stems, and groups of letters."""
        return content_terms(text) if self.language == "en" else self.bm25_terms(text)

    def _groups(self, words: Sequence[str]) -> list[str]:
        if not self.is_grouped:
            return []
        long = [word for word in words if len(word) > GROUP and not is_paired(word)]
        return [word[i : i + GROUP] for word in long for i in range(len(word) - GROUP + 1)]

    def _stems(self, words: list[str]) -> list[str]:
        return list(map(self._stem, words)) if self.stemmer else words

    @cached_property
    def _stem(self) -> Callable[[str], str]:
        """Snowball's, asked once for each word of a corpus."""
        from Stemmer import Stemmer

        return cache(Stemmer(self.stemmer, 0).stemWord)

    @cached_property
    def _lucene_stop_words(self) -> frozenset[str]:
        from bm25s.stopwords import STOPWORDS_EN

        return frozenset(STOPWORDS_EN)


def analyser(query_texts: Sequence[str], answer_texts: Sequence[str], *, stemmer: str = AUTO) -> Analyser:
    """Recognise the language of a corpus.

    stemmer   `AUTO`: that of the language, none where Snowball has none for it; else kept
    """
    by_kind = {"queries": language_shares(query_texts), "answers": language_shares(answer_texts)}
    total = Counter[str]()
    for shares in by_kind.values():
        total.update({language: share / len(by_kind) for language, share in shares.items()})
    language, share = _first(total)
    most = {kind: _first(shares)[0] for kind, shares in by_kind.items()}
    return Analyser(language, share, **most, stemmer=snowball_of(language) if stemmer == AUTO else stemmer)


def language_shares(texts: Sequence[str]) -> Counter[str]:
    """Share of the texts by ISO 639 code, the most frequent first; those without letters count for none."""
    places = np.unique(np.linspace(0, len(texts) - 1, min(TEXTS, len(texts))).round().astype(int))
    looked_at = [texts[i][:CHARACTERS] for i in places]
    found = Counter(classified(text) for text in looked_at if any(map(str.isalpha, text)))
    return Counter({code: n / len(places) for code, n in found.most_common() if code != NO_LANGUAGE})


@lru_cache(maxsize=8 * TEXTS)
def classified(text: str) -> str:
    """ISO 639 code of the first `CHARACTERS` of a text, or `NO_LANGUAGE`; each asked for by several figures."""
    import py3langid  # loads a model of 4 MB, which takes a second

    return str(py3langid.classify(text)[0])


def snowball_of(language: str) -> str:
    """The language itself where Snowball has a stemmer for it, else ""."""
    from Stemmer import Stemmer

    try:
        Stemmer(language)
    except KeyError:
        return ""
    return language


def _first(shares: Counter[str]) -> tuple[str, float]:
    return next(iter(shares.most_common(1)), ("", 0.0))
