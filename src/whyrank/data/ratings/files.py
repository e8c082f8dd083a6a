"""Files of rated rows: which there are, and their rows with the first fault that the user has to fix."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from whyrank.core.errors import UserError
from whyrank.core.options.files import Files
from whyrank.core.options.ratings import Ratings
from whyrank.data.files.cells import listed, printable
from whyrank.data.files.lines import reading
from whyrank.data.files.places import below, is_data
from whyrank.data.files.readers import PLAIN, Row, name_and_format, read_rows

USES = ("train", "test", "unlabelled")


@dataclass(frozen=True)
class RatingFile:
    """`name` is what the user calls it; no row has a fault, and there is at least one."""

    name: str
    rows: list[Row]

    @cached_property
    def columns(self) -> list[str]:
        """Of all rows: a row of JSON may lack one."""
        return list(dict.fromkeys(column for row in self.rows for column in row.cells))

    def check_column(self, column: str, key: str) -> None:
        """Raises UserError where the column that a parameter names is not there."""
        if column not in self.columns:
            raise UserError(f"{self.name}: no column '{column}' (found {listed(self.columns)}); fix {key}")

    def refuse(self, row: Row, column: str, value: Any, reason: str, remedy: str) -> NoReturn:
        """Raises UserError with the place and the value."""
        raise UserError(
            f"{self.name} line {row.line}, column '{column}': {printable(value)!r} {reason}; {remedy}"
        ) from None


def read_files(options: Ratings, how: Files = PLAIN) -> dict[str, RatingFile]:
    """Use -> file, of train and, where they are named, test and unlabelled. Raises UserError for what is not there."""
    source = Path(options.source)
    found = {"train": _read(_labelled(source), how)}
    for use in USES[1:]:
        name = getattr(options, use)
        if name:
            found[use] = _read(_beside(source, name, f"prepare.ratings.{use}"), how)
    return found


def unread(options: Ratings, files: dict[str, RatingFile]) -> list[str]:
    """Names of what lies in a source folder and is none of the files that were read, but for what is no data."""
    source, read = Path(options.source), {Path(file.name) for file in files.values()}
    if not source.is_dir():
        return []
    return [str(path) for path in sorted(source.iterdir()) if path not in read and is_data(path)]


def _labelled(source: Path) -> Path:
    """The file itself, or the one named `train` in a folder."""
    if not source.is_dir():
        return source
    with reading(source):
        everything = sorted(source.iterdir())
    found = [path for path in everything if name_and_format(path)[0].lower() == "train" and name_and_format(path)[1]]
    if len(found) != 1:
        names = listed(path.name for path in found or everything) or "none"
        raise UserError(f"{source}: a folder of ratings needs one file train.csv or train.parquet (found {names})")
    return found[0]


def _beside(source: Path, name: str, key: str) -> Path:
    """A file in the source folder: DVC watches that folder, and would not see a file elsewhere change."""
    if not source.is_dir():
        raise UserError(
            f"params.yaml: `{key}` is {name!r}, which is not in the folder `prepare.ratings.source` ({source}); make "
            "that a folder with train.csv and this file in it"
        )
    return below(source, source / name, f"`{key}`", "prepare.ratings.source")


def _read(path: Path, how: Files) -> RatingFile:
    rows = read_rows(path, how)
    for row in rows:
        if row.fault:
            raise UserError(f"{path} line {row.line}: {row.fault}: {printable(row.shown)[:80]!r}; fix or remove it")
    return RatingFile(str(path), rows)
