"""Rated texts of a labelled file, and of files without labels, as one table with targets, groups and folds."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from whyrank.core.errors import UserError
from whyrank.core.options.files import Files
from whyrank.core.options.ratings import Ratings
from whyrank.core.prepared import RATING_COLUMNS
from whyrank.data.files.cells import CellError, read_id, read_title
from whyrank.data.files.readers import PLAIN, Row
from whyrank.data.ratings.columns import Targets, find_targets
from whyrank.data.ratings.files import RatingFile, read_files, unread
from whyrank.data.ratings.folds import fold_table, folds, group_numbers, leak_keys
from whyrank.data.ratings.targets import target_table

FIELDS = ("title", "body", "answer")


@dataclass(frozen=True)
class RatingSet:
    """rows     `RATING_COLUMNS` without the two numbers of texts, then the targets: those to train on, of the test,
             unlabelled ones, each in the order of the file
    tables   for reports: rating_targets, rating_folds, rating_columns, rating_unread; none where no ratings were asked
             for
    """

    rows: pd.DataFrame
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def read_ratings(options: Ratings, how: Files = PLAIN) -> RatingSet:
    """Read, judge and fold; no row where none are to be read. The same rows share a fold in any order.

    Raises UserError, with file, line, column, value and remedy, for whatever the user has to fix.
    """
    if not options.read:
        return RatingSet(pd.DataFrame(columns=RATING_COLUMNS[:-2]))
    files = read_files(options, how)
    targets = find_targets(files["train"], options, how.numbers)
    read = [row for use, file in files.items() for row in _read_rows(file, use, options)]
    rows = pd.DataFrame(read, columns=["rating_id", "use", "group", *FIELDS])
    _refuse_repeated(rows, files)
    rows["group"] = group_numbers(rows["group"].tolist())
    is_train_N = (rows["use"] == "train").to_numpy()
    train = rows[is_train_N]
    fold_N = folds(train["group"].to_numpy(), options.folds)
    rows["fold"] = np.int64(-1)
    rows.loc[is_train_N, "fold"] = fold_N
    keys = leak_keys(train[list(FIELDS)].to_numpy().tolist(), targets.label_NT)
    return RatingSet(
        _with_targets(rows, is_train_N, targets),
        {
            "rating_targets": target_table(targets.names, targets.label_NT, fold_N),
            "rating_folds": fold_table(fold_N, train["group"].to_numpy(), keys),
            "rating_columns": targets.table,
            "rating_unread": pd.DataFrame({"file": unread(options, files)}, dtype=str),
        },
    )


def _read_rows(file: RatingFile, use: str, options: Ratings) -> Iterator[tuple[Any, ...]]:
    """rating_id, use, text of the group ("" where a file without targets names none), title, body, answer"""
    columns = asdict(options.text)
    for key in FIELDS:
        if columns[key]:
            file.check_column(columns[key], f"prepare.ratings.text.{key}")
    file.check_column(options.id, "prepare.ratings.id")
    is_grouped = use == "train" or options.group in file.columns
    if is_grouped:
        file.check_column(options.group, "prepare.ratings.group")
    for row in file.rows:
        try:
            key = read_id(row.cells, options.id)
            group = read_id(row.cells, options.group) if is_grouped else ""
            texts = [read_title(row.cells, columns[name]) if columns[name] else "" for name in FIELDS]
        except CellError as fault:
            reason = fault.reason.replace("id", "group") if fault.column == options.group else fault.reason
            file.refuse(row, fault.column, fault.value, f"is refused: {reason}", "fix or remove the row")
        _refuse_empty(file, row, texts, [column for column in columns.values() if column])
        yield (key, use, group, *texts)


def _refuse_empty(file: RatingFile, row: Row, texts: Sequence[str], columns: Sequence[str]) -> None:
    if not any(texts):
        file.refuse(row, " and ".join(columns), "", "is all the text of the row", "add one or remove the row")


def _refuse_repeated(rows: pd.DataFrame, files: dict[str, RatingFile]) -> None:
    repeated = np.flatnonzero(rows["rating_id"].duplicated())
    if len(repeated):
        row = rows.iloc[repeated[0]]
        lines = [(use, line.line) for use, file in files.items() for line in file.rows]
        use, line = lines[repeated[0]]
        raise UserError(
            f"{files[use].name} line {line}: id '{row['rating_id']}' stands in another row too; give each row its own, "
            "or name another column with prepare.ratings.id"
        )


def _with_targets(rows: pd.DataFrame, is_train_N: np.ndarray, targets: Targets) -> pd.DataFrame:
    label_NT = np.full((len(rows), len(targets.names)), np.nan)
    label_NT[is_train_N] = targets.label_NT
    labels = pd.DataFrame(label_NT, columns=targets.names, index=rows.index)
    return pd.concat([rows[RATING_COLUMNS[:-2]], labels], axis=1)
