"""Small ranking sets written to disk, and where the real ones may lie."""

import csv
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from whyrank.core.options import params


def count_words(texts: list[str]) -> list[int]:
    """A tokenizer that knows white space only."""
    return [len(text.split()) for text in texts]


@pytest.fixture
def count_tokens() -> Callable[[list[str]], list[int]]:
    return count_words


@pytest.fixture
def write_set(tmp_path: Path) -> Callable[..., Path]:
    """Write a BEIR folder: answers (id, text), queries (id, text, type), qrels split -> (query, answer, score)."""

    def write(
        answers: Sequence[tuple[str, str]],
        queries: Sequence[tuple[str, str, str]],
        qrels: dict[str, Sequence[tuple[str, str, Any]]],
        name: str = "set",
    ) -> Path:
        folder = tmp_path / name
        (folder / "qrels").mkdir(parents=True)
        corpus = [{"_id": key, "title": "", "text": text} for key, text in answers]
        asked = [{"_id": key, "text": text, "metadata": {"type": kind}} for key, text, kind in queries]
        for stem, rows in (("corpus", corpus), ("queries", asked)):
            (folder / f"{stem}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        for split, judged in qrels.items():
            lines = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in judged)]
            (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
        return folder

    return write


@pytest.fixture
def real_data() -> Path:
    """The folder of real sets; a test that needs it skips where it is absent."""
    root = Path(__file__).parents[2]
    folder = Path(os.environ.get("WHYRANK_REAL_DATA", root.parent / "shared" / "data"))
    if not (folder / "conditionalqa").is_dir():
        pytest.skip(f"no real data in {folder}")
    return folder


@pytest.fixture
def rated_rows() -> list[dict[str, Any]]:
    """24 rows: 12 questions with two answers each, and two targets."""
    return [
        {
            "qa_id": f"r{i:02d}",
            "question_title": f"Title {i // 2}",
            "question_body": f"body of question {i // 2}",
            "answer": f"answer {i}",
            "helpful": i % 5 / 4,
            "has_link": i % 3 // 2,
        }
        for i in range(24)
    ]


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    """Write rows as a CSV file below the temporary folder."""

    def write(rows: Sequence[dict[str, Any]], name: str = "rated.csv") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


@pytest.fixture
def rating_options(options: Callable[..., Any]) -> Callable[..., params.Ratings]:
    """`prepare.ratings` with changes by key."""

    def make(source: Path, **changes: Any) -> params.Ratings:
        keys = {f"ratings.{key}": value for key, value in ({"source": str(source), "read": True} | changes).items()}
        return options("prepare", params.Prepare, keys).ratings

    return make
