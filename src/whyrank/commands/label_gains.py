"""What pretraining gains with so many labels: the table of `whyrank scenario label-curve`, and what it says in words.

Shapes: N rows (test queries of all seeds) · B resamples
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from whyrank.commands.label_curve import CONTROL, PRETRAINED, PSEUDO_ARM, measured, seeds_of
from whyrank.commands.scenario import Scenario
from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.core.options import overrides, params
from whyrank.core.options.yaml_files import starting_params
from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.markdown import pipe_table
from whyrank.measure.significance import resampling

LEVEL, RESAMPLES = 0.95, 10_000
ARMS = (*PRETRAINED, PSEUDO_ARM)
COLUMNS = ["arm", "labels", "value", "control", "gain", "low", "high", "p"]


def measure(chosen: Scenario, settings: Sequence[str], folder: Path) -> str:
    """Run all arms with the scenario's parameters and these settings, in this process; write rows and table, return it.

    Raises UserError for parameters that do not go together, before anything is encoded.
    """
    changed = overrides.given(settings)
    try:
        values = overrides.put(starting_params(), {**chosen.overrides, **changed})
    except KeyError as error:
        raise UserError(f"-S {error.args[0]}: params.yaml has no such key; `whyrank schema` has all of them") from None
    params.check(values)
    if not values["finetune_rank"]["max_steps"]:
        raise UserError(
            "params.yaml: `finetune_rank.max_steps` is 0, and each arm is tuned for so many steps; use "
            "-S finetune_rank.max_steps=150"
        )
    rows = measured(values, seeds_of(values))
    text = rendered(rows, values["diagnose"]["metric"])
    with io.replacing_folder(folder) as temporary:
        io.write_table(temporary / "queries.csv", rows)
        io.write_text(temporary / "table.md", text)
    return text


def gains(rows: pd.DataFrame, metric: str, *, against: str = CONTROL, arms: Sequence[str] = ARMS) -> pd.DataFrame:
    """COLUMNS and p_holm: of each pretrained arm less the control, all seeds pooled.

    rows   as `label_curve.measured` gives them
    Answers are resampled, the same in all seeds; Holm's correction is over all rows. `labels` is the mean over the
    seeds, which split differently.
    """
    rows = numbered(rows)
    found = []
    for arm in arms:
        for number in sorted(rows.loc[rows["arm"] == arm, "number"].unique()):
            one, other = (of(rows, name, number) for name in (arm, against))
            other = other.loc[one.index]
            ends = compared(one[metric], other[metric], one["cluster"], seed=int(number))
            found.append((arm, one["labels"].mean(), one[metric].mean(), other[metric].mean(), *ends))
    table = pd.DataFrame(found, columns=COLUMNS)
    return table.assign(p_holm=resampling.holm(table["p"]))


def numbered(rows: pd.DataFrame) -> pd.DataFrame:
    """With `number`, by which seeds that split differently are pooled: the n-th number of labels of each."""
    return rows.assign(number=rows.groupby("seed")["labels"].rank(method="dense").astype(int))


def of(rows: pd.DataFrame, arm: str, number: int) -> pd.DataFrame:
    return rows[(rows["arm"] == arm) & (rows["number"] == number)].set_index(["seed", "query_id"])


def compared(one: pd.Series, other: pd.Series, cluster: pd.Series, *, seed: int) -> tuple[float, float, float, float]:
    """Difference of the means, its bounds, and p."""
    one_N, other_N, count = one.to_numpy(dtype=float), other.to_numpy(dtype=float), len(one)
    difference_N, index_N = one_N - other_N, resampling.numbered(cluster)
    sample_B = resampling.bootstrap(difference_N[:, None], index_N, resamples=RESAMPLES, seed=seed)[:, 0]
    ends = resampling.interval(float(difference_N.mean()), sample_B, LEVEL)

    def mean(sum_BKT: np.ndarray) -> np.ndarray:
        means: np.ndarray = sum_BKT[:, 0] / count
        return means

    pair = one_N[:, None, None], other_N[:, None, None]
    (swapped_B,) = resampling.swap([pair], mean, index_N, resamples=RESAMPLES, seed=seed)
    return (*ends, resampling.two_sided_p(ends.mean, swapped_B))


def conclusion(table: pd.DataFrame, arm: str) -> str:
    """In one sentence: up to how many labelled queries pretraining pays; only what intervals and Holm's p show."""
    own = table[table["arm"] == arm].sort_values("labels")
    is_sure = own["p_holm"] < 1 - LEVEL
    better, worse = own[is_sure & (own["low"] > 0)], own[is_sure & (own["high"] < 0)]
    said = f"{arm}: "
    if len(worse):
        worst = worse.sort_values("gain").iloc[0]
        said += f"it costs {points(worst)} with {worst['labels']:.0f} labelled queries; "
    if better.empty:
        most = 100 * own["high"].max()
        return said + f"no sure gain over as many steps without it, with any number of labels (at most {most:+.1f})."
    least, most = better.iloc[0], better.iloc[-1]
    said += f"with up to {most['labels']:.0f} labelled queries it pays here: {points(most)} over as many steps"
    return said + (f", {points(least)} with {least['labels']:.0f}." if len(better) > 1 else ".")


def points(row: Any) -> str:
    return f"{100 * row['gain']:+.1f} points [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"


def rendered(rows: pd.DataFrame, metric: str) -> str:
    """The table and the conclusion of each objective, in Markdown."""
    table = gains(rows, metric)
    body = [
        [row["arm"], f"{row['labels']:.0f}", numbers.defined(row["value"]), numbers.defined(row["control"]),
         points(row), numbers.p_value(row["p_holm"])]
        for row in table.to_dict("records")
    ]  # fmt: skip
    head = ["with", "labelled queries", metric, f"{CONTROL}: as many steps without", "gain", "Holm's p"]
    untuned = rows[rows["labels"] < 0].groupby("arm", sort=False)[metric].mean()
    first = "Untuned: " + ", ".join(f"{str(arm).split(',')[0]} {value:.3f}" for arm, value in untuned.items()) + "."
    lines = [conclusion(table, arm) for arm in ARMS]
    return "\n\n".join([pipe_table(head, body), first, *lines]) + "\n"
