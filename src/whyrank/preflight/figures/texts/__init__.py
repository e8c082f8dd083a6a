"""Figures of the texts of a ranking set: what they say, what they share, how they were cut, how splits differ."""

import pandas as pd

from whyrank.preflight.figures.texts import (
    cuts,
    damage,
    languages,
    leading,
    openings,
    order,
    overlaps,
    shared_text,
    splits,
    ties,
)
from whyrank.preflight.figures.texts.read import Read, figure_table, rows_table


def tables(read: Read, seed: int) -> dict[str, pd.DataFrame]:
    """By file name in metrics/prepare; none without a ranking set.

    text_figures   figure, kind (of text), value, texts (that were looked at), example
    rows_<code>    rows to mend, see `prepare.corrections`; only where there are any
    """
    if read.prepared.answers.empty or read.prepared.queries.empty:
        return {}
    led, led_rows = leading.figures(read)
    damaged, garbled = damage.figures(read, seed)
    spoken, foreign = languages.figures(read)
    ordered, unordered = order.figures(read, seed)
    garbled = list({row[:2]: row for row in (*unordered, *garbled)}.values())
    borrowed, borrowing = overlaps.figures(read)
    tied, tied_rows = ties.figures(read, {answer for _, answer, _, _ in (*garbled, *foreign)})
    own_Q, _ = ties.ties(read)
    found = [*tied, *led, *damaged, *ordered, *borrowed, *spoken, *shared_text.figures(read), *cuts.figures(read)]
    found += [*splits.figures(read, own_Q, seed), *openings.figures(read)]
    rows = tied_rows | led_rows | {"garbled-texts": garbled, "answers-in-another-language": foreign}
    rows["overlapping-texts"] = borrowing
    return {"text_figures": figure_table(found)} | {
        f"rows_{code}": rows_table(of_code) for code, of_code in rows.items() if of_code
    }
