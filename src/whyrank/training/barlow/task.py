"""Two views of a text as a task of fine-tuning: the loss of pretraining beside that of ranking."""

import numpy as np

from whyrank.batches.views import all_sides, rows
from whyrank.training.barlow.objective import in_turn, loss_of, scale_of
from whyrank.training.engine.objective import Step
from whyrank.training.task import Given, Task, TaskObjective

SECTION = "finetune_rank.objectives.views"


class ViewsObjective(TaskObjective):
    """The first view through the head of queries, the second through that of answers, both as ranking reads them."""

    name = "views"

    def __init__(self, given: Given) -> None:
        self.options = given.options.objectives.views
        sides = all_sides(given.prepared, self.options.views, SECTION).values()
        size = self.options.batch_size
        batches = in_turn(sides, batches="across_answers", size=size, random=given.random)
        super().__init__(given, self.options, batches)

    def compute(self) -> Step:
        views = next(self.batches)
        texts = np.concatenate([views.first_B, views.second_B])
        first_BD, second_BD = self.encoded(texts).split(len(views.first_B))
        first_BO, second_BO = self.system.queries(first_BD), self.system.answers(second_BD)
        loss, terms = loss_of(first_BO, second_BO, self.options)
        scale = scale_of(self.options, first_BO)
        record = {
            "views_loss": loss.item() / scale,
            "views_mean_diagonal": terms.correlation_DD.diagonal().mean().item(),
        }
        sides = self.system.normalise(first_BO), self.system.normalise(second_BO)
        return Step(loss / scale, record | self.vectors.cost(texts), texts.tolist(), sides)


VIEWS = Task(
    name=ViewsObjective.name,
    objective=ViewsObjective,
    rows=lambda prepared, options: rows(prepared, options.objectives.views.views),
)
