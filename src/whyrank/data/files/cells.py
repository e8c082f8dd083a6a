"""One cell at a time: the value a raw row holds, or the fault that rejects the row."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from whyrank.core.options.files import Spelling
from whyrank.data.files.numbers import NAMES, number, remedy, spelling

QUESTION = "question"
CONVERSATION = "conversation"
TYPES = (QUESTION, CONVERSATION)


def count_as(declared: Sequence[str], texts: Sequence[str], *, short_conversation: int) -> list[str]:
    """The declared type; where the set declares none (""), a text of `short_conversation` characters or more is a
    conversation."""
    return [
        kind or (QUESTION if len(text) < short_conversation else CONVERSATION)
        for kind, text in zip(declared, texts, strict=True)
    ]


Section = dict[str, str]
# What chat tools call who says a turn, and what they say.
SPEAKER, SAID = ("role", "speaker", "author", "from"), ("text", "content", "value", "message")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN_CHARACTERS = 200
_LISTED = 12
SHOWN_NAME = 40


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
    shown = [printable(name)[:SHOWN_NAME] for name in names]
    return ", ".join(shown[:_LISTED] + ["…"] * (len(shown) > _LISTED))


def read_id(values: Mapping[str, Any], column: str) -> str:
    """A text or a whole number, as a stripped text (Parquet and the hub often hold ids as numbers)."""
    value = values.get(column)
    if isinstance(value, float) and value.is_integer():
        # pandas turns a column of whole numbers with gaps into floats.
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if is_missing(value):
        raise CellError(column, "missing id", None)
    text = _string(value, column).strip()
    if not text:
        raise CellError(column, "missing id", value)
    return text


def read_text(values: Mapping[str, Any], column: str) -> str:
    """A stripped text with at least one visible character."""
    text = read_title(values, column)
    if not is_visible(text):
        raise CellError(column, "empty text", values.get(column))
    return text


def read_title(values: Mapping[str, Any], column: str) -> str:
    """A stripped text, which may be empty."""
    value = values.get(column)
    return "" if is_missing(value) else _string(value, column).strip()


def is_missing(value: Any) -> bool:
    """None, or the NaN that pandas writes for it, into JSON too."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def is_visible(text: str) -> bool:
    return any(c.isprintable() and not c.isspace() for c in text)


def read_type(values: Mapping[str, Any]) -> str:
    """The type as the set says it, in lower case; empty where it says none."""
    value = metadata(values, "type")
    return "" if is_missing(value) else printable(value).strip().lower()[:SHOWN_NAME]


def read_thread(values: Mapping[str, Any]) -> str:
    """What the set calls the thread of a query; empty where it says none."""
    value = metadata(values, "thread")
    return "" if is_missing(value) else printable(value).strip()


def read_sections(values: Mapping[str, Any]) -> list[Section] | None:
    """A list of {title, text}, or None where the document has none."""
    value = _parsed(metadata(values, "sections"), "metadata.sections")
    if value is None or value == []:
        return None
    if not isinstance(value, list) or not all(isinstance(section, dict) for section in value):
        raise CellError("metadata.sections", "malformed sections", value)
    sections = [{key: read_title(section, key) for key in ("title", "text")} for section in value]
    return [section for section in sections if section["title"] or section["text"]] or None


def read_query(values: Mapping[str, Any]) -> str:
    """The text of a query; where it has none, its `metadata.turns`, a line for each."""
    if not is_visible(read_title(values, "text")) and (turns := read_turns(values)):
        return turns
    return read_text(values, "text")


def read_turns(values: Mapping[str, Any]) -> str:
    """A list of turns, each a text or one of `SPEAKER` beside one of `SAID`, as lines `speaker: text`; "" without."""
    value = _parsed(metadata(values, "turns"), "metadata.turns")
    if value is None or value == []:
        return ""
    if not isinstance(value, list) or not all(isinstance(turn, (dict, str)) for turn in value):
        raise CellError("metadata.turns", "malformed turns", value)
    lines = [turn if isinstance(turn, str) else _turn(turn) for turn in value]
    if not is_visible("".join(lines)):
        raise CellError("metadata.turns", "empty turns", value)
    return "\n".join(line.strip() for line in lines if is_visible(line))


def _turn(turn: Mapping[str, Any]) -> str:
    said = next((read_title(turn, key) for key in SAID if not is_missing(turn.get(key))), None)
    if said is None:
        raise CellError("metadata.turns", f"a turn without {' or '.join(SAID)}", dict(turn))
    speaker = next((read_title(turn, key) for key in SPEAKER if not is_missing(turn.get(key))), "")
    return f"{speaker}: {said}" if speaker and is_visible(said) else said


def read_number(values: Mapping[str, Any], column: str, spellings: Sequence[Spelling] = ()) -> float:
    """A finite number, plain or in one of the spellings."""
    value = values.get(column)
    found = math.nan if isinstance(value, bool) else number(value, spellings)
    if math.isnan(found):
        how = spelling(value)
        is_written = how in NAMES
        raise CellError(column, f"{NAMES[how]}; {remedy(how)}" if is_written else "not a finite number", value)
    return found


def metadata(values: Mapping[str, Any], key: str) -> Any:
    """`metadata.<key>`, where it may stand: a flat column `<key>` or `metadata.<key>`, or inside `metadata`; None
    where it is missing there."""
    for column in (f"metadata.{key}", key):
        if not is_missing(values.get(column)):
            return values[column]
    inside = None if is_missing(values.get("metadata")) else _parsed(values["metadata"], "metadata")
    if inside is not None and not isinstance(inside, dict):
        raise CellError("metadata", "not a JSON object", inside)
    return None if not inside or is_missing(inside.get(key)) else inside[key]


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
