"""Learning rates by short trainings from the same start: that which ranks the dev queries best is taken."""

import copy
import sys
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd
import torch

from whyrank.core import processes
from whyrank.core.options import params
from whyrank.training.engine.vectors import Vectors
from whyrank.training.task import Job

RATES = ("learning_rate", "encoder_learning_rate")


class Found(NamedTuple):
    options: params.FinetuneRank  # those of the job with the rates that were found, and no range test
    tried: pd.DataFrame  # factor, learning_rate, encoder_learning_rate, and the dev metric after the last step
    vectors: Vectors | None  # what the whole training need not compute again


def found(job: Job) -> Found:
    """Of equal values the smaller factor. Each short training has the schedule of the whole one, in few steps.

    A rate that is best in few steps may be too high for many: the evaluations of the whole training say so.
    """
    metric, rows, vectors = job.options.early_stopping.metric, [], None
    for factor in sorted(job.options.range_test.factors):
        options = with_rates(job.options, factor)
        once = replace(options.early_stopping, evaluations=1, eval_steps=0)
        # Each begins with the new head that the whole training begins with.
        with torch.random.fork_rng():
            short = job.train(
                copy.deepcopy(job.start),
                job.prepared,
                replace(options, max_steps=job.options.range_test.steps, early_stopping=once),
                job.encoder,
                job.seed,
                job.teacher,
                reranker=job.reranker,
                kept=vectors,
                what=f"rates times {factor:g}",
                remember=False,
            )
        short.checkpoints.remove()
        vectors = short.vectors
        rates = {name: getattr(options, name) for name in RATES}
        rows.append({"factor": factor} | rates | {metric: short.history.evaluations[metric].iloc[-1]})
    tried = pd.DataFrame(rows)
    best = float(tried["factor"].iloc[tried[metric].argmax()])
    if processes.is_first():
        shown = ", ".join(
            f"{value:.3f} by {factor:g}" for factor, value in zip(tried["factor"], tried[metric], strict=True)
        )
        print(f"finetune_rank: learning rates times {best:g}; {metric} after short trainings {shown}", file=sys.stderr)
    return Found(with_rates(job.options, best), tried, vectors)


def with_rates(options: params.FinetuneRank, factor: float) -> params.FinetuneRank:
    rates = {name: factor * getattr(options, name) for name in RATES}
    on: dict[str, Any] = {
        name: replace(section, learning_rate=factor * section.learning_rate)
        for name, section in options.objectives.on.items()
    }
    objectives, tests = replace(options.objectives, **on), replace(options.range_test, factors=[])
    return replace(options, **rates, objectives=objectives, range_test=tests)
