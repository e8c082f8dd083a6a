"""One cell at a time: the value a raw row holds, or the fault that rejects the row."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

QUESTION = "question"
CONVERSATION = "conversation"
TYPES = (QUESTION, CONVERSATION)


def count_as(declared: Sequence[str], texts: Sequence[str], *, short_conversation: int) -> list[str]:
    """A conversation of fewer than `short_conversation` characters counts as a question; a question stays one.

    declared   "question", "conversation", or "" where the set declares no types: then the length alone decides
    """
    return [
        QUESTION if kind == QUESTION or len(text) < short_conversation else CONVERSATION
        for kind, text in zip(declared, texts, strict=True)
    ]


Section = dict[str, str]
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN_CHARACTERS = 200
_LISTED = 12


class CellError(Exception):
    """Why a row is rejected: the column, the reason and the value."""

    def __init__(self, column: str, reason: str, value: Any) -> None:
        super().__init__(reason)
        self.column, self.reason, self.value = column, reason, value


def printable(value: Any) -> str:
    """The value as at most 200 printable characters."""
    text = value if isinstance(value, str) else "" if value is None else repr(value)
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:_SHOWN_CHARACTERS])
    return "".join(shown)[:_SHOWN_CHARACTERS]


def listed(names: Iterable[str]) -> str:
    """At most 12 names for a message, each of at most 40 characters."""
    shown = [printable(name)[:40] for name in names]
    return ", ".join(shown[:_LISTED] + ["…"] * (len(shown) > _LISTED))


def read_id(values: Mapping[str, Any], column: str) -> str:
    """A text or a whole number, as a stripped text (Parquet and the hub often hold ids as numbers)."""
    value = values.get(column)
    if isinstance(value, float) and value.is_integer():
        # pandas turns a column of whole numbers with gaps into floats.
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise CellError(column, "missing id", None)
    text = _string(value, column).strip()
    if not text:
        raise CellError(column, "missing id", value)
    return text


def read_text(values: Mapping[str, Any], column: str) -> str:
    """A stripped text with at least one visible character."""
    value = values.get(column)
    if value is None:
        raise CellError(column, "empty text", None)
    text = _string(value, column).strip()
    if not any(c.isprintable() and not c.isspace() for c in text):
        raise CellError(column, "empty text", value)
    return text


def read_title(values: Mapping[str, Any], column: str) -> str:
    value = values.get(column)
    return "" if value is None else _string(value, column).strip()


def read_type(values: Mapping[str, Any]) -> str:
    value = metadata(values, "type")
    kind = value.strip().lower() if isinstance(value, str) else value
    if kind not in TYPES:
        raise CellError("metadata.type", "unknown type", value)
    return str(kind)


def has_type(values: Mapping[str, Any]) -> bool:
    try:
        return metadata(values, "type") not in (None, "")
    except CellError:
        return True


def read_sections(values: Mapping[str, Any]) -> list[Section] | None:
    """A list of {title, text}, or None where the document has none."""
    value = _parsed(metadata(values, "sections"), "metadata.sections")
    if value is None or value == []:
        return None
    if not isinstance(value, list) or not all(isinstance(section, dict) for section in value):
        raise CellError("metadata.sections", "malformed sections", value)
    sections = [{key: read_title(section, key) for key in ("title", "text")} for section in value]
    return [section for section in sections if section["title"] or section["text"]] or None


def read_number(values: Mapping[str, Any], column: str) -> float:
    """A finite number."""
    value = values.get(column)
    try:
        number = math.nan if isinstance(value, bool | None) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise CellError(column, "not a finite number", value)
    return number


def read_score(values: Mapping[str, Any], column: str) -> float:
    """A finite number, zero or more; zero is a judgement (not relevant), a negative one has no gain."""
    score = read_number(values, column)
    if score < 0:
        raise CellError(column, "negative score", values.get(column))
    return score


def metadata(values: Mapping[str, Any], key: str) -> Any:
    """`metadata.<key>`, where it may stand: a flat column `<key>` or `metadata.<key>`, or inside `metadata`."""
    for column in (f"metadata.{key}", key):
        if values.get(column) is not None:
            return values[column]
    inside = _parsed(values.get("metadata"), "metadata")
    if inside is not None and not isinstance(inside, dict):
        raise CellError("metadata", "not a JSON object", inside)
    return inside.get(key) if inside else None


def _parsed(value: Any, column: str) -> Any:
    """JSON kept in a text cell, as CSV must; an empty cell is no value."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise CellError(column, "not JSON", value) from None


def _string(value: Any, column: str) -> str:
    if not isinstance(value, str):
        raise CellError(column, "not text", value)
    if not value.isascii() and _SURROGATE.search(value):
        raise CellError(column, "lone surrogate", value)
    return value
