"""A tokenizer that is not the one of the encoder, or does not know the writing of the texts."""

from collections.abc import Iterator

import pandas as pd

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.records import DataRecords

# Shares of the pieces that are unknown. Chat with its signs and symbols stays far below; from a third on a text is a
# row of gaps.
UNKNOWN, UNKNOWN_MOST = 0.05, 0.30
# Embeddings beyond the vocabulary. Tables are padded to round numbers, by 1 % as a rule, and never by this.
SPARE, SPARE_ROWS = 1.25, 1000
# Share of a vocabulary's pieces with a capital, from which it was learnt from texts with capitals.
CASED_VOCABULARY = 0.05
# Share of the words with a capital, from which it matters.
CASED = 0.01

MATCHING = "put the tokenizer files that came with the weights (tokenizer.json, tokenizer_config.json) beside them"


def tokenizer_mismatch(data: DataRecords) -> Iterator[Finding]:
    """At most one finding: what is unknown most, else how vocabulary and embeddings go together."""
    if "tokenizer" not in data.tables:
        return
    table = data.tables["tokenizer"]
    worst, first = table.iloc[int(table["unknown"].argmax())], table.iloc[0]
    cased = float((table["cased"] * table["pieces"]).sum() / max(table["pieces"].sum(), 1))
    folds = first["lower_cases"] and first["cased_vocabulary"] >= CASED_VOCABULARY and cased >= CASED
    vocabulary, rows = int(first["vocabulary"]), int(first["embeddings"])
    if worst["unknown"] >= UNKNOWN:
        has_capitals = first["cased_vocabulary"] >= CASED_VOCABULARY
        without_capitals = not first["lower_cases"] and not has_capitals and cased >= CASED
        yield _finding(
            table,
            f"The tokenizer does not know {worst['unknown']:.0%} of the pieces of the {worst['kind']}s.",
            "Its vocabulary has no capitals, and it leaves those of the texts as they are."
            if without_capitals
            else "The texts are written in letters or signs that its vocabulary does not have.",
            MATCHING
            if without_capitals
            else "take an encoder made for this language; encoder.source=scratch learns a vocabulary from the answers",
            float(worst["unknown"]),
        )
    elif not vocabulary <= rows <= max(SPARE * vocabulary, vocabulary + SPARE_ROWS):
        yield _finding(
            table,
            f"The tokenizer has {vocabulary} pieces, the encoder {rows} embeddings.",
            "They were not made for each other: a piece gets the embedding of another one.",
            MATCHING,
        )
    elif folds:
        yield _finding(
            table,
            f"The tokenizer takes capitals for small letters, though {first['cased_vocabulary']:.0%} of its pieces "
            "have a capital.",
            "The encoder was trained with capitals: names and abbreviations had pieces that they no longer get.",
            MATCHING,
        )


def _finding(table: pd.DataFrame, sentence: str, cause: str, action: str, unknown: float = 0.0) -> Finding:
    first = table.iloc[0]
    return Finding(
        code="tokenizer-mismatch",
        severity="error" if unknown >= UNKNOWN_MOST else "warning",
        system="prepare",
        sentence=sentence,
        evidence=(
            *(Evidence(f"unknown pieces of {kind}s", value, "share") for kind, value in _by_kind(table, "unknown")),
            *(Evidence(f"pieces per word of {kind}s", value) for kind, value in _by_kind(table, "pieces_per_word")),
            Evidence("pieces of the vocabulary", int(first["vocabulary"]), "pieces"),
            Evidence("embeddings", int(first["embeddings"]), "rows"),
            Evidence("pieces of the vocabulary with a capital", float(first["cased_vocabulary"]), "share"),
        ),
        cause=cause,
        fix=Fix({}, action),
        reference="HF#27583, #2468; silnlp#1053",
        weight=100 * unknown + (CAUSE if unknown >= UNKNOWN_MOST else 0.0),
    )


def _by_kind(table: pd.DataFrame, column: str) -> Iterator[tuple[str, float]]:
    return ((str(kind), float(value)) for kind, value in zip(table["kind"], table[column], strict=True))
