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
from whyrank.model import cross_encoder
from whyrank.training.engine.checkpoint import Checkpoints
from whyrank.training.engine.loop import History
from whyrank.training.engine.trained import Trained, checkpoints_of, fingerprint
from whyrank.training.engine.vectors import Vectors
from whyrank.training.ratings import tables as rating_tables
from whyrank.training.ratings.objective import RatingsObjective
from whyrank.training.ratings.rows import with_pseudo_labels, without_labels
from whyrank.training.ratings.tables import RatingTables, concatenate_folds
from whyrank.training.task import Job


class Fold(NamedTuple):
    """What stays of one training; the system's state is that of the first fold alone."""

    ratings: RatingTables
    history: History
    state: dict[str, torch.Tensor]


def train_each(job: Job) -> Trained:
    """One training for each fold, on the others; the system is that of the first fold.

    Frozen layers are computed once for all folds. A killed run resumes in its fold, and ends with the same bytes.
    """
    ratings = job.prepared.ratings
    numbers = sorted({int(fold) for fold in ratings.loc[ratings["use"] == "train", "fold"]})
    if len(numbers) < 2:
        raise UserError(
            f"finetune_rank: the ratings are of {len(numbers)} fold(s); bring rated rows of more groups in "
            "prepare.ratings.source, or -S finetune_rank.objectives.ratings.weight=0"
        )
    folder = finished_folder(job)
    folds = list(trained(job, folder, numbers))
    result = job.arrange(copy.deepcopy(job.start), job.options)
    result.load_state_dict(folds[0].state)
    out_of_fold = concatenate_folds([fold.ratings for fold in folds])
    return Trained(result.eval(), folds[0].history, Checkpoints(folder), out_of_fold=out_of_fold)


def finished_folder(job: Job) -> Path:
    others = cross_encoder.fingerprint(job.reranker) if job.reranker else ""
    if job.teacher is not None:
        others += f"{fingerprint(job.teacher.system, (), job.encoder)}, {job.teacher.longest}"
    return checkpoints_of(job.start, job.prepared, job.options, job.encoder, job.seed, others=others).folder


def trained(job: Job, folder: Path, numbers: list[int]) -> Iterator[Fold]:
    """Train one fold after the other; those that an earlier run finished are read."""
    vectors: Vectors | None = None
    for place, number in enumerate(numbers):
        what = f"fold {place + 1} of {len(numbers)}"
        finished = Checkpoints(folder / f"fold-{number}")
        saved = finished.latest()
        if saved is not None:
            if processes.is_first():
                print(f"{what}: finished before", file=sys.stderr)
            yield unpack(saved.state)
            continue
        fold, one = train(job, folder / f"fold-{number}-pseudo-labels", number, what, vectors, is_kept=not place)
        vectors = one.vectors
        if processes.is_first():
            finished.save(len(fold.history.steps), pack(fold))
            one.checkpoints.remove()
        yield fold


def train(
    job: Job, folder: Path, number: int, what: str, vectors: Vectors | None, *, is_kept: bool
) -> tuple[Fold, Trained]:
    """One fold, and as often as the parameters say once more, with what its own model says of rows without labels.

    folder    of the pseudo-labels of the fold
    vectors   of the folds before, whose frozen parts are shared
    is_kept   whether the system of this fold is the result
    Returns what stays of it, and the training that it ended with.
    """
    prepared, rounds = replace(job.prepared, held_out=number), job.options.objectives.ratings.pseudo_labels.rounds
    labelled = Checkpoints(folder)
    saved = labelled.latest()
    first, label_RT = (saved.step, saved.state["label_RT"].numpy()) if saved else (0, None)
    for done in range(first, rounds + 1):
        # New heads are drawn alike, whatever was drawn before or finished by another run.
        runtime.seed_step(job.seed, 0)
        one = job.train(
            copy.deepcopy(job.start),
            prepared if label_RT is None else with_pseudo_labels(prepared, label_RT),
            *(job.options, job.encoder, job.seed, job.teacher),
            reranker=job.reranker,
            kept=vectors,
            what=f"{what}, pseudo-labels {done} of {rounds}: fine-tune" if done else f"{what}: fine-tune",
            remember=is_kept and done == rounds,
        )
        vectors, objective = one.vectors, ratings_of(one)
        if done < rounds:
            label_RT = objective.predict(without_labels(prepared))
            if processes.is_first():
                labelled.save(done + 1, {"label_RT": torch.from_numpy(label_RT)})
                one.checkpoints.remove()
    state = {name: value.detach().cpu() for name, value in one.system.state_dict().items()} if is_kept else {}
    tables = rating_tables.of_fold(prepared, objective, one.history, job.seed)
    return Fold(tables, one.history, state), one


def ratings_of(trained: Trained) -> RatingsObjective:
    objective = trained.objectives[RatingsObjective.name]
    assert isinstance(objective, RatingsObjective)
    return objective


def pack(fold: Fold) -> dict[str, Any]:
    tables = [*fold.ratings, fold.history.steps, fold.history.evaluations]
    return {
        "tables": [table.to_dict("list") for table in tables],
        "best_step": fold.history.best_step,
        "state": fold.state,
    }


def unpack(state: dict[str, Any]) -> Fold:
    """Without the seconds of the steps, which were those of another process."""
    of_folds, out_of_fold, test, steps, evaluations = (pd.DataFrame(table) for table in state["tables"])
    history = History(steps, evaluations, state["best_step"], pd.DataFrame(columns=["step"]))
    return Fold(RatingTables(of_folds, out_of_fold, test), history, state["state"])
