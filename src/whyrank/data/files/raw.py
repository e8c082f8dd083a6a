"""A ranking set as it was read: rows that remember where they stand, not yet judged."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from whyrank.core.errors import UserError

Content = TypeVar("Content")
SPLITS = ("train", "dev", "test")
# The hub says "validation" where BEIR says "dev".
SPLIT_NAMES = {"train": "train", "dev": "dev", "validation": "dev", "test": "test"}


@dataclass(frozen=True)
class Row:
    """One record: its 1-based line (row number in Parquet and on the hub), its cells, or why it has none."""

    line: int
    cells: dict[str, Any] = field(default_factory=dict)
    fault: str | None = None
    shown: str = ""


@dataclass(frozen=True)
class RawTable:
    """`file` is the name to show to the user, relative to the source."""

    file: str
    rows: list[Row]


@dataclass(frozen=True)
class RawSource:
    """`qrels` is keyed by split; its one key is `all` when there is one file, which is then ours to split."""

    corpus: RawTable
    queries: RawTable
    qrels: dict[str, RawTable]


def name_splits(found: dict[str, Content], place: str) -> dict[str, Content]:
    """Key qrels by split: `all` when there is one, else train, dev, test in this order, `train` among them."""
    if len(found) == 1:
        return {"all": next(iter(found.values()))}
    unknown = sorted(set(found) - set(SPLIT_NAMES))
    if unknown:
        raise UserError(f"{place}: '{unknown[0]}' is no split; keep one file, or files named train, dev and test")
    named = {SPLIT_NAMES[name]: value for name, value in found.items()}
    if len(named) < len(found) or "train" not in named:
        raise UserError(f"{place}: found {', '.join(sorted(found))}; keep one train, at most one dev and one test")
    return {split: named[split] for split in SPLITS if split in named}
