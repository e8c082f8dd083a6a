"""Numbers as people write them: plain ones, and spellings that are read where a parameter says so."""

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from whyrank.core.options.files import Spelling

_WHOLE = r"(?:\d{1,3}(?:[. '\u2019\u00a0\u202f]\d{3})+|\d*)"
_COMMA = re.compile(rf"([+-]?{_WHOLE}),(\d+)")
_PLAIN = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_EITHER = rf"({_PLAIN}|[+-]?\d*,\d+)"
_PERCENT = re.compile(rf"{_EITHER}\s*(?:%|\uff05|\u066a|percent|pct\.?|prozent|per cent|pour cent)", re.IGNORECASE)
_FRACTION = re.compile(rf"{_EITHER}\s*(?:[/\u2044\u2215÷]|of|out of|von|sur)\s*{_EITHER}", re.IGNORECASE)
_BOOLEAN = re.compile("(true|yes)|false|no", re.IGNORECASE)
# Begins like a number, or is one character that is: `4 stars`, `½`, `~0.8`, `★★★`; no date or time.
_NEAR = re.compile(r"[~<>≈±]?\s*[+-]?[.,]?\d[\d.,' ]*\D{0,12}|[★☆⭐*✓✗]{1,10}")
_DATE = re.compile(r"\d{1,4}[-/.:]\d{1,2}[-/.:]\d{1,4}.*|\d{1,2}:\d{2}.*")
NAMES: dict[str, str] = {
    "comma": "numbers with a decimal comma",
    "percent": "percentages",
    "fraction": "fractions",
    "boolean": "truth values",
    "other": "numbers with something else beside them",
}


def number(value: Any, spellings: Sequence[Spelling] = ()) -> float:
    """The finite number in a cell, plain or in one of the spellings; NaN where it is none."""
    # Python takes 1_0 for 10; in a cell it is a code.
    is_code = isinstance(value, str) and "_" in value
    try:
        found = math.nan if value is None or is_code else float(value)
    except (TypeError, ValueError, OverflowError):
        text = _tidy(value) if isinstance(value, str) else ""
        how = spelling(text)
        found = _READERS[how](text) if how in spellings or how == "plain" else math.nan
    return found if math.isfinite(found) else math.nan


def spelling(value: Any) -> str:
    """How a number is written: plain, a `Spelling`, other, or "" for what is no number."""
    text = _tidy(value) if isinstance(value, str) else ""
    if re.fullmatch(_PLAIN, text):
        return "plain"
    for name, pattern in _PATTERNS.items():
        if pattern.fullmatch(text):
            return name
    is_near = _NEAR.fullmatch(text) and not _DATE.fullmatch(text)
    return "other" if is_near or (len(text) == 1 and unicodedata.category(text) == "No") else ""


def remedy(*ways: str) -> str:
    """What to do about cells in these spellings."""
    if "other" in ways:
        return "write plain numbers, such as 0.8"
    return f"read them with -S 'prepare.files.numbers=[{','.join(sorted(set(ways)))}]'"


def _tidy(value: str) -> str:
    """Typographic minus signs, and decimal points of Arabic and East Asian scripts, as plain ones."""
    return value.strip().replace("\u2212", "-").replace("\u066b", ".").replace("\uff0e", ".")


def _comma(text: str) -> float:
    found = _COMMA.fullmatch(text)
    assert found, text
    return float(f"{re.sub(r'[^+0-9-]', '', found[1])}.{found[2]}")


def _part(text: str) -> float:
    return float(text.replace(",", "."))


def _percent(text: str) -> float:
    found = _PERCENT.fullmatch(text)
    assert found, text
    return _part(found[1]) / 100


def _fraction(text: str) -> float:
    found = _FRACTION.fullmatch(text)
    assert found, text
    whole = _part(found[2])
    return _part(found[1]) / whole if whole else math.nan


def _boolean(text: str) -> float:
    found = _BOOLEAN.fullmatch(text)
    assert found, text
    return float(found[1] is not None)


_PATTERNS = {"comma": _COMMA, "percent": _PERCENT, "fraction": _FRACTION, "boolean": _BOOLEAN}
_READERS: dict[str, Callable[[str], float]] = {
    "plain": float,
    "comma": _comma,
    "percent": _percent,
    "fraction": _fraction,
    "boolean": _boolean,
}
