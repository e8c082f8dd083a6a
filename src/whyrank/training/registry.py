"""The tasks that fine-tuning can learn. The first of them that is on says how long a round is."""

from whyrank.core.errors import UserError
from whyrank.core.options.params import FinetuneRank
from whyrank.training.pairs.task import CLASSIFICATION, SIMILARITY
from whyrank.training.ranking.task import RANK
from whyrank.training.ratings.task import RATINGS
from whyrank.training.task import Task

TASKS: tuple[Task, ...] = (RANK, SIMILARITY, CLASSIFICATION, RATINGS)


def on(options: FinetuneRank) -> list[Task]:
    """Those with a weight above 0. Raises UserError where there is none."""
    found = [task for task in TASKS if task.section(options).weight > 0]
    if not found:
        raise UserError(
            f"params.yaml: every objective has weight 0; raise one, as in -S finetune_rank.objectives.{TASKS[0].name}"
            ".weight=1"
        )
    return found
