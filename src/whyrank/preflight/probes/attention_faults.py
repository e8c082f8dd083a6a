"""Layers whose tokens attend to all others alike, or to one alone."""

from collections.abc import Iterator

import pandas as pd

from whyrank.findings.finding import Evidence
from whyrank.preflight.probes.layer_faults import Fault, graded

# Entropy of what a token attends to, by that of attending to all alike: 0.44 to 0.81 in the layers of
# all-MiniLM-L6-v2 for texts of 16 to 256 tokens and three kinds of text; 0.01 to 0.05 where scores are not divided by
# the root of the head size, 1.00 where queries or keys are zero or as an initialisation draws them.
TO_ONE, TO_ALL = 0.08, 0.98


def attending(table: pd.DataFrame) -> Iterator[Fault]:
    """Scores that saturate, or say nothing. The table is `encoder_layers`, its column `attention` NaN where unknown."""
    width = table.get("attention", pd.Series(dtype=float))
    for is_wrong, bound, worst, told in (
        (width < TO_ONE, TO_ONE, "min", "every token attends to a single one: the scores of its attention saturate"),
        (
            width > TO_ALL,
            TO_ALL,
            "max",
            "every token attends to all others alike: the scores of its attention say nothing",
        ),
    ):
        if is_wrong.any():
            layers, value = table.loc[is_wrong, "layer"].tolist(), float(getattr(width, worst)())
            measured = Evidence("entropy of the attention, by that of attending to all alike", value).against(bound)
            yield Fault(
                layers, f"{told} (entropy {value:.2f}, 1 of all alike)", measured, graded(layers, len(table), "info")
            )
