"""Similarity of the systems side by side: agreement with the labels of the test pairs, by set and on average."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.core.prepared import STS_SETS
from whyrank.diagnosis.compare import tables
from whyrank.diagnosis.compare.tables import Family
from whyrank.findings.records import Records, RunRecord
from whyrank.findings.systems import BEST_BASELINE
from whyrank.measure.significance.statistics import mean_of, resample_spearman

SYSTEM_COLUMNS = ["list", "sets", "system", "n_pairs", "value", "low", "high", "reason"]
DIFFERENCE_COLUMNS = [
    "list", "sets", "a", "b", "role", "difference", "low", "high", "p", "p_holm", "n_pairs", "reason",
]  # fmt: skip


class Similarity(NamedTuple):
    """headline      name of the list that speaks for all: the mean over several sets, or the only set; "" without pairs
    systems       list, sets (how many lists it is the mean of), system, n_pairs, value (Spearman's correlation, -1 to
                  1, 0 at chance), low, high; reason why these are missing, else empty
    comparisons   list, sets, a, b, role (as in `compare.comparisons`), difference, low, high, p, p_holm (Holm's
                  adjustment over the pairs of systems of one list), n_pairs, reason
    Lists come as the mean, then each source as one list, each followed by the mean over its subsets where it has them.
    Intervals resample the pairs of each list; a system without test pairs is not there.
    """

    headline: str
    systems: pd.DataFrame
    comparisons: pd.DataFrame


def compare_similarity(records: Records, *, level: float, resamples: int, seed: int) -> Similarity:
    """Both tables; empty ones where no test pairs were recorded."""
    runs = {system: run for system, run in records.runs.items() if run.pairs is not None}
    if not runs:
        return Similarity("", pd.DataFrame(columns=SYSTEM_COLUMNS), pd.DataFrame(columns=DIFFERENCE_COLUMNS))
    baseline = next((system for system in records.systems.baselines if system in runs), None)
    roles = tables.roles(records.systems.comparisons(), runs, {BEST_BASELINE: baseline})
    families = list(_lists(_by_system(runs), list(roles), {"resamples": resamples, "seed": seed}))
    return Similarity(
        str(families[0].about["list"]),
        tables.system_table(families, SYSTEM_COLUMNS, level=level),
        tables.difference_table(families, roles, DIFFERENCE_COLUMNS, level=level),
    )


def of_list(similar: Similarity, name: str) -> pd.DataFrame:
    """The comparisons on one list."""
    return similar.comparisons[similar.comparisons["list"] == name]


def undefined(similar: Similarity) -> list[str]:
    """Each correlation of a single list that does not exist, with its reason: `base-tuned on stsb: constant …`."""
    rows = similar.systems[(similar.systems["reason"] != "") & (similar.systems["sets"] == 1)]
    return [f"{row.system} on {row.list}: {row.reason}" for row in rows.itertuples()]


def _by_system(runs: Mapping[str, RunRecord]) -> pd.DataFrame:
    """source, subset, label of each test pair, and the cosine of each system in a column of its name."""
    tables = {system: run.pairs.set_index("pair_id") for system, run in runs.items() if run.pairs is not None}
    first = next(iter(tables.values()))
    assert all(set(table.index) == set(first.index) for table in tables.values()), "systems with different test pairs"
    cosines = {system: table["prediction"].reindex(first.index) for system, table in tables.items()}
    return pd.concat([first[["source", "subset", "label"]].add_prefix("of "), pd.DataFrame(cosines)], axis=1)


def _lists(pairs: pd.DataFrame, compared: list[tables.Pair], draw: dict[str, int]) -> Iterator[Family]:
    """Each list by its name. Sources and subsets are numbered, so that they are resampled independently."""
    sources = {str(name): rows for name, rows in pairs.groupby("of source", sort=False)}
    whole = {name: _list(name, rows, compared, draw, i) for i, (name, rows) in enumerate(sources.items())}
    standard = {name: part for name, part in whole.items() if name in STS_SETS} or whole
    if len(standard) > 1:
        yield _mean(f"mean of {len(standard)} sets", standard)
    done = len(sources)
    # Alone, a standard set speaks for all before sets of the user's own.
    for name in sorted(sources, key=lambda name: name not in standard):
        yield whole[name]
        subsets = {str(subset): rows for subset, rows in sources[name].groupby("of subset", sort=False)}
        if len(subsets) > 1:
            parts = {
                subset: _list(subset, rows, compared, draw, done + i)
                for i, (subset, rows) in enumerate(subsets.items())
            }
            yield _mean(f"{name}, mean of {len(parts)} subsets", parts)
        done += len(subsets)


def _list(name: str, rows: pd.DataFrame, compared: list[tables.Pair], draw: dict[str, int], stratum: int) -> Family:
    cosines = {system: rows[system].to_numpy() for system in rows.columns if not system.startswith("of ")}
    label_N, row_N = rows["of label"].to_numpy(), np.arange(len(rows))
    resampled = resample_spearman(cosines, label_N, row_N, compared, stratum=stratum, **draw)
    return Family({"list": name, "sets": 1, "n_pairs": len(rows)}, resampled)


def _mean(name: str, parts: Mapping[str, Family]) -> Family:
    n_pairs = sum(int(str(part.about["n_pairs"])) for part in parts.values())
    about = {"list": name, "sets": len(parts), "n_pairs": n_pairs}
    return Family(about, mean_of({of: part.resampled for of, part in parts.items()}))
