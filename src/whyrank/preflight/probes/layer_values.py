"""Layers whose weights were set to zero one by one, and layers whose features stand in other places."""

from collections.abc import Iterator

import pandas as pd

from whyrank.findings.finding import Evidence, percent
from whyrank.preflight.probes.layer_faults import Fault

# Share of exact zeros: none in trained encoders, unless they were pruned.
ZEROS = 0.10
# Correlation of a layer's features with those of the layer below: 0.84 and more of all-MiniLM-L6-v2; 0.1 at most of
# features in another order. Where most layers have less than `USUAL`, an architecture does not keep its features.
FOREIGN, USUAL = 0.25, 0.6


def pruned(table: pd.DataFrame) -> Iterator[Fault]:
    rows = table[table["zeros"] >= ZEROS] if "zeros" in table else table.iloc[:0]
    if len(rows):
        share = float(rows["zeros"].max())
        told = (
            f"{100 * share:.0f} % of its weights are exactly zero, as after pruning, which asks for training afterwards"
        )
        yield Fault(
            rows["layer"].tolist(), told, percent("exact zeros in a weight", share).against(100 * ZEROS), "warning"
        )


def foreign(table: pd.DataFrame) -> Iterator[Fault]:
    found = table.loc[table["layer"] > 1, "follows"].dropna() if "follows" in table else pd.Series(dtype=float)
    far = found[found < FOREIGN]
    if len(far) and float(found.max()) >= USUAL and len(far) <= len(found) / 2:
        layers = table.loc[far.index, "layer"].tolist()
        told = f"its features have other places than in the layer below (correlation {far.min():.2f})"
        measured = Evidence("correlation of features with the layer below", float(far.min())).against(FOREIGN)
        yield Fault(layers, told, measured, "error")
