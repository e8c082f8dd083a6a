"""The two trainings of the pipeline, from a system and prepared data to a better system and its history.

Frozen encoder: every text is encoded once and the heads are trained on that table. Trained encoder: live.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import nn

from whyrank.core import params
from whyrank.core.errors import UserError
from whyrank.core.prepared import Prepared
from whyrank.model import heads, system, vector_cache
from whyrank.training.barlow import BarlowObjective
from whyrank.training.evaluation import RankingWatch
from whyrank.training.loop import History, Weighted, fit
from whyrank.training.rank import OBJECTIVES
from whyrank.training.vectors import FrozenVectors, LastBlocksVectors, LiveVectors, Vectors


class Trained(NamedTuple):
    system: system.System
    history: History


def pretrain_barlow(
    start: system.System, prepared: Prepared, options: params.PretrainBarlow, encoder: params.Encoder, seed: int
) -> Trained:
    """Barlow Twins on top of `start`; the result scores by the cosine, which does not depend on the scale of a head.

    0 steps give `start` back as it is: an untrained head would be a random projection, and the data need have no views.
    """
    if options.steps == 0:
        return Trained(start, History(pd.DataFrame(columns=["step"]), pd.DataFrame(), 0))
    head = heads.build(options.head, start.encoder.width)
    result = system.with_heads(start, head, dual=False, score="cosine").to(next(start.encoder.parameters()).device)
    vectors = vectors_for(result, prepared, encoder, options)
    objective = BarlowObjective(prepared, vectors, head, options, np.random.default_rng(seed))
    history = fit(
        trainable(result, options.train),
        {"barlow": Weighted(1.0, objective)},
        options,
        steps=options.steps,
        what="pretrain",
    )
    leave_vectors(vectors, result, prepared, encoder)
    return Trained(result, history)


def finetune_rank(
    start: system.System, prepared: Prepared, options: params.FinetuneRank, encoder: params.Encoder, seed: int
) -> Trained:
    """The objectives that are on, from `start` with the heads that `barlow_head` says; the best look is kept."""
    result = arrange_heads(start, options).to(next(start.encoder.parameters()).device)
    vectors = vectors_for(result, prepared, encoder, options)
    random = np.random.default_rng(seed)
    weights = {name: getattr(options.objectives, name).weight for name in OBJECTIVES}
    if not any(weights.values()):
        raise UserError(
            "params.yaml: every objective has weight 0; "
            f"raise one, as in -S finetune_rank.objectives.{next(iter(weights))}.weight=1"
        )
    objectives = {
        name: OBJECTIVES[name](prepared, result, vectors, options, random)
        for name, weight in weights.items()
        if weight > 0
    }
    trained = trainable(result, options.train)
    trained.add_module("objectives", nn.ModuleDict(objectives))
    history = fit(
        trained,
        {name: Weighted(weights[name], objective) for name, objective in objectives.items()},
        options,
        steps=ranking_steps(options, len(prepared.relevant_in("train"))),
        what="fine-tune",
        evaluate=RankingWatch(prepared, result, vectors, np.random.default_rng(seed)),
        early_stopping=options.early_stopping,
    )
    leave_vectors(vectors, result, prepared, encoder)
    return Trained(result, history)


def ranking_steps(options: params.FinetuneRank, pairs: int) -> int:
    """Batches in `epochs` rounds through the training pairs, at least one; a batch holds at most all pairs."""
    if options.epochs <= 0:
        return 0
    return max(1, round(options.epochs * pairs / min(options.batch_size, pairs)))


def vectors_for(
    result: system.System, prepared: Prepared, encoder: params.Encoder, options: params.Optimisation
) -> Vectors:
    """A table of all texts when the encoder is frozen, else as much of the encoder as is trained."""
    rows = prepared.token_ids
    batch_tokens, precision = encoder.batch_tokens, encoder.precision
    if options.train == "all":
        return LiveVectors(result.encoder, rows, batch_tokens=batch_tokens, precision=precision)
    if options.train == "last":
        return LastBlocksVectors(
            result.encoder, rows, options.last_blocks, batch_tokens=batch_tokens, precision=precision
        )
    vector_ND = vector_cache.encode(
        result.encoder, rows, batch_tokens=batch_tokens, precision=precision, folder=vector_cache.cache_folder()
    )
    return FrozenVectors(vector_ND, next(result.encoder.parameters()).device)


def leave_vectors(vectors: Vectors, result: system.System, prepared: Prepared, encoder: params.Encoder) -> None:
    """Later stages ask for the vectors of all texts; on kept activations these cost no more than the last blocks."""
    if isinstance(vectors, LastBlocksVectors):
        rows = prepared.token_ids
        vector_cache.remember(
            vectors.inference(np.arange(len(rows))).cpu().numpy(),
            result.encoder,
            rows,
            batch_tokens=encoder.batch_tokens,
            precision=encoder.precision,
            folder=vector_cache.cache_folder(),
        )


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
