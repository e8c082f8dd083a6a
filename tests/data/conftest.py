"""Small ranking sets written to disk, and where the real ones may lie."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest


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
