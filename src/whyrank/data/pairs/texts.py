"""The texts of sentence pairs, each once and numbered."""

import numpy as np
import pandas as pd

USES = ("train", "dev", "test")
TEXTS = ["text1", "text2"]


def numbered(pairs: pd.DataFrame, start: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs with `first` and `second`, numbers of their texts, in place of text1 and text2; and the texts, `text`.

    start   number of the first text
    Texts of training come first, then those of dev, then of test, so that training need not read on to the end.
    """
    in_order = pd.concat([pairs.loc[pairs["use"] == use, TEXTS] for use in USES])
    texts = pd.unique(in_order.to_numpy(dtype=object).flatten())
    number = pd.Series(np.arange(len(texts)) + start, texts, dtype=np.int64)
    first, second = (number[pairs[name]].to_numpy() for name in TEXTS)
    return pairs.drop(columns=TEXTS).assign(first=first, second=second), pd.DataFrame({"text": texts})
