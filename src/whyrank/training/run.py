"""The two trainings of the pipeline, from a system and prepared data to a better system and its history.

Frozen encoder: every text is encoded once and the heads are trained on that table. Trained encoder: live.
"""

import sys
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from whyrank.core import params, processes
from whyrank.core.errors import UserError
from whyrank.core.prepared import Prepared
from whyrank.model import heads, lora, system, vector_cache
from whyrank.training import checks, distillation, objectives, sharding, task_heads
from whyrank.training.barlow import BarlowObjective
from whyrank.training.checkpoint import Checkpoints
from whyrank.training.evaluation import RankingWatch, SimilarityWatch
from whyrank.training.fingerprint import fingerprint
from whyrank.training.loop import History, Weighted, fit
from whyrank.training.sharding import ShardedVectors
from whyrank.training.terms import balancing, with_terms
from whyrank.training.vectors import FrozenVectors, LastBlocksVectors, LiveVectors, Vectors
from whyrank.training.watch import DevWatch


class Trained(NamedTuple):
    system: system.System
    history: History
    checkpoints: Checkpoints  # to be removed once the results are written


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
) -> Trained:
    """The objectives that are on, from `start` with the heads that `barlow_head` says; the best look is kept.

    teacher   what the objectives are to agree with beside their loss, where `options.distillation` is on
    """
    weights = objectives.weights(options)
    result = arrange_heads(start, options)
    task_heads.add(result, options, list(weights))
    result.to(start.encoder.device)
    checks.check(result, options)
    teacher_ND = distillation.vectors(teacher, result, prepared, options.distillation, encoder) if teacher else None
    checkpoints = checkpoints_of(start, prepared, options, encoder, seed, teacher_ND)
    vectors = vectors_for(result, prepared, encoder, options)
    terms = balancing(result.heads(), options.head) | distillation.terms(teacher_ND, options)
    made = {
        name: with_terms(
            name,
            objectives.OBJECTIVES[name](prepared, result, vectors, options, np.random.default_rng(seed)),
            terms,
        )
        for name in weights
    }
    tasks = objectives.tasks(prepared, options, seed)
    trained = trainable(result, options.train)
    trained.add_module("objectives", nn.ModuleDict(made))
    trained.add_module("tasks", tasks)
    steps = training_steps(options, prepared)
    evaluate = RankingWatch(prepared, result, vectors, np.random.default_rng(seed))
    similarity = SimilarityWatch(prepared, result, vectors)
    history = fit(
        trained,
        {name: Weighted(weights[name], objective) for name, objective in made.items()},
        options,
        steps=steps,
        what="fine-tune",
        seed=seed,
        watch=DevWatch(trained, lambda: evaluate() | similarity(), options.early_stopping, steps),
        checkpoints=checkpoints,
        precision=encoder.precision,
        tasks=tasks,
    )
    finish(vectors, result, prepared, encoder, options)
    return Trained(result, history, checkpoints)


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


def vectors_for(
    result: system.System, prepared: Prepared, encoder: params.Encoder, options: params.Optimisation
) -> Vectors:
    """A table of all texts when the encoder is frozen, else as much of the encoder as is trained."""
    if options.lora.rank and options.train != "all":
        raise UserError(f"params.yaml: LoRA needs `train: all`, not `{options.train}`; or set lora.rank=0")
    if options.shard_encoder:
        sharding.check(options, encoder.precision)
    ranking, rows = prepared.token_ids, prepared.training_token_ids
    limits: dict[str, Any] = {"batch_tokens": encoder.batch_tokens, "precision": encoder.precision}
    if options.train != "head":
        if options.gradient_checkpointing:
            result.encoder.transformer.gradient_checkpointing_enable({"use_reentrant": False})
        if options.train == "last":
            return LastBlocksVectors(
                result.encoder, rows, options.last_blocks, **limits, cache_tokens=options.cache_tokens
            )
        lora.add(result.encoder, options.lora)
        if options.shard_encoder and processes.count() > 1:
            return ShardedVectors(result.encoder, rows, **limits)
        return LiveVectors(result.encoder, rows, **limits, cache_tokens=options.cache_tokens)
    # Apart, as pretraining and evaluation ask for the ranking texts alone.
    parts = [ranking, rows[len(ranking) :]]
    vectors = [
        vector_cache.encode(result.encoder, part, **limits, folder=vector_cache.cache_folder()) for part in parts
    ]
    return FrozenVectors(np.concatenate(vectors), result.encoder.device)


def finish(
    vectors: Vectors,
    result: system.System,
    prepared: Prepared,
    encoder: params.Encoder,
    options: params.Optimisation,
) -> None:
    """Make the encoder what it will be on disk, and leave the vectors that evaluation will ask for.

    On kept activations these cost no more than the last blocks.
    """
    if isinstance(vectors, ShardedVectors):
        vectors.gather()
    if options.gradient_checkpointing:
        result.encoder.transformer.gradient_checkpointing_disable()
    lora.merge(result.encoder)
    if isinstance(vectors, LastBlocksVectors):
        rows = prepared.token_ids
        vector_ND = vectors.inference(np.arange(len(rows))).cpu().numpy()
        limits: dict[str, Any] = {"batch_tokens": encoder.batch_tokens, "precision": encoder.precision}
        if processes.is_first():
            vector_cache.remember(vector_ND, result.encoder, rows, **limits, folder=vector_cache.cache_folder())


def trainable(result: system.System, train: str) -> nn.Module:
    """The modules whose weights change: the heads, and under the name `encoder` the encoder where it is trained."""
    parts = nn.ModuleDict({"heads": result.heads()})
    if train != "head":
        parts["encoder"] = result.encoder
    if not any(parameter.requires_grad for parameter in parts.parameters()):
        raise UserError(
            "nothing to train: the encoder is frozen and there is no head; "
            "set `train: last` or `train: all`, or a `head.kind` other than none"
        )
    return parts


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
