"""Which part of a text the encoder reads when not all of it fits: one function per way, all with one signature.

Tokens are the caller's: `count_tokens(texts)` and the budget must both leave special tokens out, so that the tokens of
sentences add up. A text within its budget is returned whole by every way. No way returns more than the budget.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sentencex
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from whyrank.data.files.text import CountTokens, cut
from whyrank.lexical.counts import WordCounts, word_counts
from whyrank.lexical.words import pauses, terms


@dataclass(frozen=True)
class Document:
    """A text to select from; `sections` are (title, text) pairs, none where the text is undivided."""

    title: str
    text: str
    sections: tuple[tuple[str, str], ...] = ()

    @cached_property
    def whole(self) -> str:
        return f"{self.title} {self.text}".strip()


@dataclass(frozen=True)
class Rules:
    """count_tokens   of texts, without special tokens
    idf            as `fit_idf` gives it
    head_share     of the budget, for `head_tail`
    language       ISO 639 code
    """

    count_tokens: CountTokens
    idf: TfidfVectorizer
    head_share: float
    language: str = "en"


Selection = Callable[[Sequence[Document], int, Rules], list[str]]


def fit_idf(texts: Sequence[str]) -> TfidfVectorizer:
    """TF-IDF over the words of `texts`, with 1 + log tf, so that a repeated word does not drown the others."""
    return idf_of(word_counts(texts))


def idf_of(*counted: WordCounts) -> TfidfVectorizer:
    """The same of texts whose words were counted."""
    texts_with: Counter[str] = Counter()
    for one in counted:
        texts_with.update(one.texts_with)
    words = sorted(texts_with)
    idf = TfidfVectorizer(analyzer=terms, sublinear_tf=True, vocabulary=words)
    # As TfidfTransformer does, which needs one matrix of all counts.
    texts, texts_V = sum(one.counts_NV.shape[0] for one in counted), np.array([texts_with[word] for word in words])
    idf.idf_ = np.log((1 + texts) / (1.0 + texts_V)) + 1
    return idf


def head(documents: Sequence[Document], budget: int, rules: Rules) -> list[str]:
    """The first tokens. Cut here, not by the tokenizer, so that the recorded text is what the encoder reads."""
    return cut([document.whole for document in documents], budget, 0, count_tokens=rules.count_tokens)


def head_tail(documents: Sequence[Document], budget: int, rules: Rules) -> list[str]:
    """`head_share` of the budget from the start, the rest from the end (Sun et al. 2019: 128 + 382 of 510)."""
    first, whole = round(budget * rules.head_share), [document.whole for document in documents]
    return cut(whole, first, budget - first, count_tokens=rules.count_tokens)


def tail(documents: Sequence[Document], budget: int, rules: Rules) -> list[str]:
    """The last tokens."""
    return cut([document.whole for document in documents], 0, budget, count_tokens=rules.count_tokens)


def tfidf(documents: Sequence[Document], budget: int, rules: Rules) -> list[str]:
    """The title, then the sentences with the highest mean TF-IDF of their words, until the budget is full.

    A sentence that does not fit is passed over for the next best; the chosen stand in document order.
    """
    parts = [[document.text] for document in documents]
    return _best_sentences(documents, parts, budget, rules)


def tfidf_sections(documents: Sequence[Document], budget: int, rules: Rules) -> list[str]:
    """As `tfidf`, with the budget shared over the sections: equal shares, what a short one leaves going to the others.

    A section's title is one of its sentences. What remains when no share can buy a sentence goes to the best ones left.
    """
    parts = [[f"{title}\n{text}" for title, text in document.sections] or [document.text] for document in documents]
    return _best_sentences(documents, parts, budget, rules)


SELECTIONS: dict[str, Selection] = {
    "head": head,
    "head_tail": head_tail,
    "tail": tail,
    "tfidf": tfidf,
    "tfidf_sections": tfidf_sections,
}


def sentences(text: str, language: str = "en") -> list[str]:
    """The sentences of a text in order, stripped; a line break ends one too, as in headings and lists.

    language   ISO 639 code, by which full stops of abbreviations are known; Thai and Lao also end at a space
    """
    lines = (line for part in sentencex.segment(language, text) for line in part.splitlines())
    return [stripped for line in lines for part in pauses(line) if (stripped := part.strip())]


def _best_sentences(
    documents: Sequence[Document], parts: Sequence[Sequence[str]], budget: int, rules: Rules
) -> list[str]:
    """parts[i] are the texts of document i that share its budget."""
    selected = [document.whole for document in documents]
    long = [i for i, n in enumerate(rules.count_tokens(selected)) if n > budget]
    flat: list[str] = []
    owner: list[int] = []
    split: list[list[list[int]]] = []
    for i in long:
        split.append([])
        for part in parts[i]:
            found = sentences(part, rules.language)
            split[-1].append(list(range(len(flat), len(flat) + len(found))))
            flat += found
            owner += [len(split) - 1] * len(found)
    if not long:
        return selected
    scores = _mean_tfidf(flat, owner, [selected[i] for i in long], rules.idf)
    counts = rules.count_tokens(flat)
    titles = rules.count_tokens([documents[i].title for i in long])
    for i, numbers, title_tokens in zip(long, split, titles, strict=True):
        chosen = _fill(numbers, scores, counts, budget - title_tokens)
        selected[i] = " ".join([documents[i].title, *(flat[k] for k in chosen)]).strip()
    return cut(selected, budget, 0, count_tokens=rules.count_tokens)


def _mean_tfidf(flat: list[str], owner: list[int], texts: list[str], idf: TfidfVectorizer) -> list[float]:
    """Mean over the words of each sentence of their TF-IDF in the sentence's document; 0 without a known word."""
    counter = CountVectorizer(analyzer=terms, vocabulary=idf.vocabulary_)
    words_SV = counter.transform(flat)
    weights_SV = idf.transform(texts)[np.array(owner, dtype=np.int64)]
    total = np.asarray(words_SV.multiply(weights_SV).sum(axis=1)).ravel()
    n_words = np.asarray(words_SV.sum(axis=1)).ravel()
    return (total / np.maximum(n_words, 1)).tolist()


def _fill(parts: list[list[int]], scores: list[float], counts: list[int], budget: int) -> list[int]:
    """Numbers of the chosen sentences, in document order; the best one alone where none fits (`cut` trims it)."""
    chosen: set[int] = set()
    shares = _shares([sum(counts[k] for k in part) for part in parts], budget)
    everything = [k for part in parts for k in part]
    spare = budget
    for group, room in [*zip(parts, shares, strict=True), (everything, budget)]:
        room = min(room, spare)
        for k in sorted(group, key=lambda k: (-scores[k], k)):
            if counts[k] <= room and k not in chosen:
                chosen.add(k)
                room -= counts[k]
                spare -= counts[k]
    if not chosen and everything:
        chosen = {max(everything, key=lambda k: (scores[k], -k))}
    return sorted(chosen)


def _shares(needs: Sequence[int], budget: int) -> list[int]:
    """Equal shares of the budget, no part getting more than it needs and what it leaves going to the others."""
    shares = [0] * len(needs)
    left = budget
    for rank, i in enumerate(sorted(range(len(needs)), key=lambda i: needs[i])):
        shares[i] = max(0, min(needs[i], left // (len(needs) - rank)))
        left -= shares[i]
    return shares
