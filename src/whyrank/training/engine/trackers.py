"""Where a training shows its history as it grows: trackers of the user's choice, through accelerate, which knows each.

A tracker changes nothing that a training makes, so DVC does not ask for it. What stays on this machine goes to logs/.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from whyrank.core import processes
from whyrank.core.errors import UserError

LOGS = Path("logs")
PROJECT = "whyrank"
# In the environment: a file that takes the dev metrics of a training as they come, a line of JSON each.
FOLLOWED = "WHYRANK_FOLLOWED"
# How the names of dev metrics begin.
DEV = "dev/"
_named: list[str] = []


def report_to(names: Sequence[str]) -> None:
    """Name the trackers, by `report_to` of params.yaml, that every training of this process reports to."""
    _named[:] = [name for name in names if name != "none"]


def run_name(what: str) -> str:
    """`<stage of DVC, else work>/<part>` of `what`, `part: work`: several trainings of a stage are several runs."""
    part, _, work = what.rpartition(": ")
    return "/".join(filter(None, (os.environ.get("DVC_STAGE", work), part)))


class Trackers:
    """Passes rows on to the trackers that were named, as the run of a training; of several processes the first does."""

    def __init__(self, what: str) -> None:
        """Raises UserError, with the remedy, where a tracker is not installed or does not start."""
        named = _named if processes.is_first() else []
        self.started = [started(name, run_name(what)) for name in named]
        self.followed = os.environ.get(FOLLOWED) if processes.is_first() else None

    def __call__(self, step: int, row: Mapping[str, float]) -> None:
        for tracker in self.started:
            tracker.log({name: float(value) for name, value in row.items()}, step=step)
        if self.followed and any(name.startswith(DEV) for name in row):
            with open(self.followed, "a", encoding="utf-8") as file:
                file.write(json.dumps({name: float(value) for name, value in row.items()}) + "\n")

    def end(self) -> None:
        for tracker in self.started:
            tracker.finish()


def started(name: str, run: str) -> Any:
    """A tracker of accelerate for one run."""
    try:
        from accelerate import tracking

        tracker = MAKERS[name](tracking.LOGGER_TYPE_TO_CLASS[name], run)
        tracker.start()
    except ImportError as error:
        raise UserError(
            f"params.yaml: `report_to` names {name}, which is not installed; pip install accelerate {name}"
        ) from error
    return tracker


def _tensorboard(kind: Callable[..., Any], run: str) -> Any:
    return kind(run, logging_dir=str(LOGS / "tensorboard"))


def _dvclive(kind: Callable[..., Any], run: str) -> Any:
    # No commit, no dvc.yaml of its own: this pipeline has both. A run that goes on adds to its curves.
    folder = str(LOGS / "dvclive" / run)
    return kind(dir=folder, resume=True, report=None, save_dvc_exp=False, dvcyaml=None, monitor_system=False)


def _wandb(kind: Callable[..., Any], run: str) -> Any:
    LOGS.mkdir(exist_ok=True)
    os.environ.setdefault("WANDB_DIR", str(LOGS))
    return kind(PROJECT, name=run, reinit="finish_previous")


def _mlflow(kind: Callable[..., Any], run: str) -> Any:
    folder = LOGS / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    return kind(PROJECT, run_name=run, logging_dir=str(folder / "artifacts"))


def _trackio(kind: Callable[..., Any], run: str) -> Any:
    return kind(PROJECT, name=run)


MAKERS: dict[str, Callable[[Callable[..., Any], str], Any]] = {
    "tensorboard": _tensorboard,
    "dvclive": _dvclive,
    "wandb": _wandb,
    "mlflow": _mlflow,
    "trackio": _trackio,
}
