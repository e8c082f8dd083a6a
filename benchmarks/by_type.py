"""Fine-tuning that weighs the query types, or lets a query teach another of its thread: outside the product.

Shapes: Q queries of the set · N texts · B queries of a batch · C candidates · D features
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch.nn import functional

from whyrank.batches.ranking import RankBatch, RankBatches, endless
from whyrank.commands.label_curve import Run
from whyrank.core import runtime
from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.model.encoder import vector_cache
from whyrank.model.system import System
from whyrank.training import finetune
from whyrank.training.engine.objective import Step
from whyrank.training.engine.vectors import FrozenVectors
from whyrank.training.ranking.losses import ranking_cross_entropy
from whyrank.training.ranking.objective import LARGEST_SCALE, RankObjective
from whyrank.training.ranking.task import RANK
from whyrank.training.task import Given

# What is added to the loss of a step.
Extra = Callable[["ByType", Step], torch.Tensor]


class Batches(RankBatches):
    """As those of ranking, with the last one at hand.

    times_Q   how often a round has each query
    """

    def __init__(self, times_Q: np.ndarray, prepared: Prepared, options: Any, random: np.random.Generator) -> None:
        super().__init__(prepared, options, random)
        row = np.repeat(np.arange(len(self.query_P)), times_Q[self.query_P])
        self.rows = (row[drawn] for drawn in endless(len(row), options.batch_size, random))

    last: RankBatch

    def __next__(self) -> RankBatch:
        self.last = super().__next__()
        return self.last


class ByType(RankObjective):
    """Ranking with other numbers of queries, and a term that sees which of them a batch holds."""

    batches: Batches

    def __init__(self, times_Q: np.ndarray, extra: Extra | None, given: Given) -> None:
        super().__init__(given)
        self.extra = extra
        self.batches = Batches(times_Q, given.prepared, given.options, given.random)

    def compute(self) -> Step:
        step = super().compute()
        return step._replace(loss=step.loss + self.extra(self, step)) if self.extra else step


def weighted(weight: float, is_weak_Q: np.ndarray, objective: ByType, step: Step) -> torch.Tensor:
    """The cross-entropy of the weaker type's queries once more, so many times."""
    batch, (query_BD, answer_CD) = objective.batches.last, step.sides
    row = np.flatnonzero(is_weak_Q[batch.query_B])
    if not len(row):
        return step.loss.new_zeros(())
    logit = query_BD[row] @ answer_CD.T * objective.log_scale.exp().clamp(max=LARGEST_SCALE)
    target, ignored = torch.as_tensor(batch.target_B[row]), torch.as_tensor(batch.ignored_BC[row])
    return weight * len(row) / len(query_BD) * ranking_cross_entropy(logit, target, ignored)


def distilled(weight: float, of: str, partner_Q: np.ndarray, objective: ByType, step: Step) -> torch.Tensor:
    """Draw a query of the weaker type to the stronger one of its thread: its vector, or its scores of the batch."""
    batch, (query_BD, answer_CD) = objective.batches.last, step.sides
    row = np.flatnonzero(partner_Q[batch.query_B] >= 0)
    if not len(row):
        return step.loss.new_zeros(())
    with torch.no_grad():
        partner = objective.encoded(objective.query_text_Q[partner_Q[batch.query_B[row]]])
        teacher, _ = objective.system.project(partner, partner)
    student, share = query_BD[row], weight * len(row) / len(query_BD)
    if of == "vectors":
        return share * (1 - functional.cosine_similarity(student, teacher)).mean()
    scale = objective.log_scale.exp().clamp(max=LARGEST_SCALE).detach()
    said, told = (side @ answer_CD.T * scale for side in (student, teacher))
    return share * functional.kl_div(
        said.log_softmax(1), told.detach().log_softmax(1), log_target=True, reduction="batchmean"
    )


def tuned(
    run: Run,
    steps: int,
    prepared: Prepared,
    table_ND: torch.Tensor | None,
    times_Q: Any = None,
    extra: Extra | None = None,
) -> System:
    """After so many updates.

    table_ND         vectors of all texts; None: the encoder's, which are computed
    times_Q, extra   as those of `ByType`
    """
    options = run.options("finetune_rank", params.FinetuneRank)
    options = dataclasses.replace(options, epochs=finetune.rounds_of(steps, options, prepared))
    encoder, start = run.options("encoder", params.Encoder), run.start()
    runtime.seed_everything(run.seed)  # every arm begins with the same head
    kept = None if table_ND is None else FrozenVectors(table_ND, start.encoder.device)
    once_Q = np.ones(len(prepared.queries), dtype=int)
    objective = partial(ByType, once_Q if times_Q is None else times_Q, extra)
    rank = RANK if times_Q is None and extra is None else dataclasses.replace(RANK, objective=objective)
    with mock.patch.multiple(finetune, RANK=rank, TASKS=(rank, *finetune.TASKS[1:])):
        return finetune.finetune_rank(start, prepared, options, encoder, run.seed, kept=kept).system


def encoded(run: Run, rows: Any) -> torch.Tensor:
    return vector_cache.encoded(run.base.encoder, list(rows), run.options("encoder", params.Encoder))


def scores(one: System, prepared: Prepared, vector_ND: torch.Tensor) -> np.ndarray:
    """(Q, A) of all queries."""
    answers = len(prepared.answers)
    with torch.inference_mode():
        query_QD, answer_AD = one.eval().project(vector_ND[answers:], vector_ND[:answers])
        return (query_QD @ answer_AD.T).numpy()
