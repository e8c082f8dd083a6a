"""Which labels the pairs of each source have, as they are trained on."""

import pandas as pd

from whyrank.data.pairs.classes import UNLABELLED_ID

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
    fractional, outside = ((label > 0) & (label < 1)).sum(), ((label < 0) | (label > 1)).sum()
    return (
        source,
        part["use"].iloc[0],
        len(part),
        label.min(),
        label.quantile(0.75),
        label.max(),
        label.nunique(),
        fractional / len(part),
        outside / len(part),
        bare.mean(),
    )
