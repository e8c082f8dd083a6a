"""Files in and out. Every output is written under a temporary name and renamed, so that none is ever half there."""

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from whyrank.core.errors import UserError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` with the same suffix; it takes the name `path` when the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private to the user; a result file is as readable as the umask allows.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary sibling folder; it replaces `path` as a whole when the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        _take_place(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _take_place(new: Path, path: Path) -> None:
    """POSIX replaces no folder that has files: two renames, with the old folder kept until the new one is in place."""
    if not path.exists():
        new.rename(path)
        return
    old = new.with_name(f"{new.name}.old")
    path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old)


def newest_first(folder: Path, pattern: str = "*") -> dict[Path, os.stat_result]:
    """What lies in a folder, with its size and time of use, last used first.

    What another process renames or drops meanwhile, such as its temporary file, is left out.
    """
    found = {}
    for path in folder.glob(pattern):
        with suppress(FileNotFoundError):
            found[path] = path.stat()
    return dict(sorted(found.items(), key=lambda item: -item[1].st_mtime))


def write_text(path: str | Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Indented JSON in the order given; NaN and infinity are refused because no JSON reader must take them."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def write_metrics(path: str | Path, metrics: Mapping[str, float | int]) -> None:
    """A flat JSON of finite numbers, as `dvc metrics diff` needs it.

    An undefined value has to be left out by the caller and counted beside the others, so a non-finite one is our fault.
    Floats are rounded to 6 decimals: finer differences are noise and would fill `dvc metrics diff`.
    """
    for name, value in metrics.items():
        assert isinstance(value, int | float | np.number) and math.isfinite(value), f"metric {name} = {value!r}"
    write_json(path, {name: _plain(value) for name, value in metrics.items()})


def _plain(value: float | int | np.integer | np.floating) -> float | int:
    return int(value) if isinstance(value, int | np.integer) else round(float(value), 6)


def read_json(path: str | Path) -> Any:
    return json.loads(_existing(path).read_text(encoding="utf-8"))


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Parquet or CSV by suffix; the same table gives the same bytes."""
    with replacing(path) as temporary:
        if temporary.suffix == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            assert temporary.suffix == ".csv", temporary
            table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")


def read_table(path: str | Path) -> pd.DataFrame:
    """Of CSV an empty cell alone is missing: `NA` and `None` are names that users give."""
    path = _existing(path)
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def write_array(path: str | Path, array: np.ndarray) -> None:
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array, allow_pickle=False)


def read_array(path: str | Path) -> np.ndarray:
    return np.load(_existing(path), allow_pickle=False)


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; run `dvc repro` to make it, or `dvc pull` to fetch it")
    return path
