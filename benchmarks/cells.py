"""What benchmarks of cells (set, seed, …) share: their command line, and gains of an arm over another."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from whyrank.commands.label_curve import METRICS
from whyrank.commands.label_gains import compared, points
from whyrank.core import io


def commands(told: str | None, sets: Sequence[str], seeds: Sequence[int]) -> tuple[argparse.ArgumentParser, Any, Any]:
    """A parser, and those of its commands `run DATA WORK [--sets …] [--seeds …]` and `table WORK`."""
    parser = argparse.ArgumentParser(description=told, formatter_class=argparse.RawDescriptionHelpFormatter)
    both = parser.add_subparsers(dest="command", required=True)
    run, table = both.add_parser("run"), both.add_parser("table")
    run.add_argument("data", type=Path)
    for one in (run, table):
        one.add_argument("work", type=Path)
    run.add_argument("--sets", nargs="+", choices=sets, default=sets)
    run.add_argument("--seeds", nargs="+", type=int, default=list(seeds))
    return parser, run, table


def pooled(work: Path, begin: str, sets: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The test queries of all cells of each set that has files WORK/<begin><set>.*.csv, by seed and query_id."""
    for name in sets:
        if files := sorted(work.glob(f"{begin}{name}.*.csv")):
            yield name, pd.concat([io.read_table(file) for file in files]).set_index(["seed", "query_id"])


def splits(rows: pd.DataFrame) -> int:
    return int(rows.index.get_level_values("seed").nunique())


def gains(own: pd.DataFrame, other: pd.DataFrame) -> dict[str, Any]:
    """Of each metric its mean, `<metric> gain` in points with its interval, and `<metric> p`; answers are resampled.

    own, other   the same test queries in the same order, with `cluster` and METRICS
    """
    found: dict[str, Any] = {}
    for metric in METRICS:
        gain, low, high, p = compared(own[metric], other[metric], own["cluster"], seed=1)
        found |= {metric: own[metric].mean(), f"{metric} gain": points({"gain": gain, "low": low, "high": high})}
        found[f"{metric} p"] = p
    return found
