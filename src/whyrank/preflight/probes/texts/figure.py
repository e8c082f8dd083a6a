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


def figure(data: DataRecords, name: str, kind: str) -> Figure | None:
    """None where it was not recorded."""
    table = data.table("text_figures")
    if table.empty:
        return None
    # A hundred of them are asked for: comparing and slicing tables would take a second.
    places = ((table["figure"].to_numpy() == name) & (table["kind"].to_numpy() == kind)).nonzero()[0]
    if not len(places):
        return None
    value, texts, example = (table[column].to_numpy()[places[0]] for column in ("value", "texts", "example"))
    return Figure(float(value), int(texts), str(example or ""))


def kinds_of(data: DataRecords, name: str) -> list[str]:
    table = data.table("text_figures")
    return [] if table.empty else table.loc[table["figure"] == name, "kind"].tolist()


def rows_file(data: DataRecords, code: str) -> str:
    """The file of the rows to mend; empty where none was written."""
    return "" if data.table(f"rows_{code}").empty else f"metrics/prepare/rows_{code}.csv"


def no_texts() -> Outcome:
    return not_applicable("data", "texts of a ranking set, read by prepare")


def below(name: str, share: float, threshold: float) -> Outcome:
    """Passed: a share of texts that stays below its threshold."""
    return passed("data", percent(name, share), 100 * threshold)


def shares(**named: float) -> tuple[Evidence, ...]:
    return tuple(percent(name.replace("_", " "), share) for name, share in named.items())
