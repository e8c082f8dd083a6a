"""Fine-tuning, from a system and prepared data to a better system and its history.

Frozen encoder: every text is encoded once and the heads are trained on that table. Trained encoder: live.
"""

import sys
from collections.abc import Callable, Mapping

import numpy as np
from torch import nn

from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.model import system
from whyrank.model.heads import heads
from whyrank.training import checks, distillation, objectives, task_heads
from whyrank.training.engine.encoding import finish, vectors_for
from whyrank.training.engine.loop import Weighted, fit
from whyrank.training.engine.objective import Objective
from whyrank.training.engine.terms import balancing, with_terms
from whyrank.training.engine.trained import Trained, checkpoints_of, trainable
from whyrank.training.engine.vectors import Vectors
from whyrank.training.engine.watch import DevWatch
from whyrank.training.evaluation import RankingWatch, RatingsWatch, SimilarityWatch
from whyrank.training.ratings import checks as rating_checks
from whyrank.training.ratings.objective import RatingsObjective


def finetune_rank(
    start: system.System,
    prepared: Prepared,
    options: params.FinetuneRank,
    encoder: params.Encoder,
    seed: int,
    teacher: distillation.Teacher | None = None,
    *,
    kept: Vectors | None = None,
    what: str = "fine-tune",
    remember: bool = True,
) -> Trained:
    """The objectives that are on, from `start` with the heads that `barlow_head` says; the best look is kept.

    teacher    what the objectives are to agree with beside their loss, where `options.distillation` is on
    kept       the vectors of another training from a copy of `start`
    what       names the training while it goes on
    remember   leave the vectors that evaluation will ask for
    """
    weights = objectives.weights(options)
    result = arranged(start, options)
    checks.check(result, options)
    stopping = objectives.early_stopping(options)
    if "ratings" in weights:
        rating_checks.check(prepared, result.encoder, options)
    teacher_ND = distillation.vectors(teacher, result, prepared, options.distillation, encoder) if teacher else None
    checkpoints = checkpoints_of(start, prepared, options, encoder, seed, teacher_ND)
    vectors = vectors_for(result, prepared, encoder, options, kept)
    terms = balancing(result.heads(), options.head) | distillation.terms(teacher_ND, options)
    bare = {
        name: objectives.OBJECTIVES[name](prepared, result, vectors, options, np.random.default_rng(seed))
        for name in weights
    }
    made = {name: with_terms(name, objective, terms) for name, objective in bare.items()}
    tasks = objectives.tasks(prepared, options, seed)
    trained = trainable(result, options.train, own=[*weights] == ["ratings"])
    trained.add_module("objectives", nn.ModuleDict(made))
    trained.add_module("tasks", tasks)
    steps = training_steps(options, prepared)
    history = fit(
        trained,
        {name: Weighted(weights[name], objective) for name, objective in made.items()},
        options,
        steps=steps,
        what=what,
        seed=seed,
        watch=watch(trained, prepared, result, vectors, bare, stopping, steps, seed),
        checkpoints=checkpoints,
        precision=encoder.precision,
        tasks=tasks,
    )
    finish(vectors, result, prepared, encoder, options, remember=remember)
    return Trained(result, history, checkpoints, vectors, bare)


def watch(
    trained: nn.Module,
    prepared: Prepared,
    result: system.System,
    vectors: Vectors,
    made: Mapping[str, Objective],
    stopping: params.EarlyStopping,
    steps: int,
    seed: int,
) -> DevWatch:
    """What is looked at while training: the dev queries and pairs, and the held-out ratings where they are trained."""
    looks: list[Callable[[], dict[str, float]]] = [
        RankingWatch(prepared, result, vectors, np.random.default_rng(seed)),
        SimilarityWatch(prepared, result, vectors),
    ]
    ratings = made.get("ratings")
    if isinstance(ratings, RatingsObjective):
        looks.append(RatingsWatch(prepared, ratings, np.random.default_rng(seed)))

    def evaluate() -> dict[str, float]:
        return {name: value for look in looks for name, value in look().items()}

    return DevWatch(trained, evaluate, stopping, steps)


def training_steps(options: params.FinetuneRank, prepared: Prepared) -> int:
    """Updates in `epochs` rounds, at least one; a batch holds at most all rows.

    Rounds through the rows of the first objective that is on: of ranking, where that is one of them.
    """
    if options.epochs <= 0:
        return 0
    first = next(iter(objectives.weights(options)))
    rows = objectives.rows(prepared, options, first)
    batches = options.epochs * rows / max(1, min(objectives.batch_size(options, first), rows))
    return min(max(1, round(batches / options.gradient_accumulation_steps)), options.max_steps or sys.maxsize)


def arranged(start: system.System, options: params.FinetuneRank) -> system.System:
    """`start` with all heads that the objectives which are on train."""
    result = arrange_heads(start, options)
    task_heads.add(result, options, list(objectives.weights(options)))
    return result.to(start.encoder.device)


def arrange_heads(start: system.System, options: params.FinetuneRank) -> system.System:
    """The chain of heads that ranking trains.

    inherit   go on training the pretrained head; a new one where there is none
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
    return system.with_heads(start, chain, dual=options.encoders == "dual", score=options.similarity.kind)
