"""Which columns hold the two texts of a pair and its label."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from whyrank.core.errors import UserError
from whyrank.data.files.cells import listed


@dataclass(frozen=True)
class Layout:
    """Names of columns; `subset` may be absent from a file."""

    text1: str
    text2: str
    label: str
    kind: Literal["classes", "scores"]
    subset: str = ""


SCORED = Layout("sentence1", "sentence2", "score", "scores", subset="genre")
LAYOUTS = (
    Layout("premise", "hypothesis", "label", "classes"),
    Layout("sentence1", "sentence2", "gold_label", "classes"),
    Layout("sentence_A", "sentence_B", "entailment_judgment", "classes"),
    Layout("sentence_A", "sentence_B", "relatedness_score", "scores"),
    SCORED,
)
# The STS benchmark's own files have no header.
STSB_FIELDS = ["genre", "file", "year", "id", "score", "sentence1", "sentence2"]


def find_layout(columns: Iterable[str], kind: str, file: str) -> Layout:
    """The first layout of this kind whose columns are there. Raises UserError, with the columns, where none is."""
    found = list(columns)
    fitting = [layout for layout in LAYOUTS if {layout.text1, layout.text2, layout.label} <= set(found)]
    if not fitting:
        known = " | ".join(f"{layout.text1}, {layout.text2}, {layout.label}" for layout in LAYOUTS)
        raise UserError(f"{file}: no known columns of sentence pairs (found {listed(found)}); name them {known}")
    of_kind = [layout for layout in fitting if layout.kind == kind]
    if not of_kind:
        holds = fitting[0]
        raise UserError(f"{file}: column {holds.label} holds {holds.kind}, not {kind}; set `kind: {holds.kind}`")
    return of_kind[0]


def is_stsb(fields: list[str]) -> bool:
    """Whether the fields of a first line are those of the STS benchmark, with a score where it belongs."""
    if len(fields) < len(STSB_FIELDS):
        return False
    try:
        float(fields[STSB_FIELDS.index("score")])
    except ValueError:
        return False
    return True
