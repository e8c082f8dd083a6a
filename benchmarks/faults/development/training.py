"""Slips in the code of a training, as patches of ours."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import whyrank.batches.ranking as batches
from benchmarks.faults.fault import Fault
from benchmarks.faults.patches import wrapped
from whyrank.batches.ranking import RankBatches
from whyrank.training.engine import loop, optimiser
from whyrank.training.engine.watch import DevWatch, changing
from whyrank.training.ranking import losses

OPERATORS = "DeepCrime and DEFault++ operators"
# So that no best weights from before hide what training did.
LAST = {"finetune_rank.early_stopping.metric": ""}


def loss_with_wrong_sign() -> None:
    wrapped(losses, "ranking_cross_entropy", lambda old, *given: -old(*given))


def similarity_as_distance() -> None:
    wrapped(losses, "ranking_cross_entropy", lambda old, logit_BC, *given: old(-logit_BC, *given))


def softmax_over_queries() -> None:
    """The log-softmax over the wrong axis."""

    def change(old: Any, logit_BC: torch.Tensor, target_B: torch.Tensor, ignored_BC: torch.Tensor) -> torch.Tensor:
        return -logit_BC.log_softmax(0).mean(1).gather(0, target_B.clamp(max=len(logit_BC) - 1)).mean()

    wrapped(losses, "ranking_cross_entropy", change)


def softmax_twice() -> None:
    wrapped(losses, "ranking_cross_entropy", lambda old, logit_BC, *given: old(logit_BC.softmax(1), *given))


def targets_rolled() -> None:
    wrapped(
        losses, "ranking_cross_entropy", lambda old, logit_BC, target_B, *given: old(logit_BC, target_B.roll(1), *given)
    )


def target_always_first() -> None:
    wrapped(
        losses,
        "ranking_cross_entropy",
        lambda old, logit_BC, target_B, *given: old(logit_BC, torch.zeros_like(target_B), *given),
    )


def gradients_never_cleared() -> None:
    torch.optim.AdamW.zero_grad = lambda *_, **__: None  # type: ignore[method-assign]


def optimiser_never_steps() -> None:
    torch.optim.AdamW.step = lambda *_, **__: None  # type: ignore[method-assign,assignment]


def vectors_detached() -> None:
    """Queries and answers change places with their detached selves: the gradient reaches one side alone."""

    def change(old: Any, query_BD: torch.Tensor, *given: Any, **named: Any) -> torch.Tensor:
        return old(query_BD.detach(), *given, **named)

    wrapped(losses, "cross_entropy", change)


def queries_not_mixed() -> None:
    """Batches in the order of the file: a batch has the queries of few answers."""

    def endless(count: int, size: int, random: np.random.Generator) -> Any:
        at = 0
        while True:
            yield (np.arange(at, at + min(size, count))) % count
            at += size

    batches.endless = endless


def one_batch_for_ever() -> None:
    def endless(count: int, size: int, random: np.random.Generator) -> Any:
        first = random.permutation(count)[:size]
        while True:
            yield first

    batches.endless = endless


def positives_among_negatives() -> None:
    """The right answer of each query stands among the candidates a second time, as a wrong one."""

    def change(old: Any, self: RankBatches) -> Any:
        batch = old(self)
        twice = np.concatenate([batch.candidate_C, batch.candidate_C])
        no = np.zeros_like(batch.ignored_BC)
        ignored, false = (np.concatenate([one, no], 1) for one in (batch.ignored_BC, batch.false_BC))
        return type(batch)(batch.query_B, twice, batch.target_B, ignored, false, batch.distinct_answers)

    wrapped(RankBatches, "__next__", change)


def rate_not_scheduled() -> None:
    """The schedule is multiplied by the step once too often: the rate grows."""
    wrapped(optimiser, "factor", lambda old, step, **named: 300.0 * (step + 1) / named["steps"])


def clipping_divides() -> None:
    """Gradients are scaled up to the norm, not down."""

    def change(old: Any, parameters: Any, most: float) -> float:
        own = [one for one in parameters if one.grad is not None]
        norm = math.sqrt(sum(float(one.grad.square().sum()) for one in own))
        for one in own:
            one.grad.add_(torch.randn_like(one.grad), alpha=most)
        return norm

    wrapped(loop.sharding, "clip", change)


def worst_weights_kept() -> None:
    """The comparison of dev metrics is the wrong way round."""

    def restore(self: DevWatch) -> int:
        return int(self.rows[0]["step"]) if self.best_state is None else restored(self)

    restored = DevWatch.restore

    def evaluate(old: Any, self: DevWatch, step: int) -> bool:
        with torch.no_grad():
            self.trained.eval()
            row = {"step": step} | self.metrics()
        self.rows.append(row)
        if len(self.rows) == 1 or row[self.metric] < self.rows[self.best_row][self.metric]:
            self.best_row, self.best_state = len(self.rows) - 1, changing(self.trained, self.trainable)
        return False

    wrapped(DevWatch, "evaluate", evaluate)
    DevWatch.restore = restore  # type: ignore[method-assign]


def training_labels_of_the_batch_before() -> None:
    """Candidates are those of the batch before."""
    kept: list[Any] = []

    def change(old: Any, self: RankBatches) -> Any:
        batch = old(self)
        kept.append(batch)
        before = kept[-2] if len(kept) > 1 and len(kept[-2].candidate_C) == len(batch.candidate_C) else batch
        return type(batch)(
            batch.query_B, before.candidate_C, batch.target_B, batch.ignored_BC, batch.false_BC, batch.distinct_answers
        )

    wrapped(RankBatches, "__next__", change)


def fault(name: str, sentence: str, code: Callable[[], None], settings: Any = None, source: str = "") -> Fault:
    return Fault(name, "code", sentence, source or OPERATORS, settings=settings or {}, code=code)


FAULTS = (
    fault("loss-with-wrong-sign", "the loss has the wrong sign: training drives the right answer away",
          loss_with_wrong_sign, LAST),
    fault("similarity-as-distance", "similarities enter the loss as distances", similarity_as_distance, LAST),
    fault("softmax-over-queries", "the softmax runs over the queries, not the candidates", softmax_over_queries, LAST),
    fault("softmax-twice", "the loss takes a softmax of what is softmaxed already", softmax_twice, LAST),
    fault("targets-rolled", "the targets of a batch are rolled by one row", targets_rolled, LAST),
    fault("target-always-first", "the target is always the first candidate", target_always_first, LAST),
    fault("gradients-never-cleared", "gradients are never set to zero and pile up", gradients_never_cleared, LAST),
    fault("optimiser-never-steps", "the optimiser never steps", optimiser_never_steps),
    fault("queries-detached", "no gradient reaches the vectors of the queries", vectors_detached, LAST),
    fault("batches-not-mixed", "batches come in the order of the file", queries_not_mixed, LAST),
    fault("one-batch-for-ever", "the same batch is trained on at every step", one_batch_for_ever, LAST),
    fault("positives-among-negatives", "the right answer stands among the negatives, too",
          positives_among_negatives, LAST, "ms-swift#10068"),
    fault("candidates-of-the-batch-before", "the candidates are those of the batch before",
          training_labels_of_the_batch_before, LAST),
    fault("rate-grows", "the schedule multiplies the rate up, not down", rate_not_scheduled, LAST),
    fault("gradient-noise", "noise of the size of the gradient norm is added to each gradient", clipping_divides, LAST),
    fault("worst-weights-kept", "the worst weights on dev are kept, not the best", worst_weights_kept, {},
          "practitioners 18"),
)  # fmt: skip
