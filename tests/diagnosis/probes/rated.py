"""Rows of ratings, sound ones and others, and the tables that `prepare` records of them."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from whyrank.core.options import params
from whyrank.data.files.readers import Row
from whyrank.data.ratings.columns import find_targets
from whyrank.data.ratings.files import RatingFile
from whyrank.data.ratings.folds import fold_table, folds, group_numbers, leak_keys
from whyrank.data.ratings.targets import target_table

ROWS, PER_QUESTION = 500, 2
SHIPPED = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text())
NO_TARGETS: dict[str, Callable[[int], Any]] = {
    "category": lambda i: ["LIFE_ARTS", "SCIENCE", "TECHNOLOGY"][i % 3],
    "host": lambda i: ["english.stackexchange.com", "superuser.com"][i % 2],
    "url": lambda i: f"http://superuser.com/questions/{i}",
}


def healthy_rows(**columns: Callable[[int], Any]) -> list[dict[str, Any]]:
    """Two answers to each question, which stand apart, and two targets; further columns by the number of the row."""
    questions = ROWS // PER_QUESTION
    return [
        {
            "qa_id": f"id{i}",
            "question_title": f"Question {i % questions}",
            "question_body": f"body {i % questions}",
            "answer": f"answer {i}",
            "helpful": i % 5 / 4,
            "has_steps": float(i % 3 == 0),
        }
        | {name: value(i) for name, value in columns.items()}
        for i in range(ROWS)
    ]


def prepare_with(settings: dict[str, Any]) -> params.Prepare:
    """The shipped parameters with changes by dotted key."""
    values = copy.deepcopy(SHIPPED)
    for key, value in settings.items():
        *path, last = key.split(".")
        at = values
        for part in path:
            at = at[part]
        assert last in at, key
        at[last] = value
    return params.section(values, "prepare", params.Prepare)


def rating_tables(
    rows: Sequence[dict[str, Any]] | None = None, settings: dict[str, Any] | None = None
) -> dict[str, pd.DataFrame]:
    """What `prepare` records of some rows, the sound ones where none are given."""
    rows = healthy_rows() if rows is None else rows
    given = prepare_with(settings or {})
    options = given.ratings
    file = RatingFile("rated.csv", [Row(i, dict(row)) for i, row in enumerate(rows, 2)])
    targets = find_targets(file, options, given.files.numbers)
    group_N = group_numbers([row[options.group] for row in rows])
    texts = [(row["question_title"], row["question_body"], row["answer"]) for row in rows]
    fold_N = folds(group_N, options.folds)
    return {
        "rating_targets": target_table(targets.names, targets.label_NT, fold_N),
        "rating_folds": fold_table(fold_N, group_N, leak_keys(texts, targets.label_NT)),
        "rating_columns": targets.table,
        "rating_fields": token_table(fixed=0.3, adaptive=0.1, used="adaptive"),
    }


def token_table(*, fixed: float, adaptive: float, used: str) -> pd.DataFrame:
    """Answers of 240 tokens that lose these shares; titles and bodies are whole."""
    mean_F, of_answer_F = np.array([12.0, 108.0, 240.0]), np.array([0, 0, 1])
    table = pd.DataFrame({"field": ["title", "body", "answer"], "rows": ROWS, "tokens_mean": mean_F})
    table = table.assign(column=["question_title", "question_body", "answer"], budget=[26, 260, 210])
    table["one_text_takes"] = 509
    table = table.assign(share_lost_fixed=fixed * of_answer_F, share_lost_adaptive=adaptive * of_answer_F)
    table["share_lost"] = table[f"share_lost_{used}"]
    return table.assign(tokens_kept_mean=mean_F * (1 - table["share_lost"]), rows_cut=table["share_lost"])
