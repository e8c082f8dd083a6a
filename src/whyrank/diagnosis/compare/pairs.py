"""Similarity of the systems side by side: agreement with the labels of the test pairs, by set and on average."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.core.prepared import STS_SETS
from whyrank.findings.records import Records, RunRecord
from whyrank.findings.systems import BEST_BASELINE, Systems
from whyrank.measure.significance.resampling import holm
from whyrank.measure.significance.statistics import Resampled, mean_of, resample_spearman

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
    roles = _roles(records.systems, runs)
    lists = dict(_lists(_by_system(runs), list(roles), {"resamples": resamples, "seed": seed}))
    systems = [row for name, part in lists.items() for row in _system_rows(name, part, level)]
    differences = [row for name, part in lists.items() for row in _difference_rows(name, part, roles, level)]
    comparisons = _table(differences, [name for name in DIFFERENCE_COLUMNS if name != "p_holm"])
    adjusted = comparisons.groupby("list")["p"].transform(lambda p: holm(p.to_numpy(dtype=float)))
    comparisons.insert(DIFFERENCE_COLUMNS.index("p_holm"), "p_holm", adjusted)
    return Similarity(next(iter(lists)), _table(systems, SYSTEM_COLUMNS), comparisons)


def _table(rows: list[tuple[object, ...]], columns: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=columns)
    return table.astype({name: float for name in ("value", "difference", "low", "high", "p") if name in table})


def of_list(similar: Similarity, name: str) -> pd.DataFrame:
    """The comparisons on one list."""
    return similar.comparisons[similar.comparisons["list"] == name]


def undefined(similar: Similarity) -> list[str]:
    """Each correlation of a single list that does not exist, with its reason: `base-tuned on stsb: constant …`."""
    rows = similar.systems[(similar.systems["reason"] != "") & (similar.systems["sets"] == 1)]
    return [f"{row.system} on {row.list}: {row.reason}" for row in rows.itertuples()]


class _List(NamedTuple):
    sets: int
    n_pairs: int
    resampled: Resampled


def _roles(systems: Systems, runs: Mapping[str, RunRecord]) -> dict[tuple[str, str], str]:
    """What b is to a, of the comparisons whose systems have test pairs; the first baseline that has them is taken."""
    baseline = next((system for system in systems.baselines if system in runs), "")
    named = {(a, baseline if role == BEST_BASELINE else role): role for a, role in systems.comparisons()}
    return {pair: role for pair, role in named.items() if set(pair) <= set(runs)}


def _by_system(runs: Mapping[str, RunRecord]) -> pd.DataFrame:
    """source, subset, label of each test pair, and the cosine of each system in a column of its name."""
    tables = {system: run.pairs.set_index("pair_id") for system, run in runs.items() if run.pairs is not None}
    first = next(iter(tables.values()))
    assert all(set(table.index) == set(first.index) for table in tables.values()), "systems with different test pairs"
    cosines = {system: table["prediction"].reindex(first.index) for system, table in tables.items()}
    return pd.concat([first[["source", "subset", "label"]].add_prefix("of "), pd.DataFrame(cosines)], axis=1)


def _lists(pairs: pd.DataFrame, compared: list[tuple[str, str]], draw: dict[str, int]) -> Iterator[tuple[str, _List]]:
    """Each list by its name. Sources and subsets are numbered, so that they are resampled independently."""
    sources = {str(name): rows for name, rows in pairs.groupby("of source", sort=False)}
    whole = {name: _resampled(rows, compared, draw, i) for i, (name, rows) in enumerate(sources.items())}
    standard = {name: part for name, part in whole.items() if name in STS_SETS} or whole
    if len(standard) > 1:
        n_pairs = sum(part.n_pairs for part in standard.values())
        yield f"mean of {len(standard)} sets", _mean(standard, n_pairs)
    done = len(sources)
    # Alone, a standard set speaks for all before sets of the user's own.
    for name in sorted(sources, key=lambda name: name not in standard):
        yield name, whole[name]
        subsets = {str(subset): rows for subset, rows in sources[name].groupby("of subset", sort=False)}
        if len(subsets) > 1:
            parts = {
                subset: _resampled(rows, compared, draw, done + i) for i, (subset, rows) in enumerate(subsets.items())
            }
            yield f"{name}, mean of {len(parts)} subsets", _mean(parts, whole[name].n_pairs)
        done += len(subsets)


def _resampled(rows: pd.DataFrame, compared: list[tuple[str, str]], draw: dict[str, int], stratum: int) -> _List:
    cosines = {system: rows[system].to_numpy() for system in rows.columns if not system.startswith("of ")}
    label_N = rows["of label"].to_numpy()
    resampled = resample_spearman(cosines, label_N, np.arange(len(rows)), compared, stratum=stratum, **draw)
    return _List(1, len(rows), resampled)


def _mean(parts: Mapping[str, _List], n_pairs: int) -> _List:
    return _List(len(parts), n_pairs, mean_of({name: part.resampled for name, part in parts.items()}))


def _system_rows(name: str, part: _List, level: float) -> Iterator[tuple[object, ...]]:
    for system, reason in part.resampled.reason.items():
        yield name, part.sets, system, part.n_pairs, *part.resampled.interval(system, level), reason[0]


def _difference_rows(
    name: str, part: _List, roles: dict[tuple[str, str], str], level: float
) -> Iterator[tuple[object, ...]]:
    for (a, b), role in roles.items():
        found = part.resampled.comparison(a, b, level)
        yield name, part.sets, a, b, role, *found, part.n_pairs, part.resampled.why(a, b)
