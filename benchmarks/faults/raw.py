"""Read and write the files of a raw folder: what most faults of data and labels need."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]
SPLITS = ("train", "dev", "test")


def read_lines(file: Path) -> list[Row]:
    """corpus.jsonl or queries.jsonl."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]


def write_lines(file: Path, rows: list[Row]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def read_qrels(folder: Path, split: str) -> list[list[str]]:
    """[query id, answer id, score] of one split."""
    lines = (folder / "qrels" / f"{split}.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines[1:] if line]


def write_qrels(folder: Path, split: str, rows: list[list[str]]) -> None:
    text = "query-id\tcorpus-id\tscore\n" + "".join("\t".join(row) + "\n" for row in rows)
    (folder / "qrels").mkdir(exist_ok=True)
    (folder / "qrels" / f"{split}.tsv").write_text(text, encoding="utf-8")


def read_table(file: Path) -> list[dict[str, str]]:
    """A CSV of pairs or ratings."""
    with open(file, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write_table(file: Path, rows: list[dict[str, str]]) -> None:
    with open(file, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def edit_answers(folder: Path, edit: Callable[[int, Row], None]) -> None:
    """Call `edit(number, row)` on each answer, which changes the row; sections, which repeat the text, are dropped."""
    _edit(folder / "corpus.jsonl", edit)


def edit_queries(folder: Path, edit: Callable[[int, Row], None]) -> None:
    _edit(folder / "queries.jsonl", edit)


def _edit(file: Path, edit: Callable[[int, Row], None]) -> None:
    rows = read_lines(file)
    for number, row in enumerate(rows):
        row.get("metadata", {}).pop("sections", None)
        edit(number, row)
    write_lines(file, rows)
