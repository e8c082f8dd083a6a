"""What a search found: the best few under other seeds, and of the winner alone the test set, with an interval."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from whyrank.commands import effect
from whyrank.commands.search.space import Space, said
from whyrank.core import io
from whyrank.core.options import overrides, params
from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.markdown import pipe_table

RUNS, OVERFITS = "data/runs", "search-overfits-dev"
PICTURES = {"history.png": "plot_optimization_history", "importance.png": "plot_param_importances",
            "coordinates.png": "plot_parallel_coordinate"}  # fmt: skip


class Runner(Protocol):
    """`experiment`, or what stands for it in a test."""

    def run(self, name: str, question: str, settings: list[str]) -> None: ...
    def fetch(self, name: str, path: str, target: Path) -> bool: ...


class Winner(NamedTuple):
    """dev        mean over the seeds, of each of the best few by its number
    start_dev  of the same fine-tuning without what the search varies, under the seed of the trials
    test       winner less start on the test rows; None where no row is in both
    is_same    whether that is in the metric of the dev set
    """

    trial: FrozenTrial
    dev: Mapping[int, float]
    start_dev: float
    test: effect.Measured | None
    is_same: bool

    @property
    def overfits(self) -> bool:
        """Whether the test set surely gained less than the dev set that the winner was picked by."""
        return self.test is not None and self.is_same and self.test.difference.high < self.gain

    @property
    def gain(self) -> float:
        """On dev, of the trial as it was picked."""
        return float(np.nan if self.trial.value is None else self.trial.value) - self.start_dev


def best(study: optuna.Study, count: int) -> list[FrozenTrial]:
    """By the dev metric, the best first; of equal values the earlier."""
    complete = study.get_trials(states=[TrialState.COMPLETE])
    return sorted(complete, key=lambda trial: (-float(trial.value or 0.0), trial.number))[:count]


def repeated(
    trials: list[FrozenTrial], seeds: int, first_seed: int, value_of: Callable[[FrozenTrial, int], float]
) -> dict[int, float]:
    """The mean dev metric of each trial over the seed that it had and those after it.

    value_of   runs a trial under another seed
    """
    return {
        trial.number: float(np.mean([trial.value, *(value_of(trial, first_seed + i) for i in range(1, seeds))]))
        for trial in trials
    }


def compared(runner: Runner, space: Space, trial: FrozenTrial, dev: Mapping[int, float], folder: Path) -> Winner:
    """The winner beside the start; both run whole, the reports too. On test by the metric of dev, where it has one."""
    ways = {"start": space.settings({}), "best": space.settings(trial.params)}
    for way, settings in ways.items():
        name = f"search-{space.name}-{way}"
        runner.run(name, space.question, settings)
        runner.fetch(name, RUNS, folder / way)
        runner.fetch(name, space.result, folder / f"{way}.json")
        runner.fetch(name, "metrics/diagnose/report.html", folder / f"{way}.html")
    options = params.section(space.values, "diagnose", params.Diagnose)
    metric = space.metric.removesuffix("_all")
    is_same = metric in io.read_table(folder / "start" / space.system / effect.QUERIES)
    values = overrides.put(space.values, {"diagnose.metric": metric} if is_same else {})
    is_same &= effect.file_of(values) == effect.QUERIES
    draw = {"resamples": options.resamples, "seed": params.seed(values)}
    test = effect.measure(folder / "start", folder / "best", values, [space.system], level=options.level, **draw)
    start_dev = float(io.read_json(folder / "start.json")[f"dev_{space.metric}"])
    return Winner(trial, dev, start_dev, test, is_same)


def told(space: Space, study: optuna.Study, winner: Winner) -> str:
    """In Markdown: the answer, what picking by dev flatters, and the best few."""
    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    done, pruned = states.count(TrialState.COMPLETE), states.count(TrialState.PRUNED)
    lines = [
        f"# {space.question}",
        "",
        f"{done} trials ended, {pruned} were pruned, by `{space.metric}` of the dev set.",
    ]
    lines += ["", f"The best is trial {winner.trial.number}; it runs by", "", "```bash",
              overrides.command(space.settings(winner.trial.params)), "```", ""]  # fmt: skip
    dev = f"On dev it is {numbers.points(winner.gain)} points above the start, of which picking the best is a part."
    if winner.test is None:
        lines.append(f"{dev} No test row is in both runs.")
    else:
        lines.append(f"{dev} On test, looked at once: {winner.test.spoken}.")
    if winner.overfits:
        lines.append(f"**{OVERFITS}**: what dev gained, test did not. Take fewer trials, more dev queries "
                     "(`prepare.split.dev`), or the start.")  # fmt: skip
    head = ["trial", f"dev {space.metric}", "mean over seeds", *(key.rpartition(".")[2] for key in space.varied)]
    rows = [
        [f"{trial.number}", f"{trial.value:.4f}", f"{winner.dev[trial.number]:.4f}", *map(said, trial.params.values())]
        for trial in best(study, len(winner.dev))
    ]
    return "\n".join([*lines, "", pipe_table(head, rows), ""])


def table(study: optuna.Study) -> pd.DataFrame:
    """A row for each trial: number, state, value, seconds, and what it varied."""
    rows = [
        {"number": one.number, "state": one.state.name.lower(), "value": one.value,
         "seconds": one.duration.total_seconds() if one.duration else np.nan, **one.params}
        for one in study.get_trials(deepcopy=False)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def draw(study: optuna.Study, folder: Path) -> None:
    """Optuna's own PICTURES."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from optuna.visualization import matplotlib as pictures

    for name, plot in PICTURES.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental, and labels that are not there
            getattr(pictures, plot)(study)
        with io.replacing(folder / name) as temporary:
            plt.gcf().savefig(temporary, format="png", dpi=120, bbox_inches="tight")
        plt.close("all")
