"""Barlow Twins pretraining, from a system and prepared data to a pretrained system and its history."""

import numpy as np
import pandas as pd

from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.model import system
from whyrank.model.heads import heads
from whyrank.training.barlow.objective import BarlowObjective
from whyrank.training.engine.encoding import finish, vectors_for
from whyrank.training.engine.loop import History, Weighted, fit
from whyrank.training.engine.objective import balancing
from whyrank.training.engine.trained import Trained, checkpoints_of, trainable


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
    objective.terms = balancing(head, options.head)
    history = fit(
        trainable(result, options.train),
        {objective.name: Weighted(1.0, objective)},
        options,
        steps=options.steps,
        what="pretrain",
        seed=seed,
        checkpoints=checkpoints,
        precision=encoder.precision,
    )
    finish(vectors, result, prepared, encoder, options)
    return Trained(result, history, checkpoints)
