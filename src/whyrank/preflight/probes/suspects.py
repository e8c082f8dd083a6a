"""Which labels are probably wrong, and what they should be: confident learning with rankers that saw no label.

A label that was drawn at random lies anywhere in the ranking, a right one seldom in its far half. So the far half, of
the queries on which rankers agree, tells the share of wrong labels (Northcutt et al. 2021, "Confident learning"), and
the density of labels at a place tells how many of those there are wrong (Efron 2008: the local false discovery rate).
"""

import numpy as np
import pandas as pd
from scipy import stats

from whyrank.core.prepared import CORRECTION_COLUMNS

# Where a label is far: in the worse half of the answers.
FAR = 0.5
# Of the queries on which rankers agree, those whose label is far, in healthy sets: 1 of 1,247 (Stack Exchange), 3 of
# 1,655 (ConditionalQA), at most 4 of 73 of a split of the sample.
HEALTHY = 0.02
# Chance, at that rate, of as many far labels as there are, of each type in each split; and the fewest that are looked
# at. Of the sample's test conversations 3 of 22 are far.
LEVEL, LEAST = 0.001, 3
# Edges of places in the ranking, between which labels are counted.
EDGES = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.35, FAR, 0.75, 1.0])
# A label is listed from this probability on.
WRONG = 0.5


def rows(judgements: pd.DataFrame) -> pd.DataFrame:
    """`rows_wrong-labels`: suspects, most certain first; `becomes` is what all rankers put first, else empty."""
    parts = [_suspects(part) for _, part in cells(judgements)]
    found = pd.concat(parts) if parts else pd.DataFrame(columns=[*CORRECTION_COLUMNS, "wrong", "margin"])
    ordered = found.sort_values(["wrong", "margin"], ascending=False, kind="stable", ignore_index=True)
    return ordered[CORRECTION_COLUMNS]


def cells(judgements: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Judgements with too many far labels: of a type in a split where it has enough by itself, else of a split."""
    found: list[tuple[str, pd.DataFrame]] = []
    for split, of_split in judgements.groupby("split"):
        by_type = [part for _, part in of_split.groupby("type") if is_doubtful(part)]
        found += [(str(split), part) for part in by_type or ([of_split] if is_doubtful(of_split) else [])]
    return found


def far_of(part: pd.DataFrame) -> tuple[int, int]:
    """Far labels among the judgements on which rankers agree, and these."""
    agreed = part[part["is_agreed"].astype(bool)]
    return int((agreed["far"] > FAR).sum()), len(agreed)


def is_doubtful(part: pd.DataFrame) -> bool:
    far, agreed = far_of(part)
    return far >= LEAST and bool(stats.binom.sf(far - 1, agreed, HEALTHY) < LEVEL)


def share(far: int, agreed: int, level: float = 0.95) -> tuple[float, float, float]:
    """Estimated share of wrong labels with its exact bounds (Clopper and Pearson 1934), 0 to 1."""
    if not agreed:
        return 0.0, 0.0, 1.0
    found = stats.binomtest(far, agreed).proportion_ci(confidence_level=level)
    low, value, high = (min(x / (1 - FAR), 1.0) for x in (found.low, far / agreed, found.high))
    return value, low, high


def _suspects(part: pd.DataFrame) -> pd.DataFrame:
    """Of one cell: those whose place holds more wrong labels than right ones."""
    wrong = share(*far_of(part))[0]
    parts = []
    for _, own in part.groupby(part["is_agreed"].astype(bool)):
        place = np.clip(np.searchsorted(EDGES, own["far"], side="left") - 1, 0, len(EDGES) - 2)
        is_first = own["rank"].to_numpy() < 2
        density = np.bincount(place[~is_first], minlength=len(EDGES) - 1) / len(own) / np.diff(EDGES)
        probability = np.where(is_first, 0.0, np.minimum(wrong / np.maximum(density[place], 1e-9), 1.0))
        parts.append(own.assign(wrong=probability))
    table = pd.concat(parts)
    table = table[table["wrong"] >= WRONG]
    firsts = table[["first_encoder", "first_tfidf", "first_bm25"]]
    is_sure = table["is_agreed"].astype(bool) & firsts.eq(table["first"], axis=0).all(axis=1)
    why = [
        f"label at rank {rank:.0f}; rankers agree on {first}" if agreed else f"label at rank {rank:.0f}"
        for rank, first, agreed in zip(table["rank"], table["first"], table["is_agreed"], strict=True)
    ]
    return table.assign(becomes=table["first"].where(is_sure, ""), why=why)[[*CORRECTION_COLUMNS, "wrong", "margin"]]
