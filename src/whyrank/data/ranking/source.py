"""A source in BEIR layout: a folder with `corpus.*`, `queries.*` and `qrels/*`, or a hub id."""

import re
from pathlib import Path

from whyrank.core.errors import UserError
from whyrank.data.files.readers import READERS, RawSource, RawTable, name_splits


def read_source(source: str | Path) -> RawSource:
    """Read a folder in BEIR layout, or else a hub id through `datasets`.

    Raises UserError when a file is missing, stands there twice, is empty, or has a name that is no split.
    """
    folder = Path(source)
    if not folder.is_dir() or ((folder / "README.md").exists() and not _candidates(folder, "corpus")):
        if not _may_be_hub_id(folder):
            raise UserError(f"source {folder} does not exist; name a folder in BEIR layout or a hub id")
        # `datasets` takes seconds to import, and a folder does not need it.
        from whyrank.data.files.hub import read_hub

        return read_hub(str(source))
    return RawSource(
        corpus=_read_file(_only_file(folder, "corpus"), folder),
        queries=_read_file(_only_file(folder, "queries"), folder),
        qrels={split: _read_file(path, folder) for split, path in _qrels_files(folder).items()},
    )


def _may_be_hub_id(source: Path) -> bool:
    """Not for `data/raw/x` or `/x`, nor for a name in a folder that exists: those are mistyped folders."""
    if source.is_dir():
        return True
    parent = str(source.parent)
    return bool(re.fullmatch(r"[\w.-]+(/[\w.-]+)?", str(source))) and (parent == "." or not source.parent.exists())


def _candidates(folder: Path, stem: str) -> list[Path]:
    return [folder / f"{stem}{suffix}" for suffix in READERS if (folder / f"{stem}{suffix}").exists()]


def _only_file(folder: Path, stem: str) -> Path:
    found = _candidates(folder, stem)
    if not found:
        raise UserError(f"{folder}: no {stem} file; add one of {', '.join(stem + suffix for suffix in READERS)}")
    if len(found) > 1:
        raise UserError(f"{folder}: {found[0].name} and {found[1].name} stand side by side; keep one of them")
    return found[0]


def _qrels_files(folder: Path) -> dict[str, Path]:
    place = folder / "qrels"
    files = sorted(path for path in place.glob("*") if path.suffix in READERS)
    if not files:
        raise UserError(f"{place}: no qrels file; add train.tsv with the columns query-id, corpus-id, score")
    found = {path.stem: path for path in files}
    if len(found) < len(files):
        raise UserError(f"{place}: one split stands in two files ({', '.join(p.name for p in files)}); keep one")
    return name_splits(found, str(place))


def _read_file(path: Path, folder: Path) -> RawTable:
    rows = list(READERS[path.suffix](path))
    if not rows:
        raise UserError(f"{path} is empty; it needs at least one row")
    return RawTable(str(path.relative_to(folder)), rows)
