"""Text of the user's in a CSV file: a spreadsheet that opens the file runs none of it as a formula.

A cell that begins as a formula gets an apostrophe in front, by which spreadsheets know text (OWASP, CSV Injection);
a number is a number, whatever its sign. Reading takes the apostrophe away again, so that ids still meet their tables.
"""

import re
from collections.abc import Callable
from typing import Any

import pandas as pd

FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def safe(table: pd.DataFrame) -> pd.DataFrame:
    """The same table, its texts and names of columns safe in a spreadsheet."""
    return in_texts(table, escaped)


def restored(table: pd.DataFrame) -> pd.DataFrame:
    """What `safe` was given."""
    return in_texts(table, unescaped)


def escaped(value: Any) -> Any:
    is_formula = isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value)
    return f"'{value}" if is_formula else value


def unescaped(value: Any) -> Any:
    return value[1:] if isinstance(value, str) and value.startswith("'") and FORMULA.match(value) else value


def in_texts(table: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    found = table.rename(columns=change)
    for place, (_, column) in enumerate(table.items()):
        if pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype):
            found.isetitem(place, column.map(change, na_action="ignore").astype(column.dtype).array)
    return found
