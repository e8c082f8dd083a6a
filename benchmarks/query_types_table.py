"""The table of benchmarks.query_types."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from whyrank.commands.label_gains import compared, points
from whyrank.core import io
from whyrank.diagnosis.report.markdown import pipe_table
from whyrank.measure.significance.resampling import holm

CONTROL = "control"


def compared_types(rows: pd.DataFrame, arm: str, metric: str) -> Iterator[dict[str, Any]]:
    """Gains over the control of the weaker type, of the stronger, and of the first less the second."""
    keys = ["seed", "query_id"]
    one = rows[rows["arm"] == arm].set_index(keys)
    other = rows[rows["arm"] == CONTROL].set_index(keys).loc[one.index]
    is_weak = one["type"] == one["weaker"]
    # So weighted, the mean over all queries is that of the weaker type less that of the stronger.
    share = pd.Series(np.where(is_weak, 1 / is_weak.mean(), -1 / (~is_weak).mean()), one.index)
    for of, kept, weight in (("weaker", is_weak, 1.0), ("stronger", ~is_weak, 1.0), ("gap", is_weak | True, share)):
        new, old = ((side[metric] * weight)[kept] for side in (one, other))
        gain, low, high, p = compared(new, old, one["cluster"][kept], seed=1)
        type_ = one["type"][kept].mode()[0]
        ends = {"gain": gain, "low": low, "high": high, "p": p}
        yield {"arm": arm, "of": of, "type": type_, "control": old.mean(), **ends}


def table(work: Path, metric: str) -> str:
    """Every set and encoder, all seeds pooled; * Holm's p below 0.05 over all gains of the table."""
    found = []
    for name, encoder in sorted({tuple(file.name.split(".")[1:3]) for file in work.glob("types.*.csv")}):
        rows = pd.concat([io.read_table(file) for file in sorted(work.glob(f"types.{name}.{encoder}.*.csv"))])
        for arm in rows["arm"].unique():
            if arm != CONTROL:
                found += [{"set": name, "encoder": encoder, **one} for one in compared_types(rows, arm, metric)]
    cells = pd.DataFrame(found)
    is_gain = cells["of"] != "gap"
    cells.loc[is_gain, "p_holm"] = holm(cells.loc[is_gain, "p"])
    body = []
    for key, own in cells.groupby(["set", "encoder", "arm"], sort=False):
        weak, strong, gap = (own[own["of"] == of].iloc[0] for of in ("weaker", "stronger", "gap"))
        told = [f"{points(one)}{' *' if one['p_holm'] < 0.05 else ''}" for one in (weak, strong)]
        before = [f"{one['type']} {one['control']:.3f}" for one in (weak, strong)]
        body.append([*map(str, key), before[0], told[0], before[1], told[1], points(gap)])
    head = ["set", "encoder", "arm", "weaker: control", "gain", "stronger: control", "gain", "first gain less second"]
    return pipe_table(head, body)
