"""The stage finetune_rank: from a system and prepared data to a better system and its history.

Frozen encoder: every text is encoded once and the heads are trained on that table. Trained encoder: live.
"""

import copy
import sys
from typing import Any, NamedTuple

from torch import nn

from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.model import cross_encoder, system
from whyrank.model.heads import heads
from whyrank.training import distillation, range_test, task_heads
from whyrank.training.barlow.task import VIEWS
from whyrank.training.barlow.texts import with_views
from whyrank.training.engine.encoding import finish, read_out, vectors_for
from whyrank.training.engine.loop import Loop
from whyrank.training.engine.objective import balancing
from whyrank.training.engine.tasks import Tasks
from whyrank.training.engine.trained import Trained, checkpoints_of, trainable
from whyrank.training.engine.vectors import Vectors
from whyrank.training.engine.watch import DevWatch
from whyrank.training.pairs.task import CLASSIFICATION, SIMILARITY
from whyrank.training.ranking.task import RANK
from whyrank.training.ratings.task import RATINGS
from whyrank.training.task import Given, Job, Metrics, Task, TaskObjective

TASKS: tuple[Task, ...] = (RANK, SIMILARITY, CLASSIFICATION, VIEWS, RATINGS)


def finetune_rank(
    start: system.System,
    prepared: Prepared,
    options: params.FinetuneRank,
    encoder: params.Encoder,
    seed: int,
    teacher: distillation.Teacher | None = None,
    *,
    reranker: Any | None = None,
    kept: Vectors | None = None,
    what: str = "fine-tune",
    remember: bool = True,
) -> Trained:
    """Train the tasks that are on from `start`, with the heads that `barlow_head` says; the best weights win.

    Where a task asks for folds and `prepared` holds none out, there is one training for each fold.

    teacher    what the objectives are to agree with beside their loss, where `options.distillation` is on
    reranker   a cross-encoder, where `options.reranker` uses one
    kept       the vectors of another training from a copy of `start`
    what       names the training in its progress
    remember   choose the read-out, and leave the vectors that evaluation will ask for
    """
    tried = None
    tasks = tasks_of(options)
    job = Job(start, prepared, options, encoder, seed, teacher, finetune_rank, with_heads, reranker)
    folds = [task.folds for task in tasks if task.folds]
    if folds and prepared.held_out < 0:
        return folds[0](job)
    if options.range_test.factors and options.rounds > 0:
        options, tried, kept = range_test.found(job)
    if VIEWS in tasks:
        prepared = with_views(prepared, start.encoder, options.objectives.views, seed)
    todo = plan(options, prepared, seed)
    result = with_heads(start, options)
    for task in todo.tasks:
        task.check(prepared, result, options)
    teacher_ND = distillation.vectors(teacher, result, prepared, options.distillation, encoder) if teacher else None
    weights = cross_encoder.fingerprint(reranker) if reranker else ""
    checkpoints = checkpoints_of(start, prepared, options, encoder, seed, teacher_ND, weights)
    given = Given(prepared, result, vectors_for(result, prepared, encoder, options, kept), options, seed, reranker)
    terms = balancing(result.heads(), options.head) | distillation.terms(teacher_ND, options)
    objectives = {task.name: task.objective(given) for task in todo.tasks}
    for objective in objectives.values():
        objective.terms = terms
    trained = trainable(result, options.train, own=all(task.predicts for task in todo.tasks))
    for task in todo.tasks:
        if not task.predicts:
            task_heads.check_learning(result, task.name, task.section(options), options.train)
    trained.add_module("objectives", nn.ModuleDict({name: one.weights for name, one in objectives.items()}))
    trained.add_module("tasks", todo.sharing)
    history = Loop(
        trained,
        objectives,
        options,
        steps=todo.steps,
        what=what,
        seed=seed,
        watch=DevWatch(trained, dev_metrics(given, objectives), todo.stopping, todo.steps, rounds=todo.rounds),
        checkpoints=checkpoints,
        precision=encoder.precision,
        sharing=todo.sharing,
    ).fit()
    finish(given.vectors, result, options)
    chosen = read_out(result, given.vectors, prepared, encoder, seed) if remember and RANK in todo.tasks else None
    return Trained(result, history, checkpoints, given.vectors, objectives, readout=chosen, range_test=tried)


class Plan(NamedTuple):
    """What one training does, read off the options once."""

    tasks: list[Task]  # those that are on
    sharing: Tasks  # how they share the training: weights, starts, rates, and which of them a batch takes
    stopping: params.EarlyStopping  # how often the dev set is evaluated, and which metric chooses the best weights
    steps: int  # updates at most
    rounds: float  # through the rows of the first task, which they make


def tasks_of(options: params.FinetuneRank) -> list[Task]:
    return [task for task in TASKS if task.name in options.objectives.on]


def first_of(tasks: list[Task]) -> Task:
    """The one that says how long a round is: never the views, which have no labels to go through."""
    return next(task for task in tasks if task is not VIEWS)


def rounds_of(steps: int, options: params.FinetuneRank, prepared: Prepared) -> float:
    """The `epochs` that make so many updates."""
    return steps / steps_of_a_round(options, first_of(tasks_of(options)), prepared)


def plan(options: params.FinetuneRank, prepared: Prepared, seed: int) -> Plan:
    """prepared   with the texts that views make, where they are trained"""
    sections, tasks = options.objectives.on, tasks_of(options)
    first = first_of(tasks)
    sharing = Tasks(
        {name: section.weight for name, section in sections.items()},
        options.tasks,
        start={name: section.start_step for name, section in sections.items()},
        size={task.name: task.rows(prepared, options) for task in tasks},
        seed=seed,
        rate={name: section.learning_rate for name, section in sections.items() if section.learning_rate},
    )
    steps, round_ = training_steps(options, first, prepared), steps_of_a_round(options, first, prepared)
    return Plan(tasks, sharing, tasks[-1].stopping(options), steps, steps / round_)


def training_steps(options: params.FinetuneRank, first: Task, prepared: Prepared) -> int:
    """Updates in `epochs` rounds through the rows of the first task, at least one; a batch holds at most all rows."""
    if options.rounds <= 0:
        return 0
    steps = options.rounds * steps_of_a_round(options, first, prepared)
    return min(max(1, round(steps)), options.max_steps or sys.maxsize)


def steps_of_a_round(options: params.FinetuneRank, first: Task, prepared: Prepared) -> float:
    """Updates in one round through the rows of the first task."""
    rows = first.rows(prepared, options)
    batches = rows / max(1, min(first.batch_size(options), rows))
    return max(batches, 1.0) / options.gradient_accumulation_steps


def dev_metrics(given: Given, objectives: dict[str, TaskObjective]) -> Metrics:
    """The metrics of all tasks that have some, also of those that are off."""
    watches = [watch for task in TASKS if (watch := task.watch(given, objectives.get(task.name)))]
    return lambda: {name: value for watch in watches for name, value in watch().items()}


def with_heads(start: system.System, options: params.FinetuneRank) -> system.System:
    """`start` with all heads that the tasks which are on train."""
    result = arrange_heads(start, options)
    task_heads.add(result, options.objectives.on, options.tasks)
    return result.to(start.encoder.device)


def arrange_heads(start: system.System, options: params.FinetuneRank) -> system.System:
    """The chain of heads that ranking trains.

    inherit   continue training the pretrained head; a new one where there is none
    freeze    keep the pretrained head as it is, under a new one (the seed project's second arrangement)
    drop      a new head on the encoder alone
    """
    pretrained = start.query_head
    has_pretrained = len(pretrained) > 0
    if options.barlow_head == "inherit" and has_pretrained:
        chain = pretrained
    elif options.barlow_head == "freeze" and has_pretrained:
        pretrained.requires_grad_(False)
        new = heads.build(options.head, heads.output_width(pretrained, start.encoder.width))
        chain = nn.Sequential(*pretrained, *new)
    else:
        chain = heads.build(options.head, start.encoder.width)
    result = system.with_heads(start, chain, dual=options.encoders == "dual", score=options.similarity.kind)
    # What was fitted to the result of the chain before fits it still, where a new head starts as the identity.
    is_as_before = chain is pretrained or options.head.kind != "mlp"
    is_dropped = has_pretrained and options.barlow_head == "drop"
    if start.readout is not None and result.score == "cosine" and is_as_before and not is_dropped:
        result.readout = copy.deepcopy(start.readout)
    return result
