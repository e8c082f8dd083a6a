"""Some of many pairs, each class or level of score keeping its share."""

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from whyrank.data.pairs.statistics import is_unlabelled

_LEVELS = 5


def strata_of(class_names: Sequence[str], labels: npt.ArrayLike) -> list[str]:
    """The class of each pair; for scores one of at most five levels of about equal size, named by its bounds."""
    values = np.asarray(labels, dtype=float)
    if any(class_names) or not len(values):
        return list(class_names)
    cuts = np.unique(np.quantile(values, np.arange(1, _LEVELS) / _LEVELS))
    level = np.searchsorted(cuts, values, side="left")
    bounds = {i: values[level == i] for i in np.unique(level)}
    return [f"{bounds[i].min():.3f} to {bounds[i].max():.3f}" for i in level]


def sample(pairs: pd.DataFrame, sizes: Mapping[str, int], *, seed: int) -> pd.DataFrame:
    """At most so many pairs of each source that have a label, in order, with `stratum` (see `strata_of`).

    pairs   source, use, class_name, label and what else there is
    sizes   by use
    """
    labelled = pairs[~is_unlabelled(pairs)]
    parts = []
    for source, part in labelled.groupby("source", sort=False):
        strata = strata_of(part["class_name"].tolist(), part["label"])
        drawn = draw(strata, sizes[part["use"].iloc[0]], seed=seed, name=str(source))
        parts.append(part.iloc[drawn].assign(stratum=[strata[i] for i in drawn]))
    return pd.concat(parts) if parts else pairs.assign(stratum="")


def draw(strata: Sequence[str], size: int, *, seed: int, name: str) -> npt.NDArray[np.int64]:
    """Positions of `size` pairs in ascending order, all of them for 0 or more than there are.

    Each stratum gives its share, rounded so that the sum is right (largest remainders). The same seed and name give
    the same pairs, whatever other sources there are.
    """
    if size == 0 or size >= len(strata):
        return np.arange(len(strata))
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    names = np.array(strata, dtype=object)
    return np.sort(
        np.concatenate(
            [random.permutation(np.flatnonzero(names == s))[:n] for s, n in _shares(Counter(strata), size).items()]
        )
    )


def _shares(counts: Counter[str], size: int) -> dict[str, int]:
    total = counts.total()
    shares = {stratum: size * counts[stratum] // total for stratum in sorted(counts)}
    by_remainder = sorted(shares, key=lambda stratum: -(size * counts[stratum] % total))
    for stratum in by_remainder[: size - sum(shares.values())]:
        shares[stratum] += 1
    return shares
