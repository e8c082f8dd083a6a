"""What a training gives back and its summary, where its checkpoints lie, and what of a system it trains."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
import torch
from torch import nn

from whyrank.core import cache, processes
from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.options.ratings import Ratings
from whyrank.core.prepared import TABLES, Prepared
from whyrank.model import system
from whyrank.model.encoder import vector_cache
from whyrank.model.encoder.encoder import TokenIds
from whyrank.model.heads import heads
from whyrank.training.engine.checkpoint import Checkpoints
from whyrank.training.engine.loop import History
from whyrank.training.engine.objective import Objective
from whyrank.training.engine.vectors import Vectors

SOURCES = Path(__file__).parents[2]
# The last tenth of the steps: one batch is noise, and the whole run would hide where it ended.
TAIL = 0.1
# Of the dev set, in the summary of pretraining.
KEPT = ("accuracy@1_all", "map@10_all", "view_agreement", "answer_rank", "answer_cosine")
# Rows of a learning curve: a plot has hardly more pixels.
CURVE = 300


class OutOfFold(Protocol):
    """What the trainings of all folds predict of rows that they have not seen."""

    def records(self) -> Mapping[str, pd.DataFrame]:
        """How the folds learnt, by the name of a file among the metrics."""
        ...

    def write(self, folder: Path, prepared: Prepared, columns: Ratings) -> None:
        """The predictions, into a folder of the system's own; `columns`: names and scales of the data."""
        ...


class Trained(NamedTuple):
    system: system.System
    history: History
    checkpoints: Checkpoints  # to be removed once the results are written
    vectors: Vectors | None = None  # what another training from the same start need not compute again
    objectives: Mapping[str, Objective] = MappingProxyType({})  # by name; one that rates predicts what it learnt
    readout: pd.DataFrame | None = None  # what each kind of read-out gains on dev, where one was chosen
    range_test: pd.DataFrame | None = None  # the learning rates that were tried, where there was a choice
    out_of_fold: OutOfFold | None = None  # where there was a training for each fold; the system is that of the first

    def records(self) -> dict[str, pd.DataFrame]:
        """What is kept beside the model, by the name of the file."""
        tables = {"history.csv": self.history.steps, "evaluations.csv": self.history.evaluations}
        chosen = {"readout.csv": self.readout, "range_test.csv": self.range_test}
        tables |= {name: table for name, table in chosen.items() if table is not None}
        # Without steps there was no evaluation, and a file without a column is none.
        tables = {name: table for name, table in tables.items() if len(table.columns)}
        return {**tables, **(self.out_of_fold.records() if self.out_of_fold else {})}


def checkpoints_of(
    start: system.System,
    prepared: Prepared,
    options: params.Optimisation,
    encoder: params.Encoder,
    seed: int,
    teacher_ND: torch.Tensor | None = None,
    others: str = "",
) -> Checkpoints:
    """In a folder named by the system it starts from, all of the data, parameters, seed, versions, code.

    Data and parameters count whole: a list of what this or that training reads of them would one day lack something.
    teacher_ND   the vectors of a teacher, where there is one
    others       fingerprints of other models that it reads: a cross-encoder
    """
    digest = hashlib.sha256(fingerprint(start, prepared.training_token_ids, encoder).encode())
    if teacher_ND is not None:
        digest.update(np.ascontiguousarray(teacher_ND.cpu().numpy()).tobytes())
    digest.update(others.encode())
    for name in (*TABLES, "view_texts"):
        for column, values in getattr(prepared, name).items():
            digest.update(f"{name}.{column}".encode())
            # Of what is trained on, the token ids are in the fingerprint.
            for value in values if column != "input_ids" else ():
                digest.update(f"{value}\0".encode())
    digest.update(repr((options, encoder, seed, processes.count(), prepared.held_out)).encode())
    for folder in ("core", "measure", "batches", "model", "training"):
        for file in sorted((SOURCES / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return Checkpoints(cache.folder() / "checkpoints" / digest.hexdigest()[:32])


def fingerprint(one: system.System, rows: Sequence[TokenIds], encoder: params.Encoder) -> str:
    """SHA-256 over all of a system, and texts that it reads, by their token ids."""
    of_encoder = vector_cache.fingerprint(one.encoder, rows, encoder.batch_tokens, encoder.precision)
    digest = hashlib.sha256(of_encoder.encode())
    for name, tensor in one.heads().state_dict().items():
        digest.update(name.encode() + np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
    # Modules print their settings, such as a dropout.
    chains = [heads.describe(chain) for chain in (one.query_head, one.answer_head)]
    digest.update(repr((chains, one.tasks, one.readout, one.score, one.encoder.declared)).encode())
    return digest.hexdigest()


def trainable(result: system.System, train: str, *, own: bool = False) -> nn.Module:
    """The modules whose weights change: the heads, and under the name `encoder` the encoder where it is trained.

    own   an objective has weights of its own whose predictions are saved: they may be all that learns
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


def curves(history: History) -> dict[str, pd.DataFrame]:
    """The learning curves by file, in at most CURVE rows each: Git keeps them, so that any clone can draw them."""
    tables = {"history.csv": history.steps, "evaluations.csv": history.evaluations}
    return {name: thinned(table) for name, table in tables.items() if len(table.columns)}


def thinned(table: pd.DataFrame) -> pd.DataFrame:
    """At most CURVE rows, evenly spread, the first and the last among them."""
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, CURVE).round().astype(int))] if len(table) else table


def pretraining_summary(history: History) -> dict[str, float]:
    """Flat numbers, as means over the last steps; only `steps` when pretraining was off."""
    steps = history.steps
    if steps.empty:
        return {"steps": 0}
    tail = steps.tail(max(1, math.ceil(TAIL * len(steps))))
    names = ["loss", "invariance", "redundancy", "mean_diagonal", "off_diagonal_rms", "noise_floor"]
    names += ["embedding_norm", "feature_std", "effective_rank"]
    evaluations = history.evaluations
    rows = evaluations.to_dict("records")
    kept = next((row for row in rows if row["step"] == history.best_step), {})
    return {
        "steps": len(steps),
        "best_step": history.best_step,
        **{f"dev_{name}": kept[name] for name in KEPT if math.isfinite(kept.get(name, math.nan))},
        **{f"{name}_end": float(tail[name].mean()) for name in names},
        "rows_mean": float(steps["rows"].mean()),
        "distinct_answers_mean": float(steps["distinct_answers"].mean()),
    }


def finetuning_summary(history: History, readout: pd.DataFrame | None = None) -> dict[str, float]:
    """Flat numbers: steps, the defined dev metrics of the best weights, and whether these got a new read-out after it.

    readout   that of `Trained`
    """
    evaluations: pd.DataFrame = history.evaluations
    kept = evaluations[evaluations["step"] == history.best_step].iloc[0]
    names = [str(name) for name in evaluations.columns if name not in ("step", "choice") and not math.isnan(kept[name])]
    return {
        "steps_run": len(history.steps),
        "best_step": history.best_step,
        "has_new_readout": 0 if readout is None else int(readout["is_used"].any()),
        **{name if name.startswith("train_") else f"dev_{name}": float(kept[name]) for name in names},
    }
