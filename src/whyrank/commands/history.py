"""What another trainer logged, as the history that checks of a training read (docs/history.md).

A column is left out where the log does not have what it takes; the checks that need it do not apply then.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from whyrank.core.errors import UserError
from whyrank.data.files.readers import name_and_format, read_rows
from whyrank.findings.records import BATCH

COLUMNS = ("step", "loss")
NOTHING = pd.DataFrame(columns=list(COLUMNS), dtype=float)
# What transformers, sentence-transformers and loops of one's own call it.
NAMES = {
    "step": ("step", "global_step", "steps", "Step"),
    "loss": ("loss", "train_loss", "train/loss", "training_loss", "Loss/train", "train_loss_step"),
    "encoder_learning_rate": ("learning_rate", "lr", "train/learning_rate", "lr-AdamW", "train/lr"),
    "gradient_norm": ("grad_norm", "gradient_norm", "train/grad_norm"),
}
# What TensorBoard's writers put into the names of their files.
EVENTS = "*tfevents*"


def read(file: Path) -> pd.DataFrame:
    """One row for each logged step, of trainer_state.json, TensorBoard's events or a table with such columns.

    file   of events also the folder that they lie in, itself or one folder of it

    loss, rank_loss   as logged
    encoder_learning_rate, gradient_norm   where they were logged
    rate_factor       learning rate over its peak; only where every step was logged, from the first one on: else nobody
                      knows how it began; and where it did not rise to the end
    progress          share of the planned steps, beside it; of a table the last row is the last one planned
    Raises UserError for a file that is neither, and for one without steps or losses.
    """
    if file.is_dir() or file.match(EVENTS):
        rows, planned = _events(file), 0
    else:
        rows, planned = _trainer_state(file) if file.suffix == ".json" else (_table(file), 0)
    there = {key for row in rows for key in row}
    found = pd.DataFrame({name: _column(rows, names) for name, names in NAMES.items() if there & set(names)})
    for name in COLUMNS:
        if name not in found:
            logged = f"; it has {', '.join(sorted(there))}" if there else ""
            raise UserError(f"{file}: no logged row has a {name}; it is called one of {', '.join(NAMES[name])}{logged}")
        if not any(map(_is_number, cells := _logged(rows, NAMES[name]))):
            raise UserError(f"{file}: no {name} is a number; the first is {cells[0]!r}, and one is written as 0.5")
    found = found[np.isfinite(found["step"])].drop_duplicates("step", keep="last").sort_values("step")
    found = found.assign(step=found["step"].astype(int), rank_loss=found["loss"]).reset_index(drop=True)
    rate = found.get("encoder_learning_rate", pd.Series(dtype=float))
    is_whole = len(rate) > 1 and bool((found["step"] == np.arange(1, len(found) + 1)).all())
    # One that was still rising in the end has its peak where nobody saw it.
    if is_whole and rate.max() > 0 and rate.iloc[-1] <= rate.iloc[-2]:
        found["rate_factor"] = rate / rate.max()
        found["progress"] = found["step"] / (planned or len(found))
    return found


def batch_size(file: Path) -> dict[str, float]:
    """Pairs of a batch as transformers' trainer_state.json has them, under `BATCH`; empty of another file."""
    state = json.loads(file.read_text(encoding="utf-8")) if file.suffix == ".json" else {}
    size = state.get("train_batch_size")
    return {BATCH: float(size)} if isinstance(size, int) and size > 1 else {}


def _trainer_state(file: Path) -> tuple[list[dict[str, Any]], int]:
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
        # The last row sums up the training, and others are of evaluations.
        return [row for row in state["log_history"] if "loss" in row], int(state.get("max_steps") or 0)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{file} is no trainer_state.json with a log_history ({type(error).__name__}); name that of the last "
            "checkpoint"
        ) from None


def _events(place: Path) -> list[dict[str, Any]]:
    """A row for each step with a scalar, by the names of the scalars. place   a file, or a folder of one run"""
    folders = sorted({found.parent for found in place.rglob(EVENTS)}) if place.is_dir() else [place]
    if len(folders) != 1:
        runs = f"the events of {len(folders)} runs; name the folder of one: {', '.join(map(str, folders[:3]))}"
        raise UserError(f"{place}: {runs}" if folders else f"{place}: no file of TensorBoard's events ({EVENTS})")
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError:
        raise UserError(f"{place}: events are read by TensorBoard, which is missing: pip install tensorboard") from None
    # Of all events; the default is a sample.
    read = EventAccumulator(str(folders[0]), size_guidance={"scalars": 0, "tensors": 0})
    read.Reload()
    rows: dict[int, dict[str, Any]] = {}
    for name in read.Tags()["scalars"]:
        for one in read.Scalars(name):
            rows.setdefault(one.step, {"step": one.step})[name] = one.value
    # As TensorFlow 2 writes scalars.
    for name in read.Tags()["tensors"]:
        for one in read.Tensors(name):
            if (value := make_ndarray(one.tensor_proto)).size == 1 and value.dtype.kind == "f":
                rows.setdefault(one.step, {"step": one.step})[name] = float(value.reshape(()))
    return [rows[step] for step in sorted(rows)]


def _table(file: Path) -> list[dict[str, Any]]:
    if not name_and_format(file)[1]:
        raise UserError(
            f"{file}: name trainer_state.json of a checkpoint, a file or folder of TensorBoard's events, "
            "or a CSV with the columns step and loss"
        )
    rows: dict[str, dict[str, Any]] = {}
    for row in read_rows(file):
        cells = {name: cell for name, cell in row.cells.items() if cell not in (None, "")}
        # Loops that evaluate write a row more for that step, which has no loss; others one for each figure.
        for step in _logged([cells], NAMES["step"]):
            rows.setdefault(str(step), {}).update(cells)
    return list(rows.values())


def _column(rows: list[dict[str, Any]], names: tuple[str, ...]) -> list[float]:
    """NaN where a row has none of the names, and where what it has is no number."""
    own = (next(iter(_logged([row], names)), np.nan) for row in rows)
    return [float(value) if _is_number(value) else np.nan for value in own]


def _logged(rows: list[dict[str, Any]], names: tuple[str, ...]) -> list[Any]:
    """What each row that has one of the names has under the first of them."""
    return [next(row[name] for name in names if name in row) for row in rows if not row.keys().isdisjoint(names)]


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
