"""Each malformed raw file ends with one line that names it and a remedy, or with a counted row: none is silent."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.data.pairs.read import read_pairs
from whyrank.data.ranking.prepare import read
from whyrank.data.ratings.read import read_ratings

from . import bad_files
from .bad_files import ACCENTED, COLUMNS, JSON, PAIRS, PARQUET, QRELS_ROWS, QUERY_ROWS, RATINGS, TABLES, WHOLE, content

Options = Callable[..., Any]
REMEDY = re.compile(
    r"\b(fix|add|make|save|rename|remove|write|download|unpack|give|run|put|take|read|keep|name|export|needs)\b"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound set; `put` takes the place of one of its files."""
    root = tmp_path / "set"
    (root / "qrels").mkdir(parents=True)
    for stem in COLUMNS:
        (root / f"{stem}{'.tsv' if '/' in stem else '.jsonl'}").write_bytes(
            content(stem, ".tsv" if "/" in stem else ".jsonl")
        )
    return root


def put(folder: Path, name: str) -> Path:
    stem = name.rsplit(".", 1)[0]
    for path in folder.glob(f"{stem}.*"):
        path.unlink()
    return folder / name


def assert_told(error: BaseException, pattern: str, name: str) -> None:
    line = str(error)
    assert "\n" not in line and re.search(pattern, line), line
    assert Path(name).name.split(".")[0] in line and REMEDY.search(line), line


PARTS = [("corpus", ".jsonl"), ("queries", ".csv"), ("qrels/train", ".tsv")]
FORMATS = [(stem, kind) for stem in COLUMNS for kind in (".jsonl", ".csv", ".tsv")]


def read_set(folder: Path, options: Options, **changes: Any) -> Any:
    return read(options("prepare", params.Prepare, {"source": str(folder), "max_rejected": 0.5} | changes))


@pytest.mark.parametrize(("stem", "kind"), FORMATS)
@pytest.mark.parametrize("fault", WHOLE)
def test_a_file_that_is_none_is_named(folder: Path, options: Options, stem: str, kind: str, fault: str) -> None:
    make, said = WHOLE[fault]
    path = put(folder, f"{stem}{kind}")
    make(stem, kind)(path)
    with pytest.raises(UserError) as error:
        read_set(folder, options)
    assert_told(error.value, said, path.name)


@pytest.mark.parametrize(("stem", "kind"), [part for part in FORMATS if part[1] != ".jsonl"])
@pytest.mark.parametrize("fault", TABLES)
def test_a_table_without_a_sound_header_is_named(
    folder: Path, options: Options, stem: str, kind: str, fault: str
) -> None:
    make, said = TABLES[fault]
    path = put(folder, f"{stem}{kind}")
    make(stem, kind)(path)
    with pytest.raises(UserError) as error:
        read_set(folder, options)
    assert_told(error.value, said, path.name)


@pytest.mark.parametrize("stem", COLUMNS)
@pytest.mark.parametrize("fault", JSON)
def test_json_that_is_not_an_object_a_line_is_named(folder: Path, options: Options, stem: str, fault: str) -> None:
    path = put(folder, f"{stem}.jsonl")
    path.write_bytes(JSON[fault][0])
    with pytest.raises(UserError) as error:
        read_set(folder, options)
    assert_told(error.value, JSON[fault][1], path.name)


@pytest.mark.parametrize("stem", ["corpus", "queries"])
@pytest.mark.parametrize("fault", PARQUET)
def test_parquet_that_cannot_be_read_is_named(folder: Path, options: Options, stem: str, fault: str) -> None:
    path = put(folder, f"{stem}.parquet")
    path.write_bytes(PARQUET[fault][0])
    with pytest.raises(UserError) as error:
        read_set(folder, options)
    assert_told(error.value, PARQUET[fault][1], path.name)


def assert_counted(valid: Any, file: str, line: int, reason: str) -> None:
    assert valid.rejected[["file", "line", "reason"]].to_numpy().tolist() == [[file, line, reason]]
    kept = len(valid.answers) + len(valid.queries) + len(valid.qrels)
    assert sum(valid.rows_in.values()) == kept + len(valid.rejected) + len(valid.left_out)
    assert len(valid.queries) >= 29


@pytest.mark.parametrize("fault", QUERY_ROWS)
def test_a_bad_query_is_one_counted_row(folder: Path, options: Options, fault: str) -> None:
    text, reason = QUERY_ROWS[fault]
    with open(folder / "queries.jsonl", "a") as file:
        file.write(f"{text}\n")
    assert_counted(read_set(folder, options), "queries.jsonl", 31, reason)


@pytest.mark.parametrize("fault", QRELS_ROWS)
def test_a_bad_judgement_is_one_counted_row(folder: Path, options: Options, fault: str) -> None:
    text, reason = QRELS_ROWS[fault]
    with open(folder / "qrels/train.tsv", "ab") as file:
        file.write(f"{text}\n".encode("utf-8", "surrogateescape"))
    assert_counted(read_set(folder, options), "qrels/train.tsv", 32, reason)


@pytest.mark.parametrize("stem", ["corpus", "queries"])
def test_another_encoding_is_named(folder: Path, options: Options, stem: str) -> None:
    path = put(folder, f"{stem}.csv")
    path.write_bytes(ACCENTED[stem].encode("cp1252"))
    with pytest.raises(UserError) as error:
        read_set(folder, options)
    assert_told(
        error.value, r"line 2: not UTF-8, as .*; name its encoding with -S prepare\.files\.encoding=cp1252", path.name
    )
    assert read_set(folder, options, **{"files.encoding": "cp1252"}).rejected.empty


SETS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no corpus": (lambda f: put(f, "corpus.jsonl"), "no corpus file; add corpus.jsonl"),
    "no queries": (lambda f: put(f, "queries.jsonl"), "no queries file; add queries.jsonl"),
    "no qrels": (lambda f: put(f, "qrels/train.tsv"), "no qrels file; add train.tsv"),
    "no qrels folder": (lambda f: (put(f, "qrels/train.tsv"), (f / "qrels").rmdir()), "no qrels file"),
    "qrels beside": (
        lambda f: (f / "qrels/train.tsv").rename(f / "qrels.tsv"),
        r"no qrels file \(qrels.tsv lies beside",
    ),
    "qrels a file": (
        lambda f: (put(f, "qrels/train.tsv"), (f / "qrels").rmdir(), (f / "qrels").touch()),
        "qrels is no folder; put the judgements into",
    ),
    "corpus as one JSON": (
        lambda f: put(f, "corpus.jsonl").with_suffix(".json").write_text("[]"),
        "corpus.json is in a format",
    ),
    "corpus twice": (lambda f: (f / "corpus.csv").touch(), "corpus.csv and corpus.jsonl stand side by side"),
    "corpus packed, too": (lambda f: (f / "corpus.jsonl.gz").touch(), "stand side by side"),
    "a split of another name": (lambda f: (f / "qrels/extra.tsv").touch(), "'extra' is no split"),
    "a split twice": (lambda f: (f / "qrels/train.csv").touch(), "one split stands in two files"),
    "no train": (
        lambda f: ((f / "qrels/train.tsv").rename(f / "qrels/dev.tsv"), (f / "qrels/test.tsv").touch()),
        "keep one train",
    ),
    "dev twice": (lambda f: [(f / f"qrels/{n}.tsv").touch() for n in ("dev", "validation")], "keep one train"),
    "a test set of TREC": (lambda f: (f / "qrels/test.qrels").write_text("q0 0 a0 1\n"), "test.qrels is not read"),
    "a source that is a file": (
        lambda f: f.rename(f.with_name("x")) and f.write_text("x"),
        "is no folder; name a folder",
    ),
    "a source that is not there": (lambda f: f.rename(f.with_name("x")), "does not exist; name a folder"),
    "no judgement is positive": (
        lambda f: (f / "qrels/train.tsv").write_bytes(content("qrels/train", ".tsv").replace(b"\t1\n", b"\t0\n")),
        "no query has a relevant answer; give",
    ),
    "nobody knows the ids": (
        lambda f: (f / "qrels/train.tsv").write_bytes(content("qrels/train", ".tsv").replace(b"a", b"doc-")),
        "no column 'corpus-id'|no valid row",
    ),
    "one answer": (
        lambda f: (f / "qrels/train.tsv").write_text("query-id\tcorpus-id\tscore\nq0\ta0\t1\nq1\ta0\t1\n"),
        "there is nothing to rank; add",
    ),
    "half of the answers empty": (
        lambda f: (f / "corpus.jsonl").write_bytes(
            re.sub(
                rb'"title": "[^"]*", "text": "[^"]*"', b'"title": "", "text": " "', content("corpus", ".jsonl"), count=4
            )
            + b'{"_id": "a9", "title": "", "text": ""}\n' * 60
        ),
        "64 of 126 rows are rejected .*column text: empty text: ' ' .*more rows point to them; fix the rows",
    ),
}


@pytest.mark.parametrize("fault", SETS)
def test_a_set_that_lacks_a_part_is_named(folder: Path, options: Options, fault: str) -> None:
    spoil, said = SETS[fault]
    spoil(folder)
    with pytest.raises(UserError) as error:
        read_set(folder, options)
    assert_told(error.value, said, "")


@pytest.mark.parametrize("fault", RATINGS)
def test_a_bad_file_of_ratings_is_named(tmp_path: Path, options: Options, fault: str) -> None:
    text, said = RATINGS[fault]
    (tmp_path / "rated.csv").write_bytes(text)
    keys = {"ratings.read": True, "ratings.source": str(tmp_path / "rated.csv")}
    if not said:
        assert read_ratings(options("prepare", params.Prepare, keys).ratings).rows.columns[-1] == "answer2"
        return
    with pytest.raises(UserError) as error:
        read_ratings(options("prepare", params.Prepare, keys).ratings)
    assert_told(error.value, said, "" if "folds" in said else "rated.csv")


@pytest.mark.parametrize("fault", PAIRS)
def test_a_bad_file_of_pairs_is_named_or_its_row_counted(tmp_path: Path, fault: str) -> None:
    text, said = PAIRS[fault]
    (tmp_path / "pairs.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    source = {"name": "sts", "path": "pairs.csv", "use": "train", "kind": "scores", "range": [0, 5]}
    section = {"pairs": {"folder": str(tmp_path), "sources": [source]}}
    pairs = params.section(section, "pairs", params.Pairs)
    if said.startswith("="):
        found = read_pairs(pairs, max_rejected=0.5, seed=7)
        assert found.rejected[["line", "reason"]].to_numpy().tolist() == [[26, said[1:]]]
        assert found.counts[["rows_read", "rejected", "kept"]].to_numpy().tolist() == [[25, 1, 24]]
        return
    with pytest.raises(UserError) as error:
        read_pairs(pairs, max_rejected=0.5, seed=7)
    assert_told(error.value, said, "pairs.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/train.tsv", "qrels"])
def test_what_may_not_be_read_is_named(folder: Path, options: Options, name: str) -> None:
    (folder / name).chmod(0)
    with pytest.raises(UserError, match=r"cannot be read .Permission denied.; fix the file or its permissions"):
        read_set(folder, options)
    (folder / name).chmod(0o755)


def test_the_tables_have_hundreds_of_inputs() -> None:
    tables = [JSON] * 3 + [PARQUET] * 2 + [QUERY_ROWS, QRELS_ROWS, RATINGS, PAIRS, SETS]
    assert sum(map(len, tables)) + len(WHOLE) * len(FORMATS) + len(TABLES) * 6 >= 300


@pytest.mark.slow
@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.csv", "corpus.tsv"])
def test_a_line_of_100_mb_is_read_or_named_within_a_minute(folder: Path, options: Options, name: str) -> None:
    cells = b'"a ""b"", ' * 10_000_000
    put(folder, name).write_bytes(content("corpus", bad_files.Path(name).suffix) + b"a9,\tT," + cells + b"\n")
    with pytest.raises(UserError) as error:
        read_set(folder, options, max_rejected=0.0)
    assert (len(str(error.value)) < 1000 and "line 8" in str(error.value)) or "line 7" in str(error.value)
