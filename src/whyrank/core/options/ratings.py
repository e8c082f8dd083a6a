"""Where rated texts come from and how they are read, as a typed section of `params.yaml`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Fields:
    """One value for each text field of a rated row; the first two make up the question."""

    title: str
    body: str
    answer: str


@dataclass(frozen=True)
class FieldTokens:
    title: int
    body: int
    answer: int


@dataclass(frozen=True)
class Ratings:
    source: str  # CSV or Parquet, or a folder with one named train
    test: str  # file in the source folder: rows without targets, to be predicted; empty: none
    unlabelled: str  # file in the source folder: rows without targets, for pseudo-labels; empty: none
    id: str  # column
    text: Fields  # columns; empty: the source has no such field
    group: str  # column; rows that share its value stay in one fold
    targets: list[str]  # columns; empty: every column but those above
    exclude: list[str]  # columns that are no targets, listed or not
    rescale: dict[str, list[float]]  # by target: lowest and highest, which become 0 and 1
    folds: int  # 2 or more
    layout: Literal["joint", "separate"]  # joint: question and answer as one text | separate: as two
    allocation: Literal["fixed", "adaptive"]
    tokens: FieldTokens  # of each field, special tokens not counted; adaptive: their sum, shared out anew in each row
    head_share: float  # of what a cut field keeps, the share that is its beginning; the rest is its end
