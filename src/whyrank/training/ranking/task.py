"""Ranking as a task of fine-tuning."""

from whyrank.core.options.params import FinetuneRank
from whyrank.core.prepared import Prepared
from whyrank.model.system import System
from whyrank.training.engine.dev_ranking import RankingWatch
from whyrank.training.ranking.layered_losses import check_dims
from whyrank.training.ranking.objective import RankObjective
from whyrank.training.task import Given, Task, TaskObjective
from whyrank.training.task_heads import check_single


def check(prepared: Prepared, system: System, options: FinetuneRank) -> None:
    dims, key = options.objectives.rank.matryoshka.dims, "finetune_rank.objectives.rank.matryoshka.dims"
    check_dims(dims, system.width_of(RankObjective.name), key)
    if options.batch_size == 1 and system.is_dual:
        check_single(system.query_head, "finetune_rank.batch_size")


def watch(given: Given, objective: TaskObjective | None) -> RankingWatch:
    return RankingWatch(given.prepared, given.system, given.vectors, given.random)


RANK = Task(
    name=RankObjective.name,
    objective=RankObjective,
    rows=lambda prepared, options: len(prepared.relevant_in("train")),
    check=check,
    watch=watch,
)
