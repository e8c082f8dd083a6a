"""Folds of rated rows: rows of one group share a fold, and a count of the questions that stand in several all the same.

Shapes: N rows
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from whyrank.core.errors import UserError
from whyrank.data.files.text import exact_key
from whyrank.lexical.words import words


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


def fold_table(fold_N: np.ndarray, group_N: np.ndarray, questions: Sequence[str]) -> pd.DataFrame:
    """fold, rows, groups; shared_groups and shared_rows: questions that stand in another fold too, and their rows.

    questions   (N,) titles (or bodies, where there are none), compared in normalised form, whatever `group` is; an
                empty one is like no other
    """
    table = pd.DataFrame({"fold": fold_N, "group": group_N, "question": [normalised(text) for text in questions]})
    table["is_shared"] = (table.groupby("question")["fold"].transform("nunique") > 1) & (table["question"] != "")
    rows = [
        {
            "fold": fold,
            "rows": len(part),
            "groups": part["group"].nunique(),
            "shared_groups": part.loc[part["is_shared"], "question"].nunique(),
            "shared_rows": int(part["is_shared"].sum()),
        }
        for fold, part in table.groupby("fold")
    ]
    return pd.DataFrame(rows)
