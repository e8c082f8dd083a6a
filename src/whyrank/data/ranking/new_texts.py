"""Texts that no set holds, read as `prepare` reads the queries of one."""

from collections.abc import Callable, Mapping, Sequence

from sklearn.feature_extraction.text import TfidfVectorizer

from whyrank.core.options import params
from whyrank.data.files.cells import CONVERSATION, QUESTION
from whyrank.data.files.text import CountTokens
from whyrank.data.ranking.selection import SELECTIONS, Document, Rules


def selected(
    texts: Sequence[str],
    options: params.Prepare,
    budget: dict[str, int],
    count_tokens: CountTokens,
    idf: Callable[[], TfidfVectorizer],
    language_of: Mapping[str, str],
) -> tuple[list[str], list[str]]:
    """What the encoder reads of each text, and its kind: one that is longer than a question may be is a conversation.

    budget        tokens by kind, without special tokens
    idf           as `selection.fit_idf` gives it; asked for where a text is cut by it
    language_of   ISO 639 code of the set's texts by kind; English where it names none
    """
    read, kinds = [], []
    for text, count in zip(texts, count_tokens(list(texts)), strict=True):
        kind = QUESTION if count <= budget[QUESTION] else CONVERSATION
        way = getattr(options.selection, kind)
        if count > budget[kind]:
            rules = Rules(count_tokens, idf(), options.head_share, language_of.get(kind, "en"))
            text = SELECTIONS[way]([Document("", text)], budget[kind], rules)[0]
        read.append(text)
        kinds.append(kind)
    return read, kinds
