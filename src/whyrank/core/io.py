"""Files in and out. Every output is written under a temporary name and renamed, so that none is ever half there."""

import fcntl
import glob
import json
import math
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyarrow.lib import ArrowException

from whyrank.core import spreadsheets
from whyrank.core.errors import UserError, os_error, said_by
from whyrank.core.rerun import remedy
from whyrank.core.signals import interruption

UNFINISHED = ".unfinished-"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` with the same suffix; it takes the name `path` when the block succeeds."""
    path = Path(path)
    with naming(path):
        clear(path.parent, path.stem, path.suffix)
        handle, name = tempfile.mkstemp(prefix=temporary_prefix(path.stem), suffix=path.suffix, dir=path.parent)
        temporary = Path(name)
        try:
            claim(handle)
            yield temporary
            # mkstemp makes files private to the user; a result file is as readable as the umask allows.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
        finally:
            with interruption():
                os.close(handle)
                temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary sibling folder; it replaces `path` as a whole when the block succeeds."""
    path = Path(path)
    with naming(path):
        clear(path.parent, path.name)
        temporary = Path(tempfile.mkdtemp(prefix=temporary_prefix(path.name), dir=path.parent))
        # POSIX replaces no folder that has files: two renames, with the old one kept until the new one is in place.
        old = temporary.with_name(f"{temporary.name}.old")
        handle = os.open(temporary, os.O_RDONLY)
        try:
            claim(handle)
            yield temporary
            with interruption():
                temporary.chmod(0o755)
                if path.exists():
                    path.rename(old)
                temporary.rename(path)
        finally:
            with interruption():
                os.close(handle)
                if old.exists() and not path.exists():
                    old.rename(path)
                for left in (old, temporary):
                    shutil.rmtree(left, ignore_errors=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What the system refuses while `path` is written is an OSError of `path`, not of a temporary name or of none."""
    try:
        yield
    except Exception as error:
        number, name = os_error(error), str(getattr(error, "filename", None) or "")
        if number is None or (name and UNFINISHED not in name and Path(name) not in path.parents):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def temporary_prefix(name: str) -> str:
    return f".{name}{UNFINISHED}"


def claim(handle: int) -> None:
    """Lock a temporary file or folder for as long as this process lives, so that no other takes it for litter."""
    with suppress(OSError):  # a file system without locks
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def clear(folder: Path, name: str, suffix: str = "") -> None:
    """Make `folder`, and remove what a killed process left there in place of a file or folder of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    start = f"{glob.escape(temporary_prefix(name))}????????"
    for left in [*folder.glob(start + glob.escape(suffix)), *folder.glob(f"{start}.old")]:
        with suppress(OSError):
            handle = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            finally:
                os.close(handle)


def listed(folder: Path, pattern: str) -> list[Path]:
    """What lies in a folder, in order; nothing where the system does not let us see it."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def newest_first(folder: Path, pattern: str = "*") -> dict[Path, os.stat_result]:
    """What lies in a folder, with its size and time of use, last used first.

    What another process renames or drops meanwhile, such as its temporary file, is left out; so is what the system
    does not let us see.
    """
    found = {}
    for path in listed(folder, pattern):
        with suppress(OSError):
            found[path] = path.stat()
    return dict(sorted(found.items(), key=lambda item: -item[1].st_mtime))


def write_text(path: str | Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Indented JSON in the order given; NaN and infinity are refused because no JSON reader must take them."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def write_metrics(path: str | Path, metrics: Mapping[str, float | int]) -> None:
    """A flat JSON of finite numbers, as `dvc metrics diff` and `git diff` need it.

    An undefined value has to be left out by the caller and counted beside the others, so a non-finite one is our fault.
    Floats are rounded to 6 decimals: finer differences are noise and would fill both.
    """
    for name, value in metrics.items():
        assert isinstance(value, int | float | np.number) and math.isfinite(value), f"metric {name} = {value!r}"
    write_json(path, {name: _plain(value) for name, value in metrics.items()})


def _plain(value: float | int | np.integer | np.floating) -> float | int:
    return int(value) if isinstance(value, int | np.integer) else round(float(value), 6)


def read_json(path: str | Path) -> Any:
    with reading(path, "JSON") as file:
        return json.loads(file.read_text(encoding="utf-8"))


def write_table(path: str | Path, table: pd.DataFrame, *, is_for_people: bool = True) -> None:
    """Parquet or CSV by suffix; the same table gives the same bytes.

    is_for_people   a spreadsheet runs no cell of the CSV; another program that reads it wants the cells as they are
    """
    assert len(table.columns), f"{path}: a table without a column could not be read again"
    with replacing(path) as temporary:
        if temporary.suffix == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            assert temporary.suffix == ".csv", temporary
            quoting = spreadsheets.quoting(table)
            shown = spreadsheets.safe(table) if is_for_people else table
            shown.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n", quoting=quoting)


def write_tables(path: str | Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Replace a folder by tables, by the names of their files."""
    with replacing_folder(path) as folder:
        for name, table in tables.items():
            write_table(folder / name, table)


def read_table(path: str | Path) -> pd.DataFrame:
    """Parquet or CSV by suffix, as `write_table` wrote it."""
    if Path(path).suffix == ".parquet":
        with reading(path, "Parquet") as file:
            return pd.read_parquet(file)
    with reading(path, "CSV") as file:
        return spreadsheets.restored(file)


def write_array(path: str | Path, array: np.ndarray) -> None:
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array, allow_pickle=False)


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """What `numpy.load` reads of several arrays by name. The bytes are the same under any Python, which those of
    `numpy.savez` are not: 3.11.4 changed how it marks a part of unknown size."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as file:
        for name, array in arrays.items():
            part = BytesIO()
            np.save(part, array, allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), part.getvalue())


def read_lines(path: str | Path) -> list[str]:
    """The lines of a text file in UTF-8, with or without a byte order mark. Raises UserError where it is none."""
    try:
        return Path(path).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({said_by(error)}); name a text file in UTF-8") from error


def read_array(path: str | Path) -> np.ndarray:
    with reading(path, "NumPy array") as file:
        return np.load(file, allow_pickle=False)


@contextmanager
def reading(path: str | Path, kind: str) -> Iterator[Path]:
    """The path of a file of ours. Raises UserError where it is not there or cannot be read, with what makes it anew."""
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; run `dvc repro` to make it, or `dvc pull` to fetch it")
    try:
        yield path
    except (ValueError, EOFError, KeyError, ArrowException) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path} is torn or no {kind} ({said}); {remedy(path)}") from error
