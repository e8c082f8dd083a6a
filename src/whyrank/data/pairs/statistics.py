"""Tables about the pairs that were read: the labels of each source, and test pairs that are training pairs too."""

from collections.abc import Iterable

import pandas as pd

from whyrank.data.files.text import exact_key
from whyrank.data.pairs.labels import UNLABELLED_ID
from whyrank.lexical.words import words

LEAK_COLUMNS = ["pair_id", "source", "use", "train_pair_id", "train_source", "train_pairs"]
Key = tuple[str, ...]


def pair_keys(first: Iterable[str], second: Iterable[str]) -> list[Key]:
    """Equal for pairs of the same two texts in either order, but for case, white space and punctuation."""
    known: dict[str, str] = {}

    def key(text: str) -> str:
        if text not in known:
            known[text] = exact_key(text, words(text))
        return known[text]

    return [tuple(sorted((key(a), key(b)))) for a, b in zip(first, second, strict=True)]


def leak_table(pairs: pd.DataFrame, keys: list[Key]) -> pd.DataFrame:
    """One row for each dev or test pair that is a training pair as well.

    pairs     pair_id, source, use; `keys` are those of its rows
    returns   pair_id, source, use, train_pair_id (str, the first one), train_source, train_pairs (int, how many)
    """
    keyed = pairs[["pair_id", "source", "use"]].assign(key=pd.Series(keys, index=pairs.index, dtype=object))
    in_train = keyed["use"] == "train"
    train = keyed[in_train].groupby("key", sort=False)
    found = train.agg(
        train_pair_id=("pair_id", "first"), train_source=("source", "first"), train_pairs=("pair_id", "size")
    )
    return keyed[~in_train].merge(found.reset_index(), on="key", how="inner")[LEAK_COLUMNS]


LABEL_COLUMNS = ["source", "use", "pairs", "lowest", "upper_quartile", "highest", "distinct", "fractional", "outside",
                 "unlabelled"]  # fmt: skip


def label_table(pairs: pd.DataFrame) -> pd.DataFrame:
    """One row per source, in their order.

    source, use, pairs (their number); lowest, upper_quartile, highest, distinct: of the labels that are any
    fractional   share of the pairs with a label between 0 and 1, bounds left out
    outside      share with a label below 0 or above 1, those of no class left out
    unlabelled   share of no class: -1, which only `labels: raw` lets in
    """
    return pd.DataFrame(
        [_row(str(source), part) for source, part in pairs.groupby("source", sort=False)], columns=LABEL_COLUMNS
    )


def is_unlabelled(pairs: pd.DataFrame) -> pd.Series:
    """Whether a pair was taken in though it has no class. The label of a score is never below 0."""
    return pairs["label"] == UNLABELLED_ID


def _row(source: str, part: pd.DataFrame) -> tuple[object, ...]:
    bare = is_unlabelled(part)
    label = part.loc[~bare, "label"]
    levels = label.min(), label.quantile(0.75), label.max(), label.nunique()
    fractional, outside = ((label > 0) & (label < 1)).sum(), ((label < 0) | (label > 1)).sum()
    return source, part["use"].iloc[0], len(part), *levels, fractional / len(part), outside / len(part), bare.mean()
