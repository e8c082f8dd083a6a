"""Ratings out of fold: a training for each fold, from the same start, that predicts the rows it has not seen."""

import copy
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from whyrank.core import processes, runtime
from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.model import system
from whyrank.model.encoder import vector_cache
from whyrank.training import distillation, finetune
from whyrank.training.engine.checkpoint import Checkpoints
from whyrank.training.engine.fingerprint import fingerprint
from whyrank.training.engine.loop import History
from whyrank.training.engine.trained import Trained
from whyrank.training.engine.vectors import Vectors
from whyrank.training.ratings import pseudo_labels
from whyrank.training.ratings import tables as rating_tables
from whyrank.training.ratings.objective import RatingsObjective
from whyrank.training.ratings.tables import RatingTables


class Result(NamedTuple):
    trained: Trained
    ratings: RatingTables | None  # None where the objective is off


class Fold(NamedTuple):
    """What stays of one training; the system's state is that of the first fold alone."""

    ratings: RatingTables
    history: History
    state: dict[str, torch.Tensor]


class Folds(NamedTuple):
    """What all of them start from, and `folder`, where those that are finished are kept."""

    start: system.System
    prepared: Prepared
    options: params.FinetuneRank
    encoder: params.Encoder
    seed: int
    teacher: distillation.Teacher | None
    folder: Path
    numbers: list[int]


def finetune_rank(
    start: system.System,
    prepared: Prepared,
    options: params.FinetuneRank,
    encoder: params.Encoder,
    seed: int,
    teacher: distillation.Teacher | None = None,
) -> Result:
    """`finetune.finetune_rank`, and where ratings are on once for each fold; the system is that of the first fold.

    What no fold changes of the encoder is computed once. A run that was killed goes on with the fold it was in, and
    ends with the same bytes.
    """
    if options.objectives.ratings.weight == 0:
        return Result(finetune.finetune_rank(start, prepared, options, encoder, seed, teacher), None)
    numbers = sorted({int(fold) for fold in prepared.ratings.loc[prepared.ratings["use"] == "train", "fold"]})
    if len(numbers) < 2:
        raise UserError(
            f"finetune_rank: the ratings are of {len(numbers)} fold(s); bring rated rows of more groups in "
            "prepare.ratings.source, or -S finetune_rank.objectives.ratings.weight=0"
        )
    folder = finished_folder(start, prepared, options, encoder, seed, teacher)
    folds = list(trained(Folds(start, prepared, options, encoder, seed, teacher, folder, numbers)))
    result = finetune.arranged(copy.deepcopy(start), options)
    result.load_state_dict(folds[0].state)
    return Result(
        Trained(result.eval(), folds[0].history, Checkpoints(folder)),
        rating_tables.together([fold.ratings for fold in folds]),
    )


def finished_folder(
    start: system.System,
    prepared: Prepared,
    options: params.FinetuneRank,
    encoder: params.Encoder,
    seed: int,
    teacher: distillation.Teacher | None,
) -> Path:
    """Of this very run, by all that determines it."""
    weights = None
    if teacher is not None:
        parts = [value.flatten().float() for value in teacher.system.state_dict().values()]
        weights = torch.cat([torch.tensor([float(teacher.longest)]), *(part.cpu() for part in parts)])
    name = fingerprint(start, prepared, options, encoder, seed, weights)
    return vector_cache.cache_folder() / "checkpoints" / name[:32]


def trained(folds: Folds) -> Iterator[Fold]:
    """One after the other, but for those that an earlier run has finished."""
    vectors: Vectors | None = None
    for number in folds.numbers:
        what = f"fold {folds.numbers.index(number) + 1} of {len(folds.numbers)}"
        finished = Checkpoints(folds.folder / f"fold-{number}")
        saved = finished.latest()
        if saved is not None:
            report(f"{what}: finished before")
            yield unpacked(saved.state)
            continue
        fold, one = train(folds, number, what, vectors)
        vectors = one.vectors
        if processes.is_first():
            finished.save(len(fold.history.steps), packed(fold))
            one.checkpoints.remove()
        yield fold


def train(folds: Folds, number: int, what: str, vectors: Vectors | None) -> tuple[Fold, Trained]:
    """One fold, and as often as the parameters say once more, with what its own model says of rows without labels.

    vectors   of the folds before: what stands still in all of them
    Returns what stays of it, and the training that it ended with.
    """
    prepared, is_kept = replace(folds.prepared, held_out=number), number == folds.numbers[0]
    rounds = folds.options.objectives.ratings.pseudo_labels.rounds
    said = Checkpoints(folds.folder / f"fold-{number}-pseudo-labels")
    saved = said.latest()
    first, label_RT = (saved.step, saved.state["label_RT"].numpy()) if saved else (0, None)
    for done in range(first, rounds + 1):
        one = finetune.finetune_rank(
            start_of(folds),
            prepared if label_RT is None else pseudo_labels.label(prepared, label_RT),
            *(folds.options, folds.encoder, folds.seed, folds.teacher),
            kept=vectors,
            what=f"{what}, pseudo-labels {done} of {rounds}: fine-tune" if done else f"{what}: fine-tune",
            remember=is_kept and done == rounds,
        )
        vectors, objective = one.vectors, ratings_of(one)
        if done < rounds:
            label_RT = objective.predict(pseudo_labels.without_labels(prepared))
            if processes.is_first():
                said.save(done + 1, {"label_RT": torch.from_numpy(label_RT)})
                one.checkpoints.remove()
    state = {name: value.detach().cpu() for name, value in one.system.state_dict().items()} if is_kept else {}
    tables = rating_tables.of_fold(prepared, objective, one.history, folds.seed)
    return Fold(tables, one.history, state), one


def ratings_of(trained: Trained) -> RatingsObjective:
    objective = trained.objectives["ratings"]
    assert isinstance(objective, RatingsObjective)
    return objective


def start_of(folds: Folds) -> system.System:
    """For one training to change. New heads are drawn alike, whatever was drawn before or finished by another run."""
    runtime.seed_step(folds.seed, 0)
    return copy.deepcopy(folds.start)


def packed(fold: Fold) -> dict[str, Any]:
    """As plain values and tensors, which a checkpoint holds."""
    tables = [*fold.ratings, fold.history.steps, fold.history.evaluations]
    return {
        "tables": [table.to_dict("list") for table in tables],
        "best_step": fold.history.best_step,
        "state": fold.state,
    }


def unpacked(state: dict[str, Any]) -> Fold:
    """Without the seconds of the steps, which were those of another process."""
    looks, out_of_fold, test, steps, evaluations = (pd.DataFrame(table) for table in state["tables"])
    history = History(steps, evaluations, state["best_step"], pd.DataFrame(columns=["step"]))
    return Fold(RatingTables(looks, out_of_fold, test), history, state["state"])


def report(line: str) -> None:
    if processes.is_first():
        print(line, file=sys.stderr)
