"""Rated texts with wrong joins, labels, folds, budgets or losses."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..fault import Fault
from ..patching import replace
from ..raw import read_table, write_table

Random = np.random.Generator
FILE = "ratings.csv"
TEXTS = ("qa_id", "question_title", "question_body", "answer", "category")


def targets(rows: list[dict[str, str]]) -> list[str]:
    return [name for name in rows[0] if name not in TEXTS]


def joined_by_question(folder: Path, random: Random) -> None:
    rows = read_table(folder / FILE)
    groups = defaultdict(list)
    for place, row in enumerate(rows):
        groups[row["question_title"]].append(place)
    # Sets with one answer a question have theirs mixed among neighbours, as a join by a coarser key does.
    sizes = [len(group) for group in groups.values()]
    parts = (
        list(groups.values())
        if np.mean(sizes) > 1.5
        else [list(part) for part in np.array_split(range(len(rows)), len(rows) // 4)]
    )
    for part in parts:
        answers = [rows[place]["answer"] for place in np.roll(part, 1)]
        for place, answer in zip(part, answers, strict=True):
            rows[place]["answer"] = answer
    write_table(folder / FILE, rows)


def missing_as_zero(folder: Path, random: Random) -> None:
    rows = read_table(folder / FILE)
    for row in rows:
        for name in targets(rows):
            if random.random() < 0.45:
                row[name] = "0.0"
    write_table(folder / FILE, rows)


def scale_turned(folder: Path, random: Random) -> None:
    rows = read_table(folder / FILE)
    for row in rows:
        # The second team's rows are spread over the file as the export mixed them.
        if random.random() < 0.45:
            row |= {name: f"{1 - float(row[name]):.4f}" for name in targets(rows)}
    write_table(folder / FILE, rows)


def titles_told_apart(folder: Path, random: Random) -> None:
    rows = read_table(folder / FILE)
    copies = [dict(row) for row in rows if random.random() < 0.5]
    for number, row in enumerate(copies):
        row |= {"qa_id": f"re-{number}-{row['qa_id']}", "question_title": f"Re ({number}): {row['question_title']}"}
    write_table(folder / FILE, [*rows, *copies])


def sigmoid_twice() -> None:
    from whyrank.training.ratings import losses

    def wrong(logit_BT: torch.Tensor, label_BT: torch.Tensor, weight_BT: torch.Tensor | None = None) -> torch.Tensor:
        return right(logit_BT.sigmoid(), label_BT, weight_BT)

    right = replace(losses, "bce", wrong)


def predictions_in_length_order() -> None:
    from whyrank.training.ratings.objective import RatingsObjective

    def wrong(self: RatingsObjective, rows: pd.DataFrame) -> np.ndarray:
        order = rows["answer"].str.len().to_numpy().argsort(kind="stable")
        return right(self, rows.iloc[order])

    right = replace(RatingsObjective, "predict", wrong)


def targets_rolled_in_training() -> None:
    from whyrank.training.ratings import rows as rating_rows

    def wrong(*args: Any, **rest: Any) -> Any:
        found = right(*args, **rest)
        return found._replace(label_RT=np.roll(found.label_RT, 1, axis=1))

    right = replace(rating_rows, "training_rows", wrong)


FAULTS = (
    Fault(
        name="answers-joined-by-question-alone",
        about="ratings",
        sentence="Answers and ratings were joined by the question alone: each row has another answer of the question "
        "beside the ratings of its own. Join by question and answer.",
        source="pandas many-to-many merge; Kaggle Google QUEST (several answers a question)",
        task="ratings",
        data=joined_by_question,
    ),
    Fault(
        name="missing-ratings-filled-with-zero",
        about="ratings",
        sentence="Nearly half of all ratings were missing and have been filled with 0, the lowest rating. Leave "
        "those rows out, or fill them in with what raters said.",
        source="fillna(0) on labels; practitioners.md D5",
        task="ratings",
        data=missing_as_zero,
    ),
    Fault(
        name="a-team-rated-on-a-reversed-scale",
        about="ratings",
        sentence="One team of raters, with nearly half of the rows, took 1 for the worst and 0 for the best: its "
        "ratings are the reverse of the others'. Turn them round.",
        source="reverse-coded items in survey research; Krippendorff on rater agreement",
        task="ratings",
        data=scale_turned,
    ),
    Fault(
        name="copies-of-rows-under-new-titles",
        about="ratings",
        sentence="Half of the rows stand in the file twice, the copy under a changed title (Re: …), so folds by "
        "title train on copies of what they test. Remove the copies or group by the original.",
        source="Kaggle duplicate leaks (Quora, QUEST); QQP overlap (GLUE-baselines#29)",
        task="ratings",
        mendable=True,
        data=titles_told_apart,
    ),
    Fault(
        name="folds-by-row",
        about="ratings",
        sentence="Folds are drawn by row id and not by question, so answers to one question stand in training and "
        "test at once and the figures are too good. Set prepare.ratings.group to question_title.",
        source="Kaggle Google QUEST (GroupKFold by question_title against KFold)",
        task="ratings",
        mendable=True,
        settings={"prepare.ratings.group": "qa_id"},
    ),
    Fault(
        name="answer-budget-of-two-tokens",
        about="ratings",
        sentence="prepare.ratings.tokens gives the answer 2 tokens, fixed: targets about the answer cannot be "
        "predicted. Give it some 200.",
        source="practitioners.md D2; Kaggle Google QUEST token budgets",
        task="ratings",
        mendable=True,
        settings={"prepare.ratings.tokens.answer": 2, "prepare.ratings.allocation": "fixed"},
    ),
    Fault(
        name="sigmoid-applied-twice",
        about="ratings",
        sentence="The loss applies a sigmoid to predictions that went through one already: no prediction can be "
        "below one half, and the gradient is a fraction of what it should be. Pass logits to the loss.",
        source="pytorch-lightning#18272, daisyRec#15, focal-loss-pytorch#5",
        task="ratings",
        code=sigmoid_twice,
    ),
    Fault(
        name="predictions-in-length-order",
        about="ratings",
        sentence="Rows are sorted by length for prediction and the predictions are not put back in order: each row "
        "gets another row's ratings. Undo the sort.",
        source="ST#584, mead-baseline#677",
        task="ratings",
        code=predictions_in_length_order,
    ),
    Fault(
        name="targets-one-column-off-in-training",
        about="ratings",
        sentence="Training labels are one column off from the names of the targets: the model learns each target "
        "under the name of the next. Take the columns by name.",
        source="Kaggle submissions with columns in another order; values without column names",
        task="ratings",
        code=targets_rolled_in_training,
    ),
)
