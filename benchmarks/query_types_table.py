"""The tables of benchmarks.query_types."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from whyrank.commands.label_gains import compared
from whyrank.core import io
from whyrank.diagnosis.report.markdown import pipe_table
from whyrank.measure.significance.resampling import holm

CONTROL, OF = "control", ("weaker", "stronger", "gap")
FUSED, BY_TYPE = "fused with BM25", "fused with BM25, weights by type"


def compared_types(rows: pd.DataFrame, arm: str, metric: str, against: str = CONTROL) -> Iterator[dict[str, Any]]:
    """Gains over another arm of the weaker type, of the stronger, and of the first less the second (the gap)."""
    keys = ["seed", "query_id"]
    one = rows[rows["arm"] == arm].set_index(keys)
    other = rows[rows["arm"] == against].set_index(keys).loc[one.index]
    is_weak = one["type"] == one["weaker"]
    # So weighted, the mean over all queries is that of the weaker type less that of the stronger.
    share = pd.Series(np.where(is_weak, 1 / is_weak.mean(), -1 / (~is_weak).mean()), one.index)
    for of, kept, weight in zip(OF, (is_weak, ~is_weak, is_weak | True), (1.0, 1.0, share), strict=True):
        new, old = ((side[metric] * weight)[kept] for side in (one, other))
        gain, low, high, p = compared(new, old, one["cluster"][kept], seed=1)
        ends = {"gain": gain, "low": low, "high": high, "p": p}
        name = arm if against == CONTROL else f"{arm}, less {against}"
        yield {"arm": name, "of": of, "type": one["type"][kept].mode()[0], "control": old.mean(), **ends}


def table(work: Path, metric: str) -> str:
    """A row for each arm, three columns for each set and encoder; * Holm's p below 0.05 over all gains of a type."""
    found = []
    for name, encoder in sorted({tuple(file.name.split(".")[1:3]) for file in work.glob("types.*.csv")}):
        rows = pd.concat([io.read_table(file) for file in sorted(work.glob(f"types.{name}.{encoder}.*.csv"))])
        pairs = [(arm, CONTROL) for arm in rows["arm"].unique() if arm != CONTROL]
        pairs += [(BY_TYPE, FUSED)] if (BY_TYPE, CONTROL) in pairs else []
        for arm, other in pairs:
            found += [{"set": f"{name}, {encoder}", **one} for one in compared_types(rows, arm, metric, other)]
    cells = pd.DataFrame(found)
    is_gain = cells["of"] != "gap"
    cells["is_sure"] = False
    cells.loc[is_gain, "is_sure"] = holm(cells.loc[is_gain, "p"]) < 0.05
    columns = [(name, of) for name in cells["set"].unique() for of in OF]
    at = {(row["arm"], row["set"], row["of"]): row for row in cells.to_dict("records")}
    first = {(row["set"], row["of"]): row for row in reversed(cells.to_dict("records"))}
    head = [of if of == "gap" else f"{name}: {of} ({first[name, of]['type']}s)" for name, of in columns]
    before = [f"{100 * first[column]['control']:.1f}" for column in columns]
    body = [[arm, *(told(at.get((arm, *column))) for column in columns)] for arm in cells["arm"].unique()]
    return pipe_table([metric, *head], [[CONTROL, *before], *body])


def told(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    gain, low, high = (f"{100 * row[key]:+.1f}".replace("-", "\N{MINUS SIGN}") for key in ("gain", "low", "high"))
    return f"{gain} [{low}, {high}]{' *' if row['is_sure'] else ''}"
