"""What a search of hyper-parameters brings: the default, a grid of 20, TPE of 20 and of 60 trials.

    python -m benchmarks.searches run DATA WORK [--sets …] [--seeds …]
    python -m benchmarks.searches table WORK

DATA and WORK as those of benchmarks.pretraining; a cell (set, seed) is a file WORK/search.<cell>.csv, and every trial
is in WORK/trials.<cell>.csv. The space is spaces/ranking-head.yaml, the sampler that of `whyrank search`; trials run in
this process on kept vectors, without DVC, whose start of an experiment would be most of their time, and none is pruned.
Each arm takes the trial that is best on dev, and its test queries are ranked once. The 20 trials are the first of 60.
The default is what params.yaml ships with a residual head on the frozen encoder, and beside it stands the same with the
1.5 rounds that it shipped before.
"""

import copy
import dataclasses
import itertools
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

import optuna
import pandas as pd

from benchmarks import cells
from benchmarks.pretraining import ROOT, SEEDS, values_of, whole
from whyrank.commands import label_curve
from whyrank.commands.search import space
from whyrank.core import io
from whyrank.core.options import overrides, params
from whyrank.core.options.yaml_files import parsed
from whyrank.diagnosis.report.markdown import pipe_table
from whyrank.measure.significance.resampling import holm
from whyrank.model.system import System
from whyrank.training import finetune

SETS = ("conditionalqa", "stackexchange")
SPACE, FEW, MANY = ROOT / "spaces/ranking-head.yaml", 20, 60
GRID: dict[str, list[Any]] = {
    "finetune_rank.learning_rate": [3e-5, 1e-4, 3e-4, 1e-3, 3e-3],
    "finetune_rank.head.hidden": [192, 768],
    "finetune_rank.head.dropout": [0.1, 0.4],
}
DEFAULT, BRIEF = "default", "1.5 rounds"
ARMS = (DEFAULT, BRIEF, f"grid of {FEW}", f"TPE of {FEW}", f"TPE of {MANY}")
# What params.yaml ships for a head on the frozen encoder, and what it shipped before.
SHIPPED: dict[str, dict[str, Any]] = {
    DEFAULT: {"finetune_rank.epochs": "auto", "finetune_rank.early_stopping.evaluations": "auto"},
    BRIEF: {"finetune_rank.epochs": 1.5, "finetune_rank.early_stopping.evaluations": "auto"},
}


class Tried(NamedTuple):
    chosen: Mapping[str, Any]
    dev: float
    seconds: float  # of processor


class Trials:
    """Of one split: what it brought with other values of the space."""

    def __init__(self, asked: space.Space, name: str, source: Path, seed: int) -> None:
        self.asked = asked
        own = values_of(name, "mean", source)
        values = own | {"finetune_rank": overrides.put(asked.values, {})["finetune_rank"]}
        self.run = label_curve.begun(overrides.put(values, {"encoder.readout": "auto"}), seed)

    def trained(self, chosen: Mapping[str, Any]) -> tuple[System, Tried]:
        began = time.process_time()
        run = dataclasses.replace(self.run, values=overrides.put(dict(self.run.values), chosen))
        options, encoder = run.options("finetune_rank", params.FinetuneRank), run.options("encoder", params.Encoder)
        made = finetune.finetune_rank(copy.deepcopy(run.base), run.prepared, options, encoder, run.seed)
        dev = float(made.history.evaluations[self.asked.metric].max())
        return made.system, Tried(chosen, dev, time.process_time() - began)

    def tried(self, chosen: Mapping[str, Any]) -> Tried:
        found = self.trained(chosen)[1]
        print(f"  {found.dev:.4f} in {found.seconds:.0f} s: {dict(chosen)}", file=sys.stderr, flush=True)
        return found

    def drawn(self, count: int) -> list[Tried]:
        """By TPE, in their order."""
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=self.run.seed), direction="maximize")
        found = []
        for _ in range(count):
            trial = study.ask(dict(self.asked.varied))
            values = {key: parsed(space.said(value).encode(), "TPE") for key, value in trial.params.items()}
            found.append(self.tried(values))
            study.tell(trial, found[-1].dev)
        return found

    def all(self) -> Iterator[tuple[str, list[Tried]]]:
        """The trials of each arm."""
        for arm, chosen in SHIPPED.items():
            yield arm, [self.tried(chosen)]
        yield ARMS[2], [self.tried(dict(zip(GRID, one, strict=True))) for one in itertools.product(*GRID.values())]
        drawn = self.drawn(MANY)
        yield ARMS[3], drawn[:FEW]
        yield ARMS[4], drawn


def cell(trials: Trials) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The test queries of what each arm chose, with its dev metric and the processor seconds; and every trial."""
    tables, rows = [], []
    for arm, tried in trials.all():
        best = max(tried, key=lambda one: one.dev)
        queries = trials.run.scored(trials.trained(best.chosen)[0])
        print(f"{arm}: dev {best.dev:.4f}, test {queries['accuracy@1'].mean():.4f}", file=sys.stderr, flush=True)
        seconds = sum(one.seconds for one in tried)
        tables.append(queries.assign(arm=arm, seed=trials.run.seed, dev=best.dev, seconds=seconds))
        rows += [{"arm": arm, "dev": one.dev, "seconds": one.seconds, **one.chosen} for one in tried]
    return pd.concat(tables, ignore_index=True), pd.DataFrame(rows)


def table(work: Path) -> str:
    """A row for each set and arm, all seeds pooled; Holm's p over all gains of a metric."""
    found = []
    for name, rows in cells.pooled(work, "search.", SETS):
        before = rows[rows["arm"] == DEFAULT]
        for arm in ARMS:
            own = rows[rows["arm"] == arm].loc[before.index]
            means = own.groupby("seed")[["seconds", "dev"]].first().mean()
            row = {"set": name, "seeds": cells.splits(own), "arm": arm}
            row |= {"minutes": means["seconds"] / 60, "dev": means["dev"]}
            found.append(row | cells.gains(own, before))
    table = pd.DataFrame(found)
    is_search = table["arm"] != DEFAULT
    head = ["set", "splits", "", "minutes of processor", "dev MAP@10"]
    body = [[row["set"], f"{row['seeds']}", row["arm"], f"{row['minutes']:.1f}", f"{row['dev']:.3f}"] for row in found]
    for metric in ("accuracy@1", "mrr"):
        sure = dict(zip(table.index[is_search], holm(table.loc[is_search, f"{metric} p"]), strict=True))
        head += [metric, "gain", "Holm's p"]
        for i, row in enumerate(found):
            body[i] += [f"{row[metric]:.3f}", *([row[f"{metric} gain"], f"{sure[i]:.3f}"] if i in sure else ["", ""])]
    return pipe_table(head, body)


def run(data: Path, work: Path, sets: Sequence[str], seeds: Sequence[int]) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with chdir(ROOT):
        asked = space.read(SPACE)
    for seed in seeds:
        for name in sets:
            file = work / f"search.{name}.{seed}.csv"
            if file.exists():
                continue
            if not (work / name).exists():
                whole(data / name, work / name)
            print(file.stem, file=sys.stderr)
            queries, tried = cell(Trials(asked, name, work / name, seed))
            io.write_table(work / f"trials.{name}.{seed}.csv", tried)
            io.write_table(file, queries)


def main() -> None:
    asked = cells.commands(__doc__, SETS, SEEDS)[0].parse_args()
    if asked.command == "table":
        print(table(asked.work))
    else:
        run(asked.data.resolve(), asked.work.resolve(), asked.sets, asked.seeds)


if __name__ == "__main__":
    main()
