"""Texts that the label-free views make of others: spans of answers, and texts with words left out."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from whyrank.core.options.barlow import MadeTexts
from whyrank.core.prepared import Prepared

SPAN, DELETION = "span-document", "deletion"
# Spans that belong to no view: what pretraining is measured by, on so many answers at most.
HELD_OUT, HELD_OUT_TEXTS = "held-out", 256
# Fewer leave no span that is a text and not the whole.
FEWEST_WORDS = 6
# Characters of a word, on average, from which a text is taken for one that sets no spaces.
LONGEST_WORD = 20

Make = Callable[[Sequence[str], MadeTexts, np.random.Generator], list[str]]


def span(words: Sequence[str], options: MadeTexts, random: np.random.Generator) -> list[str]:
    """Words that stand together, a share of all that is drawn between the two of `options.span`; three or more."""
    shortest, longest = options.span
    share = random.uniform(shortest, longest)
    length = max(3, round(share * len(words)))
    start = int(random.integers(len(words) - length + 1))
    return list(words[start : start + length])


def deletion(words: Sequence[str], options: MadeTexts, random: np.random.Generator) -> list[str]:
    """`options.kept_words` of the words, three or more, in their order."""
    count = max(3, round(options.kept_words * len(words)))
    return [words[i] for i in np.sort(random.choice(len(words), count, replace=False))]


MAKE: dict[str, Make] = {SPAN: span, DELETION: deletion}


def made(prepared: Prepared, views: Sequence[str], options: MadeTexts, random: np.random.Generator) -> pd.DataFrame:
    """view, of (the number of the text it is made of), text: up to `per_text` different ones of each text.

    Spans of every answer of the corpus, deletions of every answer and training query; of equal texts of the first.
    """
    texts = prepared.texts
    answers = texts.of("answer")
    training = texts.of("query")[prepared.rows("train")]
    sources = {SPAN: answers, DELETION: np.concatenate([answers, training])}
    rows = []
    for view in (view for view in views if view in MAKE):
        own = texts.table["text"].iloc[sources[view]]
        for number, text in own[~own.duplicated()].items():
            words, joint = words_of(text)
            if len(words) >= FEWEST_WORDS:
                drawn = (joint.join(MAKE[view](words, options, random)) for _ in range(options.per_text))
                rows += [(view, number, one) for one in dict.fromkeys(drawn)]
    return pd.DataFrame(rows, columns=["view", "of", "text"])


def held_out(prepared: Prepared, options: MadeTexts, random: np.random.Generator) -> pd.DataFrame:
    """A span each of some answers, as `made` gives them, under a view that no training takes."""
    found = made(prepared, [SPAN], replace(options, per_text=1), random).assign(view=HELD_OUT)
    return found.iloc[np.sort(random.permutation(len(found))[:HELD_OUT_TEXTS])]


def words_of(text: str) -> tuple[list[str], str]:
    """The words of a text and what joins them; of a language that sets no spaces its characters and nothing."""
    words = text.split()
    return (list(text), "") if len(text) > LONGEST_WORD * len(words) else (words, " ")


def with_made(prepared: Prepared, made_texts: pd.DataFrame) -> Prepared:
    """The set with these texts, numbered behind all others; pairs that are not trained on are left out.

    made_texts   as `made` gives them, with `input_ids` where they are to be encoded
    """
    pairs = prepared.pairs[prepared.pairs["use"] != "test"]
    last = pairs[["first", "second"]].to_numpy(dtype=np.int64).max(initial=-1)
    kept = prepared.pair_texts[prepared.texts.of("pair") <= last]
    return replace(prepared, pairs=pairs, pair_texts=kept, view_texts=made_texts)
