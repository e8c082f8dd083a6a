"""The figures of texts as checks read them, see `whyrank.preflight.figures.texts`."""

import math
from typing import NamedTuple

from whyrank.findings.finding import Evidence, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.records import DataRecords

# What data that teach nothing, or the wrong thing, make of every training.
TRAINING = ("underfitted", "overfitted", "tuning-brought-nothing", "worse-than-zero-shot", "worse-than-lexical")
# What answers that nobody can tell apart make of batches, scores and other checks of the data.
ALIKE = (
    "hub-answers",
    "ties-decide-the-metric",
    "cone",
    "false-negatives-in-batch",
    "missing-judgements",
    "hard-negatives-are-right",
)
# What texts that say little, the same, or something else make of rankers and of a small training, which read nothing
# but these texts.
READ = (
    "cannot-learn-by-heart",
    "learns-shuffled-labels",
    "encoder-at-chance",
    "lexical-at-chance",
    "labels-at-chance",
    "below-chance",
    "temperature-flattens",
)
# Share of what is read of the answers that stands in other answers (real ones: 5 % at most), from how many others each
# has it where it is a template, and pieces of so few words that lines alternate: a passage is one piece or two.
BORROWED, TEMPLATE, PIECES, LINE = 0.25, 8.0, 3.0, 20.0


class Figure(NamedTuple):
    """value   of the figure;  texts   that were looked at;  example   of a text"""

    value: float
    texts: int
    example: str

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval of a share (Wilson 1927)."""
        n, z = max(self.texts, 1), 1.96
        centre = self.value + z**2 / (2 * n)
        half = z * math.sqrt(self.value * (1 - self.value) / n + z**2 / (4 * n**2))
        return (centre - half) / (1 + z**2 / n)


class Borrowed(NamedTuple):
    """share   of what is read of the answers that stands in other answers;  sources   from how many each has it
    pieces    of the one that it has most of, of so many `words` each;  example   two answers, and one's text
    """

    share: float
    sources: float
    pieces: float
    words: float
    example: str

    @property
    def is_template(self) -> bool:
        return self.sources >= TEMPLATE

    @property
    def is_interleaved(self) -> bool:
        return not self.is_template and self.pieces >= PIECES and self.words <= LINE


def figure(data: DataRecords, name: str, kind: str) -> Figure | None:
    """None where it was not recorded."""
    found = data.text_figures.get((name, kind))
    return None if found is None else Figure(*found)


def kinds_of(data: DataRecords, name: str) -> list[str]:
    return [kind for one, kind in data.text_figures if one == name]


def rows_file(data: DataRecords, code: str) -> str:
    """The file of the rows to mend; empty where none was written."""
    return "" if data.table(f"rows_{code}").empty else f"metrics/prepare/rows_{code}.csv"


def borrowed(data: DataRecords) -> Borrowed | None:
    """None where answers have little of each other, or nothing was recorded."""
    share = figure(data, "borrowed", "answer")
    named = [figure(data, f"borrowed_{name}", "answer") for name in ("from", "stretches", "words")]
    if share is None or share.value < BORROWED or None in named:
        return None
    sources, pieces, words = (one.value for one in named if one is not None)
    return Borrowed(share.value, sources, pieces, words, named[0].example if named[0] else "")


def no_texts() -> Outcome:
    return not_applicable("data", "texts of a ranking set, read by prepare")


def below(name: str, share: float, threshold: float) -> Outcome:
    """Passed: a share of texts that stays below its threshold."""
    return passed("data", percent(name, share), 100 * threshold)


def shares(**named: float) -> tuple[Evidence, ...]:
    return tuple(percent(name.replace("_", " "), share) for name, share in named.items())
