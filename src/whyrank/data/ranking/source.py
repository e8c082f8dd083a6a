"""A source in BEIR layout: a folder with `corpus.*`, `queries.*` and `qrels/*`, or a hub id."""

import re
from dataclasses import replace
from pathlib import Path

from whyrank.core.errors import UserError
from whyrank.core.options.files import Files
from whyrank.data.files.lines import reading
from whyrank.data.files.places import is_data
from whyrank.data.files.readers import (
    FORMATS,
    PLAIN,
    SPLIT_NAMES,
    RawSource,
    RawTable,
    name_and_format,
    name_splits,
    read_rows,
)

COLUMNS = "query-id, corpus-id, score"
STEMS = ("corpus", "queries")


def read_source(source: str | Path, how: Files = PLAIN, *, test_alone: str = "refuse") -> RawSource:
    """Read a folder in BEIR layout, or else a hub id through `datasets`.

    test_alone   split: judgements called test or dev alone are split as those of any name; keep: all are of test
    Raises UserError when a file is missing, stands there twice, is empty, or has a name that is no split, when a file
    of judgements is in a format that is not read, and for judgements of a test set alone.
    """
    folder = Path(source)
    if not folder.is_dir() or ((folder / "README.md").exists() and not _named(folder, "corpus")):
        if not _may_be_hub_id(folder):
            what = "is no folder" if folder.exists() else "does not exist"
            raise UserError(f"source {folder} {what}; name a folder in BEIR layout or a hub id")
        # `datasets` takes seconds to import, and a folder does not need it.
        from whyrank.data.files.hub import read_hub

        found = read_hub(str(source))
    else:
        found = _read_folder(folder, how)
    if "all" in found.qrels and _is_held_out(file := found.qrels["all"].file):
        if test_alone == "refuse":
            raise _refusal(file)
        if test_alone == "keep":
            return replace(found, qrels={"test": found.qrels["all"]})
    return found


def _read_folder(folder: Path, how: Files) -> RawSource:
    with reading(folder):
        corpus, queries = (_only_file(folder, stem) for stem in STEMS)
        qrels = _qrels_files(folder / "qrels")
        unread = _unread(folder, {corpus, queries, *qrels.values()})
    return RawSource(
        corpus=_read_file(corpus, folder, how),
        queries=_read_file(queries, folder, how),
        qrels={split: _read_file(path, folder, how) for split, path in qrels.items()},
        unread=unread,
    )


def _is_held_out(file: str) -> bool:
    """Whether judgements are those of a test or dev set, by their name."""
    called = _splits_in(name_and_format(Path(file))[0])
    return bool(called) and "train" not in called


def _refusal(file: str) -> UserError:
    """Judgements of a test set are not trained on because they are alone."""
    called = min(_splits_in(name_and_format(Path(file))[0]))
    return UserError(
        f"{file} holds the only judgements, and is called {called}: part of it would be trained on; to allow "
        "that, and have it split into train, dev and test, set -S prepare.split.test_alone=split; or add train.tsv"
    )


def _may_be_hub_id(source: Path) -> bool:
    """Not for `data/raw/x` or `/x`, nor for a name in a folder that exists: those are mistyped folders."""
    if source.is_dir():
        return True
    parent = str(source.parent)
    return bool(re.fullmatch(r"[\w.-]+(/[\w.-]+)?", str(source))) and (parent == "." or not source.parent.exists())


def _named(folder: Path, stem: str, *, is_read: bool = True) -> list[Path]:
    """What in the folder has this name, in a format that is read or in one that is not."""
    found = [path for path in sorted(folder.iterdir()) if name_and_format(path)[0].lower() == stem]
    return [path for path in found if bool(name_and_format(path)[1]) == is_read]


def _only_file(folder: Path, stem: str) -> Path:
    found = _named(folder, stem)
    if not found:
        other = _named(folder, stem, is_read=False)
        beside = f"; {other[0].name} is in a format that is not read" if other else ""
        raise UserError(f"{folder}: no {stem} file{beside}; add {stem}.jsonl, or another of {FORMATS}")
    if len(found) > 1:
        raise UserError(f"{folder}: {found[0].name} and {found[1].name} stand side by side; keep one of them")
    return found[0]


def _qrels_files(place: Path) -> dict[str, Path]:
    if place.exists() and not place.is_dir():
        raise UserError(f"{place} is no folder; put the judgements into qrels/train.tsv")
    everything = sorted(place.iterdir()) if place.exists() else []
    files = [path for path in everything if name_and_format(path)[1]]
    found = {name_and_format(path)[0].lower(): path for path in files}
    for path in everything:
        # What is called like a split would change what is trained on and tested.
        called = _splits_in(path.name)
        if path not in files and (called - {SPLIT_NAMES.get(name) for name in found} or (is_data(path) and not files)):
            raise UserError(
                f"{path} is not read: its format is none of {FORMATS}; write it as {min(called, default='train')}.tsv "
                f"with the columns {COLUMNS} in its first line, or take it out of the folder"
            )
    if not files:
        beside = [path.name for path in sorted(place.parent.iterdir()) if "qrels" in path.name and path != place]
        lies = f" ({', '.join(beside)} lies beside the folder)" if beside else ""
        raise UserError(f"{place}: no qrels file{lies}; add train.tsv with the columns {COLUMNS}")
    if len(found) < len(files):
        raise UserError(f"{place}: one split stands in two files ({', '.join(p.name for p in files)}); keep one")
    return name_splits(found, str(place))


def _splits_in(name: str) -> set[str]:
    """The splits that are words of a name: test of `qrels.test`, `test_qrels` and `TEST`."""
    return {SPLIT_NAMES[word] for word in re.split(r"\W|_", name.lower()) if word in SPLIT_NAMES}


def _unread(folder: Path, read: set[Path]) -> list[str]:
    """Names, relative to the folder, of what lies there and is not read, but for what is no data."""
    found = [*sorted(folder.iterdir()), *sorted((folder / "qrels").iterdir())]
    rest = [path for path in found if path not in read and path != folder / "qrels"]
    return [str(path.relative_to(folder)) for path in rest if is_data(path)]


def _read_file(path: Path, folder: Path, how: Files) -> RawTable:
    return RawTable(str(path.relative_to(folder)), read_rows(path, how))
