"""What a training gives back, where its checkpoints lie, and what of a system it trains."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

import pandas as pd
import torch
from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.prepared import Prepared
from whyrank.model import system
from whyrank.model.encoder import vector_cache
from whyrank.training.engine.checkpoint import Checkpoints
from whyrank.training.engine.fingerprint import fingerprint
from whyrank.training.engine.loop import History
from whyrank.training.engine.objective import Objective
from whyrank.training.engine.vectors import Vectors


class OutOfFold(Protocol):
    """What the trainings of all folds predict of rows that they have not seen."""

    def records(self) -> Mapping[str, pd.DataFrame]:
        """How the folds learnt, by the name of a file among the metrics."""
        ...

    def write(self, folder: Path, prepared: Prepared, *, id_name: str) -> None:
        """The predictions, into a folder of the system's own; `id_name`: what the data call the ids of rows."""
        ...


class Trained(NamedTuple):
    system: system.System
    history: History
    checkpoints: Checkpoints  # to be removed once the results are written
    vectors: Vectors | None = None  # what another training from the same start need not compute again
    objectives: Mapping[str, Objective] = MappingProxyType({})  # by name; one that rates predicts what it learnt
    out_of_fold: OutOfFold | None = None  # where there was a training for each fold; the system is that of the first


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
