"""`whyrank search` as the command line asks it: trials, then seeds for the best few, then the test set once."""

import random
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from whyrank.commands import experiment
from whyrank.commands.search import outcome, space, trials
from whyrank.core import io
from whyrank.core.errors import UserError, said_by
from whyrank.core.options import params

# Trials that run whole before any is stopped for being below the median of the others.
UNPRUNED = 5


def search(asked: Namespace, here: Path, results: Path) -> str:
    """Run it, or go on; what it found, in Markdown. All of it lies in a folder of `results` with the space's name.

    here   the folder that the user stands in
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    chosen = space.read(here / asked.space, asked.overrides)
    folder = results / chosen.name
    folder.mkdir(parents=True, exist_ok=True)
    seed = params.seed(chosen.values)
    study = opened(chosen, asked, folder, seed)
    own = trials.Search(chosen, study, folder, is_listed=asked.sampler == "grid")
    own.run(asked.trials, asked.jobs)
    io.write_table(folder / "trials.csv", outcome.table(study))
    few = outcome.best(study, asked.best)
    if not few:
        raise UserError(f"no trial of {chosen.name} ended well; their logs are in {folder}")
    dev = outcome.repeated(few, asked.seeds, seed, lambda trial, other: under_seed(chosen, trial, other))
    winner = max(few, key=lambda trial: dev[trial.number])
    found = outcome.told(chosen, study, outcome.compared(experiment, chosen, winner, dev, folder))
    outcome.draw(study, folder)
    io.write_text(folder / "search.md", "\n".join([found, *(f"![{name}]({name})" for name in outcome.PICTURES), ""]))
    return found


def opened(chosen: space.Space, asked: Namespace, folder: Path, seed: int) -> optuna.Study:
    """The study of that name in the storage; a new one where there is none yet.

    Raises UserError for a storage that cannot be opened, and for one that holds the name with another space.
    """
    storage = asked.storage or f"sqlite:///{folder / 'study.db'}"
    sampler = (
        optuna.samplers.TPESampler(seed=seed, constant_liar=asked.jobs > 1)
        if asked.sampler == "tpe"
        else optuna.samplers.RandomSampler(seed=seed)
    )
    # Optuna's own sampler of grids takes its own loop. In any order, so that a part of the grid is a fair sample of it.
    grid = space.grid(chosen) if asked.sampler == "grid" else []
    points = random.Random(seed).sample(grid, len(grid))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED, n_warmup_steps=1)
    try:
        study = optuna.create_study(
            study_name=chosen.name, storage=storage, sampler=sampler, pruner=pruner, direction="maximize",
            load_if_exists=True,
        )  # fmt: skip
    except Exception as error:  # whatever the driver of the database raises
        raise UserError(f"--storage cannot be opened: {said_by(error)}") from error
    told: dict[str, Any] = {"question": chosen.question, "overrides": dict(chosen.overrides), "metric": chosen.metric,
                            "space": {key: repr(one) for key, one in chosen.varied.items()}}  # fmt: skip
    before = study.user_attrs.get("space", told)
    if before != told:
        raise UserError(f"{asked.space}: a study {chosen.name!r} with another space is there already; rename the file")
    study.set_user_attr("space", told)
    for point in points:
        study.enqueue_trial(point, skip_if_exists=True)
    return study


def under_seed(chosen: space.Space, trial: FrozenTrial, seed: int) -> float:
    """The dev metric of a trial under another seed; its experiment stays, and is not run twice.

    Raises UserError where it fails.
    """
    name = f"search-{chosen.name}-{trial.number:04d}-seed-{seed}"
    if (known := trials.result(chosen, name)) is not None:
        return known
    print(f"trial {trial.number} under seed {seed}", file=sys.stderr, flush=True)
    experiment.run(name, chosen.question, [*chosen.settings(trial.params), f"seed={seed}"], [chosen.stage])
    value = trials.result(chosen, name)
    if value is None:
        raise UserError(f"experiment {name} left no {chosen.result}")
    return value
