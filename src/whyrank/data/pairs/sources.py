"""Read a source of sentence pairs: a file, a folder of the STS tasks, or one split of a hub set.

A year of the STS tasks has SentEval's layout: `STS.input.<subset>.txt` beside `STS.gs.<subset>.txt`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from whyrank.core.errors import UserError
from whyrank.core.options.files import Files
from whyrank.core.options.params import PairSource
from whyrank.data.files.cells import printable
from whyrank.data.files.lines import lines
from whyrank.data.files.places import below
from whyrank.data.files.readers import FORMATS, Row, name_and_format, read_delimited, read_fields, read_rows
from whyrank.data.pairs.layouts import STSB_FIELDS, Layout, find_layout, is_stsb

STS_LAYOUT = Layout("sentence1", "sentence2", "score", "scores", subset="subset")


def subset_files(folder: Path) -> tuple[dict[str, tuple[Path, Path]], list[Path]]:
    """Subset -> its input file and its gold file, and the files whose counterpart is not there."""
    inputs, gold = (_by_subset(folder, f"STS.{kind}.") for kind in ("input", "gs"))
    both = {subset: (inputs[subset], gold[subset]) for subset in inputs if subset in gold}
    alone = [files[subset] for files in (inputs, gold) for subset in files if subset not in both]
    return both, alone


def read_subset(subset: str, texts: Path, gold: Path, how: Files) -> list[Row]:
    """The pairs in the order of the lines; an empty gold line leaves an empty score.

    Raises UserError where the two files differ in length: scores would stand beside other pairs' texts.
    """
    lengths = [sum(1 for _ in lines(file, how.encoding)) for file in (texts, gold)]
    if lengths[0] != lengths[1]:
        raise UserError(f"{gold} has {lengths[1]} lines, {texts.name} has {lengths[0]}; a pair needs one in each")
    pairs = {row.line: row for row in read_fields(texts, [STS_LAYOUT.text1, STS_LAYOUT.text2], how)}
    # A gold line that cannot be decoded is no number either, and is rejected as that.
    read = read_fields(gold, [STS_LAYOUT.label], how)
    scores = {row.line: row.shown if row.fault else row.cells[STS_LAYOUT.label] for row in read}
    rows = []
    for line in sorted(pairs.keys() | scores.keys()):
        pair = pairs.get(line, Row(line))
        cells = pair.cells | {STS_LAYOUT.label: scores.get(line, ""), STS_LAYOUT.subset: subset}
        rows.append(Row(line, cells, pair.fault, pair.shown))
    return rows


def _by_subset(folder: Path, prefix: str) -> dict[str, Path]:
    files = sorted(folder.glob(f"{prefix}*.txt"))
    return {file.name.removeprefix(prefix).removesuffix(".txt"): file for file in files}


@dataclass(frozen=True)
class PairTable:
    """Rows of one layout. `names` are the class names that the file itself gives to the ids 0, 1, 2, …"""

    file: str
    label_file: str
    layout: Layout
    rows: list[Row]
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RawPairs:
    """`left_out` are files of a folder that hold texts without scores or scores without texts."""

    tables: list[PairTable]
    left_out: list[str]


def read_pair_source(folder: str | Path, source: PairSource, how: Files) -> RawPairs:
    """Read a source, whose `path` stands below `folder`; format and columns are recognised from the file itself.

    Raises UserError when there is nothing to read, nothing that is recognised, or when it lies outside of `folder`.
    """
    if source.hub and Path(source.hub).is_dir():
        below(folder, Path(source.hub), f"`hub` of source '{source.name}'", "prepare.pairs.folder")
    if source.hub:
        # `datasets` takes seconds to import, and a file does not need it.
        from whyrank.data.files.hub import read_hub_split

        file, rows, names = read_hub_split(source.hub, source.config, source.split or source.use)
        return RawPairs([_table(file, rows, source, names)], [])
    path = below(folder, Path(folder) / source.path, f"`path` of source '{source.name}'", "prepare.pairs.folder")
    kind = name_and_format(path)[1]
    if path.is_dir() and kind != ".parquet":
        return _read_folder(path, source, how)
    if not (path.is_file() or path.is_dir()):
        raise UserError(f"source '{source.name}': {path} does not exist; fix `path`, or name a hub id with `hub`")
    rows = _read_rows(path, how)
    names = _parquet_classes(path) if kind == ".parquet" and path.is_file() else {}
    return RawPairs([_table(source.path, rows, source, names)], [])


def _read_folder(folder: Path, source: PairSource, how: Files) -> RawPairs:
    subsets, alone = subset_files(folder)
    if not subsets:
        raise UserError(f"{folder}: no STS.input.<subset>.txt beside its STS.gs.<subset>.txt; name a file or add them")
    if source.kind != "scores":
        raise UserError(f"{folder} holds scores, not {source.kind}; set `kind: scores`")
    tables = [
        PairTable(
            file=f"{source.path}/{texts.name}",
            label_file=f"{source.path}/{gold.name}",
            layout=STS_LAYOUT,
            rows=read_subset(subset, texts, gold, how),
        )
        for subset, (texts, gold) in subsets.items()
    ]
    return RawPairs(tables, [f"{source.path}/{file.name}" for file in alone])


def _table(file: str, rows: list[Row], source: PairSource, names: Mapping[str, list[str]]) -> PairTable:
    if not rows:
        raise UserError(f"{file} is empty; it needs at least one row")
    columns = {column: None for row in rows if not row.fault for column in row.cells}
    if not columns:
        first = rows[0]
        raise UserError(
            f"{file}: no readable row; the first, line {first.line}, {first.fault}: '{printable(first.shown)[:80]}'; "
            "fix the rows"
        )
    layout = find_layout(columns, source, file)
    return PairTable(file, file, layout, rows, names.get(layout.label, []))


def _read_rows(path: Path, how: Files) -> list[Row]:
    """The name does not tell: the STS benchmark's .csv files and SICK's .txt files are tab separated."""
    kind = name_and_format(path)[1]
    if kind in (".jsonl", ".parquet"):
        return read_rows(path, how)
    if not kind and ".txt" not in path.suffixes[-2:]:
        raise UserError(f"{path}: '{path.suffix}' is no format of sentence pairs; use .txt or one of {FORMATS}")
    first = next((line for _, line in lines(path, how.encoding) if line.strip()), "")
    if is_stsb(first.split("\t")):
        return list(read_fields(path, STSB_FIELDS, how))
    return list(read_delimited(path, how))


def _parquet_classes(path: Path) -> dict[str, list[str]]:
    """Column -> class names, where `datasets` wrote the file and left its features in the schema."""
    described = json.loads((pq.read_schema(path).metadata or {}).get(b"huggingface", b"{}"))
    features = described.get("info", {}).get("features", {})
    return {column: feature["names"] for column, feature in features.items() if "names" in feature}
