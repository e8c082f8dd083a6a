"""Other labels for the classes of a pair source, as overrides of its entry in `prepare.pairs.sources`."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from whyrank.findings.finding import Fix, is_plain
from whyrank.findings.records import DataRecords

_ID = re.compile(r"\d+")
DECIMALS = 3


def by_similarity(data: DataRecords, source: str, levels: pd.DataFrame) -> Fix:
    """The labels that are there, dealt out anew: the class that is most alike to the encoder gets the highest.

    levels   rows of `pair_levels` of the source. Labels outside [0, 1] give way to equal steps from 1 to 0.
    Alike beyond shared words: contradictions of SICK have a higher cosine than its neutral pairs, and this order
    right.
    """
    ordered = levels.sort_values("beyond_mean", ascending=False)
    labels = np.sort(levels["label"].to_numpy())[::-1]
    if not ((labels >= 0) & (labels <= 1)).all():
        labels = np.linspace(1, 0, len(ordered))
    ranks = ", ".join(f"{row.level} {row.beyond_mean:+.2f}" for row in ordered.itertuples())
    note = f"check the order of the classes, that of their similarity to the encoder beyond shared words ({ranks})"
    return _fix(data, source, ordered["level"].tolist(), labels.tolist(), note)


def in_range(data: DataRecords, source: str, levels: pd.DataFrame) -> Fix:
    """The same order, brought to 0 to 1."""
    ordered = levels.sort_values("label", ascending=False)
    low, high = ordered["label"].min(), ordered["label"].max()
    labels = (ordered["label"] - low) / (high - low) if high > low else ordered["label"].clip(0, 1)
    return _fix(data, source, ordered["level"].tolist(), labels.tolist(), "the classes keep their order")


def _fix(data: DataRecords, source: str, names: Sequence[str], labels: Sequence[float], note: str) -> Fix:
    bare = all(_ID.fullmatch(name) for name in names)
    if bare:
        # Ids have to be named before a label can be given by name, all of them from 0.
        named = {int(name): f"class_{name}" for name in names}
        whole = sorted(named) == list(range(len(named)))
        names = list(named.values())
        note += "; class_0, class_1, … name the ids: give them their own names where you know them"
    values = {name: round(float(label), DECIMALS) for name, label in zip(names, labels, strict=True)}
    if (bare and not whole) or not all(is_plain(name) for name in names):
        wanted = ", ".join(f"{name}: {value:g}" for name, value in values.items())
        return Fix({}, f"set `labels` of source '{source}' in params.yaml to {wanted}; {note}")
    key = f"prepare.pairs.sources.{list(data.tables['pair_counts']['source'].astype(str)).index(source)}"
    classes = {f"{key}.classes": sorted(names, key=lambda name: int(name.removeprefix("class_")))} if bare else {}
    return Fix(classes | {f"{key}.labels": values}, note)
