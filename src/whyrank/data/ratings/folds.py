"""Folds of rated rows: rows of one group share a fold, and a count of the rows that leak all the same.

Shapes: N rows
"""

import html
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from whyrank.core.errors import UserError
from whyrank.data.files.text import exact_key
from whyrank.lexical.words import words

_TAG = re.compile(r"<[^<>]+>")
# A body such as "see title" is many questions'.
MOST_WORDS = 3


def normalised(text: str) -> str:
    """Equal for texts that differ in case, white space and punctuation alone."""
    return exact_key(text, words(text))


def group_numbers(keys: Sequence[str]) -> np.ndarray:
    """(N,) int64, numbered in the order of the normalised texts, so that the order of the rows does not matter.

    An empty text is no group: -1.
    """
    known = np.array([normalised(key) if key else "" for key in keys], dtype=object)
    names = {name: number for number, name in enumerate(sorted(set(known) - {""}))}
    return np.array([names.get(name, -1) for name in known], dtype=np.int64)


def folds(group_N: np.ndarray, count: int) -> np.ndarray:
    """(N,) int64 in [0, count): scikit-learn's GroupKFold, which draws nothing and evens out the rows of the folds."""
    groups = len(np.unique(group_N))
    if groups < count:
        raise UserError(
            f"params.yaml: `prepare.ratings.folds` is {count}, but the rows have {groups} groups; take fewer folds, or "
            "another column with prepare.ratings.group"
        )
    fold_N = np.zeros(len(group_N), dtype=np.int64)
    for number, (_, held_out) in enumerate(GroupKFold(count).split(group_N, groups=group_N)):
        fold_N[held_out] = number
    return fold_N


def leak_keys(rows: Sequence[Sequence[str]], label_NT: np.ndarray) -> dict[str, list[str]]:
    """Field -> (N,) what rows of one question share: equal ones in two folds are a leak; "" is like no other.

    rows   (N,) title, body, answer
    Titles and bodies are compared in normalised form, without tags. An answer may well be given to several questions:
    it is a leak with the same ratings alone. A body or an answer of three words or fewer says too little.
    """
    found: dict[str, list[str]] = {"title": [], "body": [], "answer": []}
    for (title, body, answer), label_T in zip(rows, label_NT, strict=True):
        found["title"].append(normalised(title) if title else "")
        found["body"].append(_written(body) if title else normalised(body) if body else "")
        said = _written(answer)
        found["answer"].append(f"{said} {label_T.tolist()}" if said else "")
    return found


def _written(text: str) -> str:
    bare = _TAG.sub(" ", html.unescape(text))
    return normalised(bare) if len(words(bare)) > MOST_WORDS else ""


def fold_table(fold_N: np.ndarray, group_N: np.ndarray, keys: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """fold, rows, groups; shared_rows: those that have something in common with a row of another fold, shared_<field>:
    in that field.

    keys      see `leak_keys`, whatever `group` is
    kept_by   the first field that, taken for the group, keeps all of them together; "" where there is none
    """
    table = pd.DataFrame({"fold": fold_N, "group": group_N})
    shared = {}
    for field, names in keys.items():
        key = pd.Series(names, index=table.index)
        shared[f"shared_{field}"] = (table["fold"].groupby(key).transform("nunique") > 1) & (key != "")
    found = pd.DataFrame(shared)
    found["shared_rows"] = found.any(axis=1)
    rows = table.groupby("fold").agg(rows=("fold", "size"), groups=("group", "nunique"))
    counts = found.groupby(table["fold"]).sum()
    return rows.join(counts).reset_index().assign(kept_by=_kept_by(keys))


def _kept_by(keys: Mapping[str, Sequence[str]]) -> str:
    table = pd.DataFrame(dict(keys))
    for field in table.columns:
        apart = [
            table[table[other] != ""].groupby(other)[field].nunique().max() > 1
            for other in table.columns
            if other != field
        ]
        if (table[field] != "").all() and not any(apart):
            return str(field)
    return ""
