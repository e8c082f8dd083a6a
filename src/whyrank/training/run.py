"""The two trainings of the pipeline, from a system and prepared data to a better system and its history.

Frozen encoder: every text is encoded once and the heads are trained on that table. Trained encoder: live.
"""

import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from whyrank.core import params
from whyrank.core.errors import UserError
from whyrank.core.prepared import Prepared
from whyrank.model import heads, system, vector_cache
from whyrank.training import checks, distillation, objectives, rating_checks, task_heads
from whyrank.training.barlow import BarlowObjective
from whyrank.training.checkpoint import Checkpoints
from whyrank.training.encoding import finish, vectors_for
from whyrank.training.evaluation import RankingWatch, RatingsWatch, SimilarityWatch
from whyrank.training.fingerprint import fingerprint
from whyrank.training.loop import History, Weighted, fit
from whyrank.training.objective import Objective
from whyrank.training.ratings import RatingsObjective
from whyrank.training.terms import balancing, with_terms
from whyrank.training.vectors import Vectors
from whyrank.training.watch import DevWatch


class Trained(NamedTuple):
    system: system.System
    history: History
    checkpoints: Checkpoints  # to be removed once the results are written
    vectors: Vectors | None = None  # what another training from the same start need not compute again
    ratings: RatingsObjective | None = None  # where it is on: it predicts what it was trained on


def pretrain_barlow(
    start: system.System, prepared: Prepared, options: params.PretrainBarlow, encoder: params.Encoder, seed: int
) -> Trained:
    """Barlow Twins on top of `start`; the result scores by the cosine, which does not depend on the scale of a head.

    0 steps give `start` back as it is: an untrained head would be a random projection, and the data need have no views.
    """
    checkpoints = checkpoints_of(start, prepared, options, encoder, seed)
    if options.steps == 0:
        return Trained(start, History(pd.DataFrame(columns=["step"]), pd.DataFrame(), 0, pd.DataFrame()), checkpoints)
    head = heads.build(options.head, start.encoder.width)
    result = system.with_heads(start, head, dual=False, score="cosine").to(start.encoder.device)
    vectors = vectors_for(result, prepared, encoder, options)
    objective = BarlowObjective(prepared, vectors, head, options, np.random.default_rng(seed))
    history = fit(
        trainable(result, options.train),
        {"barlow": Weighted(1.0, with_terms("barlow", objective, balancing(head, options.head)))},
        options,
        steps=options.steps,
        what="pretrain",
        seed=seed,
        checkpoints=checkpoints,
        precision=encoder.precision,
    )
    finish(vectors, result, prepared, encoder, options)
    return Trained(result, history, checkpoints)


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
    ratings = bare.get("ratings")
    assert ratings is None or isinstance(ratings, RatingsObjective)
    return Trained(result, history, checkpoints, vectors, ratings)


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
    return min(max(1, round(batches / options.accumulate)), options.max_steps or sys.maxsize)


def checkpoints_of(
    start: system.System,
    prepared: Prepared,
    options: params.Optimisation,
    encoder: params.Encoder,
    seed: int,
    teacher_ND: torch.Tensor | None = None,
) -> Checkpoints:
    name = fingerprint(start, prepared, options, encoder, seed, teacher_ND)
    return Checkpoints(vector_cache.cache_folder() / "checkpoints" / name[:32])


def trainable(result: system.System, train: str, *, own: bool = False) -> nn.Module:
    """The modules whose weights change: the heads, and under the name `encoder` the encoder where it is trained.

    own   an objective has weights of its own whose predictions are kept, so that these may be all that learns
    """
    parts = nn.ModuleDict({"heads": result.heads()})
    if train != "head":
        parts["encoder"] = result.encoder
    if not own and not any(parameter.requires_grad for parameter in parts.parameters()):
        raise UserError(
            "nothing to train: the encoder is frozen and there is no head; "
            "set `train: last` or `train: all`, or a `head.kind` other than none"
        )
    return parts


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
