"""Text of the user's in a CSV file: a spreadsheet that opens the file runs none of it as a formula.

A cell that begins as a formula gets an apostrophe in front, by which spreadsheets know text (OWASP, CSV Injection);
a number is a number, whatever its sign. Reading takes the apostrophe away again, so that ids still meet their tables.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import pandas as pd

FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
# In the cells of a column, joined: most columns have none, and no cell of theirs needs a look.
ANY_FORMULA = re.compile(rf"(?:^|\0)(?:{FORMULA.pattern})")
# Columns of what users name: the id `007` is no 7, and is looked up among ids that are texts.
NAMES = (
    *("query_id", "answer_id", "pair_id", "train_pair_id", "rating_id", "query_left", "query_right", "becomes"),
    *("first", "first_encoder", "first_tfidf", "first_bm25"),
    *("source", "train_source", "subset", "class_name", "stratum", "level", "type", "target", "other", "column"),
)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def safe(table: pd.DataFrame) -> pd.DataFrame:
    """The same table, its texts and names of columns safe in a spreadsheet."""
    return in_texts(table, escaped)


def restored(file: str | Path) -> pd.DataFrame:
    """What `safe` was given, from the CSV. An empty cell alone is missing: `NA` and `None` are names of users."""
    names = dict.fromkeys(NAMES, "str")
    return in_texts(pd.read_csv(file, keep_default_na=False, na_values=[""], dtype=names), unescaped)


def quoting(table: pd.DataFrame) -> Literal[0, 2]:
    """All texts, where one has a carriage return: Python's writer would let it begin a row."""
    texts = [_joined(table.columns), *(_joined(column) for _, column in of_text(table))]
    return csv.QUOTE_NONNUMERIC if any("\r" in text for text in texts) else csv.QUOTE_MINIMAL


def escaped(value: Any) -> Any:
    is_formula = isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value)
    return f"'{value}" if is_formula else value


def unescaped(value: Any) -> Any:
    return value[1:] if isinstance(value, str) and value.startswith("'") and FORMULA.match(value) else value


def in_texts(table: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    found = table.rename(columns=change)
    for place, column in of_text(table):
        if not ANY_FORMULA.search(_joined(column)):
            continue
        found.isetitem(place, column.map(change, na_action="ignore").astype(column.dtype).array)
    return found


def _joined(texts: Iterable[Any]) -> str:
    return "\0".join(text for text in texts if isinstance(text, str))


def of_text(table: pd.DataFrame) -> Iterator[tuple[int, pd.Series]]:
    """Columns that may hold text, with their places."""
    for place, (_, column) in enumerate(table.items()):
        if pd.api.types.is_object_dtype(column.dtype) or pd.api.types.is_string_dtype(column.dtype):
            yield place, column
