"""Pairs that stand there more than once: in one source, or in training and where it is tested."""

from collections.abc import Iterable

import pandas as pd

from whyrank.data.files.words import exact_key, words

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
