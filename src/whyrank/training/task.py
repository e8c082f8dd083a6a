"""A task of fine-tuning: all that the stage asks of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from whyrank.core.options import objectives, params
from whyrank.core.prepared import Prepared
from whyrank.model.system import System
from whyrank.training import distillation
from whyrank.training.engine.objective import Objective
from whyrank.training.engine.trained import Trained
from whyrank.training.engine.vectors import Vectors, of_objective

# Metrics by name, of the weights as they are now.
Metrics = Callable[[], dict[str, float]]


class TaskObjective(Objective):
    """The objective of a task: a loss on what the system makes of texts.

    section   of the task in `finetune_rank.objectives`
    """

    def __init__(self, system: System, vectors: Vectors, section: objectives.Objective, batches: Iterator[Any]) -> None:
        super().__init__(vectors, batches)
        self.system, self.section = system, section

    def encoded(self, texts: np.ndarray) -> torch.Tensor:
        """(N, D) vectors of texts by number, as the encoder gives them, with what the section says of gradients."""
        return of_objective(self.vectors, texts, self.section)


Make = Callable[[Prepared, System, Vectors, params.FinetuneRank, np.random.Generator], TaskObjective]
Watch = Callable[[Prepared, System, Vectors, TaskObjective | None, np.random.Generator], Metrics | None]


@dataclass(frozen=True)
class Job:
    """What a fine-tuning is given, for a task that trains once for each fold.

    train     `finetune.finetune_rank`, for a fold that `prepared` holds out
    arrange   gives a system the heads that a training gives it
    """

    start: System
    prepared: Prepared
    options: params.FinetuneRank
    encoder: params.Encoder
    seed: int
    teacher: distillation.Teacher | None
    train: Callable[..., Trained]
    arrange: Callable[[System, params.FinetuneRank], System]


@dataclass(frozen=True)
class Task:
    """An entry of `registry.TASKS`.

    name         of its section in `finetune_rank.objectives`; its columns of the history begin with it
    objective    makes its objective; the generator draws its batches
    rows         how many training rows a round of it goes through
    batch_size   rows of a batch
    check        raises UserError for what the options ask of it and cannot have, before any text is encoded
    watch        its metrics on the dev set, also where it is off (its objective is None then); None: it has none
    stopping     early stopping as the options say, or as the task takes it
    predicts     its own weights make predictions that are saved, so that they may be all that learns
    folds        trains out of fold: once for each fold of its rows, on the others
    """

    name: str
    objective: Make
    rows: Callable[[Prepared, params.FinetuneRank], int]
    batch_size: Callable[[params.FinetuneRank], int]
    check: Callable[[Prepared, System, params.FinetuneRank], None]
    watch: Watch
    stopping: Callable[[params.FinetuneRank], params.EarlyStopping] = lambda options: options.early_stopping
    predicts: bool = False
    folds: Callable[[Job], Trained] | None = None

    def section(self, options: params.FinetuneRank) -> objectives.Objective:
        section: objectives.Objective = getattr(options.objectives, self.name)
        return section
