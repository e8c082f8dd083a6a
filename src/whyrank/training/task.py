"""A task of fine-tuning: all that the stage asks of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class Given(NamedTuple):
    """What a task makes its objective and its metrics from."""

    prepared: Prepared
    system: System
    vectors: Vectors
    options: params.FinetuneRank
    seed: int
    reranker: Any | None = None  # a cross-encoder, where the options use one

    @property
    def random(self) -> np.random.Generator:
        """A generator at its start: what one task draws does not depend on the others."""
        return np.random.default_rng(self.seed)


class TaskObjective(Objective):
    """The objective of a task: a loss on what the system makes of texts.

    section   of the task in `finetune_rank.objectives`
    """

    def __init__(self, given: Given, section: objectives.Objective, batches: Iterator[Any]) -> None:
        super().__init__(given.vectors, batches)
        self.system, self.section = given.system, section

    def encoded(self, texts: np.ndarray) -> torch.Tensor:
        """(N, D) vectors of texts by number, as the encoder gives them, with what the section says of gradients."""
        return of_objective(self.vectors, texts, self.section)


class Job(NamedTuple):
    """What a fine-tuning is given, for a task that trains once for each fold."""

    start: System
    prepared: Prepared
    options: params.FinetuneRank
    encoder: params.Encoder
    seed: int
    teacher: distillation.Teacher | None
    train: Callable[..., Trained]  # `finetune.finetune_rank`, for a fold that `prepared` holds out
    arrange: Callable[[System, params.FinetuneRank], System]  # gives a system the heads that a training gives it
    reranker: Any | None = None


@dataclass(frozen=True)
class Task:
    """An entry of `finetune.TASKS`.

    name        of its section in `finetune_rank.objectives`; its columns of the history begin with it
    rows        how many training rows a round of it goes through
    check       raises UserError for what the options ask of it and cannot have, before any text is encoded
    watch       its metrics on the dev set, also where it is off (its objective is None then); None: it has none
    stopping    early stopping as the options say, or as the task takes it
    predicts    its own weights make predictions that are saved, so that they may be all that learns
    folds       trains out of fold: once for each fold of its rows, on the others
    """

    name: str
    objective: Callable[[Given], TaskObjective]
    rows: Callable[[Prepared, params.FinetuneRank], int]
    check: Callable[[Prepared, System, params.FinetuneRank], None] = lambda prepared, system, options: None
    watch: Callable[[Given, TaskObjective | None], Metrics | None] = lambda given, objective: None
    stopping: Callable[[params.FinetuneRank], params.EarlyStopping] = lambda options: options.early_stopping
    predicts: bool = False
    folds: Callable[[Job], Trained] | None = None

    def section(self, options: params.FinetuneRank) -> objectives.Objective:
        section: objectives.Objective = getattr(options.objectives, self.name)
        return section

    def batch_size(self, options: params.FinetuneRank) -> int:
        """Rows of a batch: as its section says, else as ranking takes them."""
        return int(getattr(self.section(options), "batch_size", options.batch_size))
