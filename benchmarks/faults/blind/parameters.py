"""Values of params.yaml that someone sets in good faith."""

from typing import Any

from ..fault import Fault

LAST = {"finetune_rank.early_stopping.metric": ""}


def fault(name: str, sentence: str, source: str, settings: dict[str, Any]) -> Fault:
    return Fault(name, "parameters", sentence, source, mendable=True, settings=settings)


FAULTS = (
    fault(
        "right-answers-count-as-negatives",
        "same_answer is negative and a batch has 256 queries, several of most answers: a query's own right answer "
        "stands in its batch again and again as a wrong one. Set same_answer to masked.",
        "Chuang et al. 2020, arXiv:2007.00224: false negatives; practitioners 4",
        LAST | {"finetune_rank.same_answer": "negative", "finetune_rank.batch_size": 256, "finetune_rank.epochs": 30},
    ),
    fault(
        "stopped-by-the-first-evaluations",
        "The dev set is asked after every step and patience is 1, so training ends at the first step that brings "
        "nothing, after two or three updates. Raise patience, or evaluate more rarely.",
        "Prechelt 1998, early stopping; practitioners 18",
        {"finetune_rank.early_stopping.eval_steps": 1, "finetune_rank.early_stopping.patience": 1,
         "finetune_rank.learning_rate": 1.0e-4},
    ),
    fault(
        "side-task-outweighs-ranking",
        "Telling questions from conversations is trained beside ranking with a weight of 300, on the same head: the "
        "head learns to separate the two kinds of query and not to find answers. Lower its weight.",
        "Kendall et al. 2018, arXiv:1705.07115: weights of tasks",
        LAST | {"finetune_rank.objectives.classification.weight": 300.0,
                "finetune_rank.objectives.classification.of": "query_type",
                "finetune_rank.learning_rate": 3.0e-3},
    ),
    fault(
        "ranking-starts-after-the-end",
        "objectives.rank.start_step is 5000, copied from a long training, and this one has far fewer steps: only the "
        "side task is trained and ranking never begins. Set start_step to 0.",
        "reports on curricula copied from larger trainings",
        LAST | {"finetune_rank.objectives.classification.weight": 1.0,
                "finetune_rank.objectives.classification.of": "query_type",
                "finetune_rank.objectives.rank.start_step": 5000},
    ),
    fault(
        "evaluated-with-another-pooling",
        "The tuned system is evaluated with the pooling max, and it was trained with the mean. Remove the pooling of "
        "the system.",
        "practitioners 10: pooling lost between training and use",
        {"systems.base-tuned.pooling": "max"},
    ),
    fault(
        "objective-keeps-a-rate-of-its-own",
        "objectives.rank.learning_rate is 1e-8, left over from a joint training in which ranking should hardly move, "
        "and it wins over learning_rate: the head stays as it began. Set it to 0.",
        "reports on overrides of groups of parameters",
        {"finetune_rank.objectives.rank.learning_rate": 1.0e-8},
    ),
)  # fmt: skip
