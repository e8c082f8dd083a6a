"""Paragraphs and tables of the report for a terminal."""

import textwrap
from collections.abc import Sequence

from whyrank.diagnosis.compare.text import one_line

WIDTH = 96


def wrapped(text: str) -> str:
    return textwrap.fill(one_line(text), WIDTH, break_on_hyphens=False)


def pipe_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A pipe table padded to its widest cells; names at the start, numbers at the end."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    padded = [
        [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        for row in (header, *rows)
    ]
    lines = [padded[0], ruler, *padded[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
