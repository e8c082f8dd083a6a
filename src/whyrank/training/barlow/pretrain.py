"""Pretraining on views: two texts of the same thing are brought together, before any ranking is learnt."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
from torch import nn

from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.model import system
from whyrank.model.heads import heads
from whyrank.model.heads.readout import fitted
from whyrank.model.judged import judged
from whyrank.model.readout import Asked
from whyrank.training.barlow.gained import Gained
from whyrank.training.barlow.gauge import Gauge
from whyrank.training.barlow.objective import BarlowObjective
from whyrank.training.barlow.texts import with_views
from whyrank.training.engine.dev_ranking import RankingWatch
from whyrank.training.engine.encoding import finish, read_out, vectors_for
from whyrank.training.engine.loop import History, Loop
from whyrank.training.engine.monitor import Speed
from whyrank.training.engine.objective import balancing
from whyrank.training.engine.trained import Trained, checkpoints_of, trainable
from whyrank.training.engine.vectors import Vectors
from whyrank.training.engine.watch import DevWatch

# Texts that a read-out is fitted on while pretraining goes on: four times as many as features of most encoders.
MOST_FITTED = 2048


def pretrain_barlow(
    start: system.System, prepared: Prepared, options: params.PretrainBarlow, encoder: params.Encoder, seed: int
) -> Trained:
    """Pretrain a head on `start`, with as much of its encoder as `options.train` says; the best weights on dev win.

    Where they do not rank dev queries better than `start` in nine of ten resamples, that is what comes back, unless
    `early_stopping.metric` is empty: of several evaluations the best is better by chance.
    The result scores by the cosine, which does not depend on the scale of a head. 0 steps give `start` back as it is:
    an untrained head would be a random projection, and the data need have no views.
    """
    checkpoints = checkpoints_of(start, prepared, options, encoder, seed)
    if options.steps == 0:
        nothing = History(pd.DataFrame(columns=["step"]), pd.DataFrame(), 0, Speed().table())
        return Trained(start, nothing, checkpoints)
    head = heads.build(options.head, start.encoder.width)
    result = system.with_heads(start, head, dual=False, score="cosine").to(start.encoder.device)
    texts = with_views(prepared, start.encoder, options, seed)
    vectors = vectors_for(result, texts, encoder, options)
    objective = BarlowObjective(texts, vectors, head, options, np.random.default_rng(seed))
    objective.terms = balancing(head, options.head)
    objective.weights = projector(result.width_of("rank"), options.projector).to(start.encoder.device)
    trained = trainable(result, options.train, own=options.projector > 0)
    trained.add_module("objectives", nn.ModuleDict({objective.name: objective.weights}))
    gained = Gained(start, texts, vectors, options.train, seed) if options.early_stopping.metric else None
    history = Loop(
        trained,
        {objective.name: objective},
        options,
        steps=options.steps,
        what="pretrain",
        seed=seed,
        watch=watch(trained, result, texts, vectors, options, seed, encoder.readout),
        checkpoints=checkpoints,
        precision=encoder.precision,
    ).fit()
    finish(vectors, result, options)
    result.readout = None
    chosen = read_out(result, vectors, prepared, encoder, seed)
    if gained and not gained.is_likely(result):
        gained.undo()
        print("pretrain_barlow: the dev queries do not likely gain; what there was before is kept", file=sys.stderr)
        return Trained(start, history._replace(best_step=0), checkpoints)
    return Trained(result, history, checkpoints, readout=chosen)


def watch(
    trained: nn.Module,
    result: system.System,
    texts: Prepared,
    vectors: Vectors,
    options: params.PretrainBarlow,
    seed: int,
    asked: Asked,
) -> DevWatch:
    """Evaluations on the dev queries, and without labels; where no dev query is judged, the last weights are kept.

    asked   read-out, fitted anew for each evaluation; auto: standardised, as the losses do not see what all texts share
    """
    stopping = options.early_stopping
    watches: list[Gauge | RankingWatch] = [Gauge(texts, vectors, result)]
    if len(judged(texts, "dev")):
        watches.append(RankingWatch(texts, result, vectors, np.random.default_rng(seed)))
    else:
        stopping = replace(stopping, metric="")

    kind = "standardised" if asked == "auto" else asked
    fit_on = sample(texts, seed)

    def metrics() -> dict[str, float]:
        if kind != "raw":
            result.readout = fitted(kind, result.before_readout("answer", vectors.inference(fit_on)))
        return {name: value for one in watches for name, value in one().items()}

    return DevWatch(trained, metrics, stopping, options.steps, "pretrain_barlow")


def sample(texts: Prepared, seed: int) -> np.ndarray:
    """Numbers of answers and training queries that say what all texts share; all of them, where there are few."""
    train = texts.texts.of("query")[texts.rows("train")]
    return np.random.default_rng(seed).permutation(np.concatenate([texts.texts.of("answer"), train]))[:MOST_FITTED]


def projector(width: int, features: int) -> nn.Module:
    """Layers that only the loss reads: what it wears away is theirs, not the head's (Zbontar et al. 2021, figure 4)."""
    if not features:
        return nn.Identity()
    return nn.Sequential(nn.Linear(width, features), nn.BatchNorm1d(features), nn.ReLU(), nn.Linear(features, features))
