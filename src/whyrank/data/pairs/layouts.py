"""Which columns hold the two texts of a pair and its label."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from whyrank.core.errors import UserError
from whyrank.core.options.params import PairSource
from whyrank.data.files.cells import listed


@dataclass(frozen=True)
class Layout:
    """Names of columns; `subset` may be absent from a file, or empty."""

    text1: str
    text2: str
    label: str
    kind: Literal["classes", "scores"]
    subset: str = ""


# Pairs of columns, and columns of labels by what they hold, the first that is there.
TEXTS = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("sentence_A", "sentence_B"),
    ("question1", "question2"),
    ("text1", "text2"),
)
LABELS = {
    "classes": ("gold_label", "label", "entailment_judgment", "entailment_label", "is_duplicate"),
    "scores": ("score", "relatedness_score", "similarity_score", "similarity"),
}
# The STS benchmark's own files have no header.
STSB_FIELDS = ["genre", "file", "year", "id", "score", "sentence1", "sentence2"]


def find_layout(columns: Iterable[str], source: PairSource, file: str) -> Layout:
    """The columns that the source names, and the known ones in place of others.

    Raises UserError, with the columns, where one is not there, and where the label column is of the other kind.
    """
    found = list(columns)
    stated = source.columns
    for name in filter(None, (stated.text1, stated.text2, stated.label)):
        if name not in found:
            raise UserError(f"{file}: no column '{name}' (found {listed(found)}); fix `columns` of '{source.name}'")
    by_name = {name.lower(): name for name in reversed(found)}
    texts = next((pair for pair in TEXTS if all(name.lower() in by_name for name in pair)), ("", ""))
    text1, text2 = (
        mine or by_name.get(name.lower(), "") for mine, name in zip((stated.text1, stated.text2), texts, strict=True)
    )
    known = {kind: next((by_name[name] for name in names if name in by_name), "") for kind, names in LABELS.items()}
    label = stated.label or known[source.kind]
    if text1 and text2 and label:
        _refuse_one_for_two({"text1": text1, "text2": text2, "label": label}, source, file)
        return Layout(text1, text2, label, source.kind, subset="genre" if source.kind == "scores" else "")
    other = next((kind for kind in LABELS if known[kind]), "")
    naming = f"name the right ones with `columns: {{text1: …, text2: …, label: …}}` of source '{source.name}'"
    if text1 and text2 and other:
        raise UserError(
            f"{file}: column {known[other]} holds {other}, not {source.kind}, and no known column does (found "
            f"{listed(found)}); set `kind: {other}`, or {naming}"
        )
    pairs = " | ".join(", ".join(pair) for pair in TEXTS)
    raise UserError(
        f"{file}: no known columns of sentence pairs (found {listed(found)}); {naming}, or call them {pairs} and "
        f"{' | '.join(LABELS[source.kind])}"
    )


def _refuse_one_for_two(columns: dict[str, str], source: PairSource, file: str) -> None:
    """A column that a parameter names may be the known one of another."""
    keys = [key for key, name in columns.items() if list(columns.values()).count(name) > 1]
    if keys:
        raise UserError(
            f"{file}: column '{columns[keys[0]]}' would be {' and '.join(keys)} of '{source.name}'; name one for each "
            f"with `columns: {{text1: …, text2: …, label: …}}`"
        )


def is_stsb(fields: list[str]) -> bool:
    """Whether the fields of a first line are those of the STS benchmark, with a score where it belongs."""
    if len(fields) < len(STSB_FIELDS):
        return False
    try:
        float(fields[STSB_FIELDS.index("score")])
    except ValueError:
        return False
    return True
